"""From records to incidents: a pure fold, so the same history always tells the same incidents.

An incident opens after `open_after` failures in a row and closes after `close_after` good probes in a row. Whatever
goes to and fro is flapping: it opens, too, and stays one incident until it is calm. A probe without an answer
counts neither way, unless nothing else comes: then that it cannot be seen is the incident. What is watched no more
has no open incident either. What opens together in one environment is one episode (`ci.monitor.episodes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from ci.monitor.day import Watch
from ci.monitor.facts import Condition, Incident, Kind, ProbeRecord, Series
from ci.monitor.rules import Rules

EVIDENCE_KEPT = 3
"""Details that are kept of an incident's begin, and as many of its latest."""
TOGETHER = 3
"""Two probes nearer to each other than an interval divided by this are one: rounds may run at once."""
JOINED_WITHIN = 3
"""Intervals within which what opens after an incident of its environment is told as one with it."""

LOST = timedelta(days=1)
"""What no round has looked at for so long is watched no more; and what belongs to no user may be unseen so long."""

SCHEDULE = Series(environment="", target="schedule", kind=Kind.MONITOR)
SIGHT = Series(environment="", target="sight", kind=Kind.MONITOR)

_BLAMED_ON_VENDORS = {Kind.PAGE, Kind.API, Kind.HEALTH, Kind.SERVICE, Kind.DNS, Kind.CERTIFICATE}
_WORST_LAST = (Condition.UP, Condition.UNKNOWN, Condition.DEGRADED, Condition.DOWN)


@dataclass
class Detector:
    """Fed with rounds in the order of their time; tells which incidents are open and which were closed."""

    rules: Rules
    last_round: datetime | None = None
    closed: list[Incident] = field(default_factory=list)
    _watches: dict[Series, Watch] = field(default_factory=dict)
    _vendors: dict[str, ProbeRecord] = field(default_factory=dict)

    @classmethod
    def resumed(cls, rules: Rules, watches: Iterable[Watch], last_round: datetime | None) -> Detector:
        """One that goes on where another stopped."""
        return cls(rules, last_round, _watches={watch.series: watch for watch in watches})

    @property
    def watches(self) -> tuple[Watch, ...]:
        return tuple(self._watches.values())

    @property
    def open(self) -> tuple[Incident, ...]:
        return tuple(watch.incident for watch in self._watches.values() if watch.incident)

    def take(self, records: Sequence[ProbeRecord]) -> None:
        """The records of one round."""
        self._vendors |= {record.target: record for record in records if record.kind is Kind.VENDOR}
        rounds = [record for record in records if record.kind is Kind.MONITOR]
        for record in rounds:
            self._scheduled(record)
            self._step(SIGHT, record, failing=record.outcome is Condition.UNKNOWN)
        blind = any(record.outcome is Condition.UNKNOWN for record in rounds)
        for record in records:
            if record.kind in {Kind.MONITOR, Kind.VENDOR}:
                continue
            if record.outcome is Condition.UNKNOWN and blind:
                continue
            if record.outcome is not Condition.UP and record.maintenance:
                continue
            self._step(record.series, record, failing=record.outcome.failing)
        self._gather(timedelta(seconds=JOINED_WITHIN * max((record.every_s for record in records), default=0)))
        if rounds and not blind:
            self._forget(rounds[0].at)

    def _step(self, series: Series, record: ProbeRecord, *, failing: bool) -> None:
        """One probe of one series."""
        before = self._watches.get(series) or Watch(series=series)
        watch = self._counted(before, record, failing=failing)
        if watch.incident is None and self._must_open(watch, failing=failing):
            watch = self._opened(watch, record)
        elif watch.incident:
            watch = self._going_on(watch, watch.incident, record, failing=failing)
        self._watches[series] = watch

    def _counted(self, watch: Watch, record: ProbeRecord, *, failing: bool) -> Watch:
        well = record.outcome is Condition.UP
        turned = (well and watch.unseen) or (not well and watch.well)
        near = timedelta(seconds=record.every_s / TOGETHER)
        if watch.counted_at and record.at - watch.counted_at < near and not turned:
            return watch.model_copy(update={"last_well": record.at} if well else {})
        changed: dict[str, object] = {"counted_at": record.at}
        if failing or well:
            changed["recent"] = (watch.recent + ("f" if failing else "w"))[-self.rules.flap_within :]
        if well:
            changed |= {"failing": 0, "unseen": 0, "well": watch.well + 1, "first_failing": None}
            changed |= {"last_well": record.at, "first_well": watch.first_well or record.at}
        else:
            changed |= {"failing": watch.failing + failing, "unseen": watch.unseen + 1, "well": 0, "first_well": None}
            changed["first_failing"] = watch.first_failing or record.at
        return watch.model_copy(update=changed)

    def _must_open(self, watch: Watch, *, failing: bool) -> bool:
        if failing and (watch.failing >= self.rules.open_after or self._flaps(watch)):
            return True
        if watch.unseen < 2 * self.rules.open_after or not (watch.counted_at and watch.first_failing):
            return False
        return watch.series.kind.serves or watch.counted_at - watch.first_failing >= LOST

    def _flaps(self, watch: Watch) -> bool:
        return sum(one != other for one, other in pairwise(watch.recent)) >= self.rules.flap_changes

    def _opened(self, watch: Watch, record: ProbeRecord) -> Watch:
        assert watch.first_failing
        incident = Incident(
            series=watch.series,
            priority=self.rules.priority(watch.series, record.outcome),
            condition=record.outcome,
            opened_at=record.at,
            good_before=watch.last_well,
            first_failure=watch.first_failing,
            last_failure=record.at,
            failures=watch.unseen,
            flapping=self._flaps(watch),
            cause=self._cause(watch.series, record),
            evidence=(_told(record),),
        )
        return watch.model_copy(update={"incident": incident})

    def _going_on(self, watch: Watch, incident: Incident, record: ProbeRecord, *, failing: bool) -> Watch:
        if record.outcome is Condition.UP:
            if watch.well < self.rules.close_after or self._flaps(watch):
                return watch
            closed = {"good_again": watch.first_well, "closed_at": record.at}
            self.closed.append(incident.model_copy(update=closed))
            return watch.model_copy(update={"incident": None})
        worse = max(incident.condition, record.outcome, key=_WORST_LAST.index)
        changed = {
            "condition": worse,
            "priority": min(incident.priority, self.rules.priority(watch.series, record.outcome)),
            "last_failure": record.at,
            "failures": incident.failures + 1,
            "flapping": incident.flapping or self._flaps(watch),
            "cause": incident.cause or self._cause(watch.series, record),
            "evidence": _kept(incident.evidence, _told(record)),
        }
        return watch.model_copy(update={"incident": incident.model_copy(update=changed)})

    def _gather(self, within: timedelta) -> None:
        """Give each new incident its episode, the worst one first: the others of the same cause join it."""
        new = [watch.incident for watch in self._watches.values() if watch.incident and not watch.incident.episode]
        for incident in sorted(new, key=lambda one: (one.priority, str(one.series))):
            named = incident.model_copy(update={"episode": self._episode_for(incident, within)})
            watch = self._watches[incident.series]
            self._watches[incident.series] = watch.model_copy(update={"incident": named})

    def _episode_for(self, new: Incident, within: timedelta) -> str:
        """Of what opened lately in its environment and is no milder. What is worse than all that must be heard anew."""
        if new.series.kind is Kind.MONITOR:
            return new.id
        near = [
            one
            for one in self.open
            if one.episode
            and one.series.kind is not Kind.MONITOR
            and one.series.environment == new.series.environment
            and one.priority <= new.priority
            and new.opened_at - one.opened_at <= within
        ]
        return min(near, key=lambda one: (one.priority, one.opened_at)).episode if near else new.id

    def _forget(self, now: datetime) -> None:
        """Close what nobody looks at any more: nobody would ever find it well."""
        for series, watch in list(self._watches.items()):
            if series.kind is Kind.MONITOR or watch.counted_at is None or now - watch.counted_at <= LOST:
                continue
            if watch.incident:
                told = f"{now:%Y-%m-%d %H:%M:%S} UTC closed: it is watched no more; how it ended is unknown"
                evidence = _kept(watch.incident.evidence, told)
                self.closed.append(watch.incident.model_copy(update={"closed_at": now, "evidence": evidence}))
            del self._watches[series]

    def _scheduled(self, record: ProbeRecord) -> None:
        """That no round was made for too long is an incident, known when the next one runs."""
        last, self.last_round = self.last_round, max(record.at, self.last_round or record.at)
        watch = self._watches.get(SCHEDULE) or Watch(series=SCHEDULE)
        if last and record.at - last > self.rules.silence:
            self._watches[SCHEDULE] = watch.model_copy(
                update={"incident": self._silence(watch.incident, last, record), "well": 1, "first_well": record.at}
            )
        elif watch.incident and watch.well + 1 >= self.rules.close_after:
            closed = {"good_again": watch.first_well, "closed_at": record.at}
            self.closed.append(watch.incident.model_copy(update=closed))
            self._watches[SCHEDULE] = watch.model_copy(update={"incident": None, "well": 0, "first_well": None})
        elif watch.incident:
            self._watches[SCHEDULE] = watch.model_copy(update={"well": watch.well + 1})

    def _silence(self, known: Incident | None, last: datetime, record: ProbeRecord) -> Incident:
        due = last + timedelta(seconds=record.every_s)
        missed = max(1, int((record.at - due).total_seconds() // record.every_s))
        told = (
            f"no round from {last:%Y-%m-%d %H:%M:%S} to {record.at:%Y-%m-%d %H:%M:%S} UTC: {missed} missed; "
            "what happened meanwhile is unknown. Look whether the schedule is still on; give it an outside heartbeat"
        )
        if known:
            return known.model_copy(
                update={
                    "last_failure": record.at,
                    "failures": known.failures + missed,
                    "evidence": _kept(known.evidence, told),
                }
            )
        return Incident(
            series=SCHEDULE,
            priority=self.rules.priority(SCHEDULE, Condition.DEGRADED),
            condition=Condition.DEGRADED,
            opened_at=record.at,
            good_before=last,
            first_failure=due,
            last_failure=record.at,
            failures=missed,
            evidence=(told,),
        )

    def _cause(self, series: Series, record: ProbeRecord) -> str:
        if series.kind not in _BLAMED_ON_VENDORS:
            return ""
        fresh = record.at - self.rules.silence
        told = (v for v in self._vendors.values() if v.outcome.failing and v.at >= fresh)
        return "; ".join(sorted(f"{vendor.target}: {vendor.detail}" for vendor in told))


def _told(record: ProbeRecord) -> str:
    return f"{record.at:%Y-%m-%d %H:%M:%S} UTC {record.outcome}: {record.detail}"


def _kept(evidence: tuple[str, ...], told: str) -> tuple[str, ...]:
    """The first few, and the latest few."""
    if len(evidence) < 2 * EVIDENCE_KEPT:
        return (*evidence, told)
    return (*evidence[:EVIDENCE_KEPT], *evidence[EVIDENCE_KEPT + 1 :], told)
