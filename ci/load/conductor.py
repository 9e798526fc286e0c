"""Conducting one load: all processes begin together, report to here, and end together.

The conductor lives in the process that Locust calls the master, or in the only one. It and the users talk in Locust's
own messages, which a lone process delivers to itself.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.event import Event
from gevent.os import make_nonblocking, nb_read
from locust.runners import MasterRunner

from ci.load.crew import TICK_S
from ci.load.messages import Batch, Ending, Listening, Message, Pulse, to_line
from ci.load.plan import Plan
from ci.load.recording import SAMPLE, Arm
from ci.load.tally import Tally
from ci.model import ErrorKind

BEGIN: Final = "gonogo-begin"
REPORT: Final = "gonogo-report"
STRANGER: Final = "gonogo-stranger"
STOP: Final = "gonogo-stop"

ENOUGH: Final = "enough "
"""Begins the line of standard input that ends the load; the reason follows."""
OVERDUE_S = 1.0
"""Seconds after the planned end in which overdue requests are still sent, so that a stall at the end is seen whole."""
BATCH_TICKS = 2
PULSE_TICKS = round(1 / TICK_S)
ENDING_S = 5.0
"""Seconds that the processes get to end by themselves, after the last time-out."""
CLOSING_S = 2.0
"""Seconds that the processes get for their last report."""


class Conductor:
    """Times are seconds since the load began."""

    def __init__(self, environment: Any, plan: Plan) -> None:
        self.environment, self.plan = environment, plan
        self._over, self._all_done = Event(), Event()
        self._file = Path(plan.samples_path).open("wb")  # noqa: SIM115 - closed by `_close`
        self._tally = Tally(TICK_S)
        self._until: dict[str, float] = {}
        """For each process up to when it has reported."""
        self._done: set[str] = set()
        self._started = 0.0
        self._closed = False
        self._ending = Ending(requests=0, at_s=0.0)
        environment.runner.register_message(REPORT, self._on_report)
        environment.runner.register_message(STRANGER, self._on_stranger)
        environment.events.spawning_complete.add_listener(self._begin)
        environment.events.worker_connect.add_listener(self._on_late_worker)
        environment.events.quitting.add_listener(self._on_quitting)
        gevent.spawn(self._listen)
        if isinstance(environment.runner, MasterRunner):
            tell(Listening(port=environment.runner.server.port))

    def now(self) -> float:
        return time.perf_counter() - self._started

    def _begin(self, **_: Any) -> None:
        """All users are there. Locust says so again whenever it has moved some; only the first time counts."""
        if self._until:
            return
        processes = sorted(self._alive())
        self._until = dict.fromkeys(processes, 0.0)
        self._ending = self._ending.model_copy(update={"workers": len(processes)})
        plan = self.plan.model_copy(update={"workers": len(processes), "samples_path": ""}).model_dump_json()
        self._started = time.perf_counter()
        for worker, process in enumerate(processes):
            self.environment.runner.send_message(BEGIN, {"plan": plan, "worker": worker}, process)
        gevent.spawn(self._conduct)

    def _alive(self) -> set[str]:
        runner = self.environment.runner
        if not isinstance(runner, MasterRunner):
            return {"local"}
        clients = runner.clients
        return {client.id for client in (*clients.ready, *clients.spawning, *clients.running)}

    def _conduct(self) -> None:
        last_s = self.plan.end_s + OVERDUE_S + self.plan.timeout_s + ENDING_S
        for tick in itertools.count(1):
            if self._over.wait(TICK_S):
                break
            if self.now() > last_s:
                missed = len(set(self._until) - self._done)
                words = (
                    f"{missed} of {len(self._until)} load generators did not end in time: their machines are too busy"
                )
                self._stop(stopped=ErrorKind.TOOL_FAILED, detail=words)
                break
            self._tally.tick()
            self._look_for_the_dead()
            self._look_for_the_lost()
            if tick % BATCH_TICKS == 0:
                self._tell_batch()
            if tick % PULSE_TICKS == 0:
                rate, p95_ms = self._tally.last_second()
                tell(Pulse(at_s=self.now(), rate=rate, p95_ms=p95_ms))
        self._close()
        self.environment.runner.quit()

    def _on_report(self, *, msg: Any, **_: Any) -> None:
        process, report = msg.node_id, msg.data
        if process not in self._until or process in self._done or self._closed:
            return
        rows: bytes = report["rows"]
        self._file.write(rows)
        self._tally.add(rows)
        self._until[process] = report["until_s"]
        for arm, failure, words in report["examples"]:
            kept = self._ending.examples if arm == Arm.CANDIDATE else self._ending.baseline_examples
            kept.setdefault(failure, words)
        if report["done"]:
            self._done.add(process)
            if self._done >= set(self._until):
                self._all_done.set()
                self._over.set()

    def _on_stranger(self, *, msg: Any, **_: Any) -> None:
        self._stop(stopped=ErrorKind(msg.data["kind"]), detail=msg.data["words"], arm=Arm(msg.data["arm"]))

    def _on_late_worker(self, **_: Any) -> None:
        if self._until:
            self._stop(
                stopped=ErrorKind.TOOL_FAILED,
                detail="a worker joined after the load had begun; start as many workers as are expected, and no more",
            )

    def _on_quitting(self, **_: Any) -> None:
        """Locust ends, whoever has told it to: the stage must not be left without an ending."""
        self._look_for_the_lost()
        if self._until and not self._over.is_set():
            self._stop(stopped=ErrorKind.TOOL_FAILED, detail="the load generator was ended from outside")
        if self._until:
            self._close()

    def _look_for_the_dead(self) -> None:
        gone = self._tally.dead(self.plan.arms)
        if len(gone) > 1:
            words = "; ".join(f"{arm.words}: {seen}" for arm, seen in gone.items())
            self._stop(stopped=ErrorKind.UNREACHABLE, detail=words)
        for arm, seen in gone.items():
            self._stop(stopped=ErrorKind.UNREACHABLE, detail=seen, arm=arm)

    def _look_for_the_lost(self) -> None:
        lost = set(self._until) - self._done - self._alive()
        if lost and not self._over.is_set():
            self._stop(
                stopped=ErrorKind.TOOL_FAILED,
                detail=f"{len(lost)} of {len(self._until)} load generators were lost, and with them some of the load; "
                "look whether their machines had too little memory, and run it again",
                lost=len(lost),
            )

    def _listen(self) -> None:
        """Hear on standard input when it is enough. Its end is the end of the stage: nobody wants the load any more."""
        descriptor, heard = sys.stdin.fileno(), b""
        make_nonblocking(descriptor)
        while said := nb_read(descriptor, 4096):
            heard += said
            *lines, heard = heard.split(b"\n")
            for line in lines:
                if (words := line.decode(errors="replace")).startswith(ENOUGH):
                    self._stop(decided=words.removeprefix(ENOUGH))
        if self._until:
            self._stop(stopped=ErrorKind.TOOL_FAILED, detail="whoever had asked for the load has gone")
        else:
            self.environment.runner.quit()

    def _stop(self, **why: Any) -> None:
        """Stop before the planned end; the first reason counts."""
        if not self._over.is_set():
            self._ending = self._ending.model_copy(update=why)
            self._over.set()

    def _tell_batch(self) -> None:
        self._file.flush()
        tell(Batch(samples=self._file.tell() // SAMPLE.size, until_s=min(self._until.values())))

    def _close(self) -> None:
        if self._closed:
            return
        at_s = self.now()
        self._over.set()
        self.environment.runner.send_message(STOP)
        left = gevent.spawn(self._all_done.wait)
        left.join(CLOSING_S if not self._ending.lost else CLOSING_S / 2)
        self._closed = True
        self._file.close()
        requests = Path(self.plan.samples_path).stat().st_size // SAMPLE.size
        until_s = min(self._until.values())
        tell(self._ending.model_copy(update={"requests": requests, "at_s": at_s, "until_s": until_s}))


def tell(message: Message) -> None:
    # When nobody listens any more, the end of standard input says so as well, and ends the load.
    with contextlib.suppress(BrokenPipeError):
        print(to_line(message), flush=True)  # noqa: T201 - the stage reads it
