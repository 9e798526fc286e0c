"""What the status page tells, before it is drawn: a pure function of the history's days and incidents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from ci.config import Config
from ci.monitor.day import Day, Gap, SeriesDay
from ci.monitor.episodes import Episode, episodes
from ci.monitor.facts import Incident, Kind, ProbeRecord, Series
from ci.monitor.figures import Budget, Figures, Response, responses
from ci.monitor.latency import quantile
from ci.monitor.overview import PRODUCTION_SERIES, Overview
from ci.monitor.page.bars import Column
from ci.monitor.page.latencies import Chart, Line, Point
from ci.monitor.page.states import Headline, State, headline, state_of
from ci.monitor.rules import PRODUCTION

RECENT = timedelta(hours=48)
"""How far back single probes are shown."""
ANNOUNCED = timedelta(days=14)
"""How long before it begins maintenance is shown."""
DAYS = 90
"""How many days the columns show."""
INCIDENTS_SHOWN = 30
GAPS_SHOWN = 20
WINDOWS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
"""Windows of the overview, and what they are called here."""
PERCENTILES = {"median": 0.5, "95 %": 0.95, "99 %": 0.99}

_BEHIND = (Kind.SERVICE, Kind.DNS, Kind.REDIRECT, Kind.HEADERS)
_EXPIRING = (Kind.CERTIFICATE, Kind.DOMAIN)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is watched."""

    series: Series
    state: State
    last: ProbeRecord | None
    told: Figures | None
    """Over the days that the page shows."""
    columns: tuple[Column, ...]
    chart: Chart

    @property
    def name(self) -> str:
        return self.series.target

    @property
    def measure(self) -> float | None:
        """Days left, or the share of a quota that is used."""
        return self.last.measure if self.last else None


@dataclass(frozen=True, slots=True)
class Environment:
    """One place where the application runs."""

    name: str
    whole: Part | None
    serving: tuple[Part, ...]
    behind: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Announced:
    """Maintenance that is under way, or soon will be."""

    reason: str
    where: str
    begins: datetime
    ends: datetime
    under_way: bool


@dataclass(frozen=True, slots=True)
class StatusPage:
    """All that the page tells. What is hidden by the configuration is not in here."""

    title: str
    url: str
    """The application's."""
    page_url: str | None
    contact: str | None
    details: bool
    now: datetime
    last_round: datetime | None
    every: timedelta
    headline: Headline
    announced: tuple[Announced, ...]
    environments: tuple[Environment, ...]
    windows: tuple[tuple[str, Figures], ...]
    objective: float
    objective_days: int
    budget: Budget | None
    daily: Chart
    expiring: tuple[Part, ...]
    vendors: tuple[Part, ...]
    quotas: tuple[Part, ...]
    incidents: tuple[Incident, ...]
    """Open ones first, then the newest."""
    episodes: tuple[Episode, ...]
    """The same incidents as people hear of them: those that opened together are one."""
    responses: tuple[Response, ...]
    gaps: tuple[Gap, ...]
    """Newest first."""
    rounds: int
    corrupt: int

    @property
    def missed(self) -> int:
        """Slots without a round."""
        return sum(gap.slots for gap in self.gaps)

    @property
    def open(self) -> tuple[Episode, ...]:
        return tuple(episode for episode in self.episodes if episode.open)

    @property
    def past(self) -> tuple[Episode, ...]:
        return tuple(episode for episode in self.episodes if not episode.open)


def build(overview: Overview, config: Config) -> StatusPage:
    """The page of what the history tells."""
    return _Builder(overview, config).page()


@dataclass(slots=True)
class _Builder:
    overview: Overview
    config: Config
    days: Sequence[Day] = field(init=False)
    _by_series: dict[Series, dict[int, SeriesDay]] = field(init=False, default_factory=lambda: defaultdict(dict))
    _latest: dict[Series, ProbeRecord] = field(init=False, default_factory=dict)
    _probes: dict[Series, list[Point]] = field(init=False, default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.days = self.overview.days[-DAYS:]
        for place, day in enumerate(self.days):
            for told in day.series:
                if not self._hidden(told.series):
                    self._by_series[told.series][place] = told
        for record in self.overview.recent:
            self._latest[series := record.series] = record
            if record.latency_ms is not None and not record.maintenance:
                self._probes[series].append((record.at, record.latency_ms))

    def page(self) -> StatusPage:
        settings, monitor, now = self.config.monitor.page, self.config.monitor, self.overview.now
        parts = [self._part(series) for series in self._watched_now()]
        environments = self._environments(parts)
        production = next((one for one in environments if one.name == PRODUCTION), None)
        last_round = max((day.last_round for day in self.days if day.last_round), default=None)
        age = now - last_round if last_round else None
        incidents = self._incidents()
        windows = ((name, self.overview.figures.get(key, {}).get(PRODUCTION_SERIES)) for key, name in WINDOWS.items())
        return StatusPage(
            title=settings.title or self.config.target.production.partition("://")[2],
            url=self.config.target.production,
            page_url=monitor.alerts.page,
            contact=settings.contact,
            details=settings.details,
            now=now,
            last_round=last_round,
            every=monitor.interval,
            headline=headline(
                [part.state for part in production.serving] if production else [],
                [part.state for part in production.behind] if production else [],
                ever=bool(production and production.serving),
                stale=age if age is not None and age > monitor.silence else None,
            ),
            announced=tuple(self._announced()),
            environments=environments,
            windows=tuple((name, told) for name, told in windows if told),
            objective=monitor.slo.availability,
            objective_days=monitor.slo.window.days,
            budget=self.overview.budget,
            daily=self._daily(),
            expiring=tuple(sorted(_of(parts, *_EXPIRING), key=_soonest)),
            vendors=tuple(_of(parts, Kind.VENDOR)),
            quotas=tuple(_of(parts, Kind.QUOTA)),
            incidents=incidents,
            episodes=episodes(incidents),
            responses=responses(incidents),
            gaps=tuple(reversed(self.overview.gaps)),
            rounds=sum(day.rounds for day in self.days),
            corrupt=self.overview.corrupt,
        )

    def _announced(self) -> Iterator[Announced]:
        """The windows of the next days, in their order."""
        now = self.overview.now
        coming = [(window.begins(now), window) for window in self.config.monitor.maintenance]
        soon = [(begins, window) for begins, window in coming if begins and begins - now <= ANNOUNCED]
        for begins, window in sorted(soon, key=lambda one: one[0]):
            where = ", ".join(window.environments)
            yield Announced(window.reason, where, begins, begins + window.lasts, under_way=begins <= now)

    def _incidents(self) -> tuple[Incident, ...]:
        """Of the days that the page shows, and whatever is still open."""
        since = self.days[0].begins if self.days else self.overview.now
        lately = (one for one in self.overview.incidents if one.open or one.opened_at >= since)
        return tuple(one for one in lately if not self._hidden(one.series))

    def _hidden(self, series: Series) -> bool:
        names = (series.target, str(series))
        return any(fnmatchcase(name, pattern) for pattern in self.config.monitor.page.hide for name in names)

    def _watched_now(self) -> list[Series]:
        """What the latest day with a round has: what was taken out of the configuration is no part of the present."""
        latest = max((place for place, day in enumerate(self.days) if day.rounds), default=-1)
        found = [series for series, told in self._by_series.items() if latest in told]
        return sorted(found, key=lambda series: (list(Kind).index(series.kind), series.target))

    def _part(self, series: Series) -> Part:
        mine = self._by_series[series]
        # Of several probes in one slot the roll-up keeps the worst; how it stands now is what the latest saw.
        last = self._latest.get(series) or mine[max(mine)].last
        return Part(
            series=series,
            state=state_of(last, self.overview.now, self.config.monitor.silence),
            last=last,
            told=self.overview.figures["90d"].get(series),
            columns=self._columns(mine),
            chart=self._chart(series),
        )

    def _columns(self, mine: dict[int, SeriesDay]) -> tuple[Column, ...]:
        """As many as the page shows, those before history began included."""
        first = min(mine, default=len(self.days))
        told = [Column.of(day, mine.get(place), watched=first < place) for place, day in enumerate(self.days)]
        began = self.days[0].day
        before = [Column(began - timedelta(days=back), {}) for back in range(DAYS - len(told), 0, -1)]
        return (*before, *told)

    def _environments(self, parts: Sequence[Part]) -> tuple[Environment, ...]:
        names = sorted({part.series.environment for part in parts if part.series.environment})
        names.sort(key=lambda name: name != PRODUCTION)
        made = []
        for name in names:
            mine = [part for part in parts if part.series.environment == name]
            whole = next(iter(_of(mine, Kind.ALL)), None)
            serving = tuple(part for part in mine if part.series.kind.serves)
            made.append(Environment(name, whole, serving, tuple(_of(mine, *_BEHIND))))
        return tuple(one for one in made if one.serving or one.behind)

    def _chart(self, series: Series) -> Chart:
        return Chart(
            title=f"Response time of {series.target}, last 48 hours",
            begins=self.overview.now - RECENT,
            ends=self.overview.now,
            lines=(Line(series.target, self._probes[series]),),
            gap=1.5 * self.config.monitor.interval,
            limit_ms=self._satisfying_ms,
        )

    def _daily(self) -> Chart:
        told = [(self.days[place].begins, day.latency) for place, day in self._by_series[PRODUCTION_SERIES].items()]
        lines = [
            Line(name, [(at, value) for at, latency in told if (value := quantile(latency, share)) is not None])
            for name, share in PERCENTILES.items()
        ]
        return Chart(
            title=f"Response time in production, day by day over {DAYS} days",
            begins=self.overview.now - timedelta(days=DAYS),
            ends=self.overview.now,
            lines=lines,
            gap=timedelta(days=1.5),
            limit_ms=self._satisfying_ms,
        )

    @property
    def _satisfying_ms(self) -> float:
        return self.config.monitor.slo.apdex / timedelta(milliseconds=1)


def _of(parts: Iterable[Part], *kinds: Kind) -> list[Part]:
    return [part for part in parts if part.series.kind in kinds]


def _soonest(part: Part) -> tuple[bool, float]:
    return part.measure is None, part.measure or 0.0
