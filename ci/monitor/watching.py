"""From probes to people: a round is made, written down, told, and published; once, or again and again for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ci.config import Config
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.monitor import alerts
from ci.monitor.days import DAY
from ci.monitor.facts import Round
from ci.monitor.history import History
from ci.monitor.overview import Overview, overview
from ci.monitor.rollup import midnight, slot_of
from ci.monitor.round import make_round

Publish = Callable[[Overview], None]


@dataclass(frozen=True, slots=True)
class Done:
    """A round, and what the history tells since it was written down."""

    round: Round
    overview: Overview


@dataclass(slots=True)
class Watcher:
    """Makes rounds. A round that could not be written down is kept, and written with the next one."""

    config: Config
    history: History
    environ: Mapping[str, str]
    redact: Redactor
    say: Callable[[str], None]
    publish: Publish | None = None
    _unwritten: list[Round] = field(default_factory=list)

    async def once(self, every: timedelta) -> Done:
        """One round. Raises CannotRun when it could not be written down."""
        yesterday = midnight(datetime.now(UTC) - max(DAY, self.config.monitor.drift_settles))
        recent = (await self.history.read(yesterday.date())).records
        every_s = int(every.total_seconds())
        made = await make_round(self.config, self.environ, self.redact, every_s=every_s, recent=recent)
        self._unwritten.append(made)
        while self._unwritten:
            await self.history.append(self._unwritten[0])
            self._unwritten.pop(0)
        now = datetime.now(UTC)
        told = await overview(self.history, self.config.monitor, now)
        await self._tell(made, told, now)
        if self.publish:
            self.publish(told)
        return Done(made, told)

    async def for_a_while(self, lasts: timedelta, every: timedelta) -> Done:
        """A round in every slot until `lasts` is over; the last one. Raises CannotRun when that could not be made."""
        until = datetime.now(UTC) + lasts
        while True:
            failure: CannotRun | None = None
            try:
                done = await self.once(every)
            except CannotRun as error:
                failure = error
            pause = slot_of(now := datetime.now(UTC), int(every.total_seconds())) + every - now
            if now + pause >= until:
                if failure:
                    raise failure
                return done
            if failure:
                self.say(f"{failure}; it is tried again with the next round")
            await asyncio.sleep(pause.total_seconds())

    async def _tell(self, made: Round, told: Overview, now: datetime) -> None:
        """What could not be delivered is said, and tried again by the next round."""
        undelivered = await alerts.tell(
            told.incidents, self.history, self.config, self.environ, self.redact, say=self.say, now=now
        )
        lasted_s = (made.finished_at - made.started_at).total_seconds()
        missed = await alerts.check_in(self.config, self.environ, ok=made.blind is None, duration_s=lasted_s)
        for sentence in (*undelivered, missed):
            if sentence:
                self.say(sentence)
