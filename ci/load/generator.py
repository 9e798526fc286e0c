"""Running Locust: a plan in, samples and an ending out.

A load of one process runs in one Locust. A load of more is made by Locust's own distributed mode: a master that sends
nothing itself, and workers, here as processes or on other machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from ci.engine.http import BYPASS_VARIABLE
from ci.engine.redaction import SECRET_VARIABLES, Redactor
from ci.engine.tools import GRACE_S, ToolRun, run_tool
from ci.errors import CannotRun
from ci.load import access
from ci.load.access import Accesses
from ci.load.messages import Batch, Ending, Listening, Pulse, from_line
from ci.load.plan import PLAN_VARIABLE, Plan
from ci.load.recording import SAMPLE
from ci.model import ErrorKind

STARTUP_S = 30.0
"""Seconds that Locust may take to start and to end."""
JOINING_S = 300.0
"""Seconds that the workers of other machines get to join."""
SPAWN_RATE = 500
"""Users per second and process: they only wait until all are there, so they cost little."""
GAVE_UP = "Gave up waiting for workers"
"""Locust's words when not all workers have joined in time."""
_CANNOT_LISTEN = "Socket bind failure"
LOCUSTFILE = Path(__file__).with_name("locustfile.py")

OnBatch = Callable[[bytes, float], str | None]
"""Told new samples, and up to which start every pair is complete; answers why nothing more need be known, if so."""


@dataclass(frozen=True)
class Address:
    """Where a master waits for workers of other machines."""

    host: str = "127.0.0.1"
    port: int = 5557

    @classmethod
    def of(cls, text: str) -> Address:
        """From `host` or `host:port`."""
        host, _, port = text.rpartition(":") if text.rpartition(":")[2].isdigit() else (text, "", "")
        return cls(host.strip("[]"), int(port) if port else cls.port)


@dataclass(frozen=True, slots=True)
class Recording:
    """What one run of the generator left behind."""

    samples: bytes
    ending: Ending


def time_limit_s(plan: Plan, master: Address | None = None) -> float:
    """Seconds after which the generator has certainly hung."""
    joining_s = JOINING_S if master else STARTUP_S if plan.workers > 1 else 0.0
    return STARTUP_S + joining_s + plan.users / SPAWN_RATE + plan.end_s + plan.timeout_s


async def generate(
    plan: Plan,
    *,
    environ: Mapping[str, str],
    accesses: Accesses,
    redact: Redactor,
    on_pulse: Callable[[Pulse], None],
    on_batch: OnBatch = lambda rows, until_s: None,
    master: Address | None = None,
) -> Recording:
    """Run the load to its end, or until `on_batch` has an answer.

    With `master`, `plan.workers` processes of other machines make it (`work`); else processes of this one.
    Raises CannotRun: TOOL_MISSING without Locust, TOOL_FAILED when it crashed, TIMEOUT when it hung,
    BAD_OUTPUT when it ended well but told nothing.
    """
    demand_locust()
    with TemporaryDirectory(prefix="gonogo-load-") as name:
        folder = Path(name)
        plan = plan.model_copy(update={"samples_path": str(folder / "samples")})
        plan_path = folder / "plan.json"
        plan_path.write_text(plan.model_dump_json(), encoding="utf-8")
        env = environment(environ, accesses, folder) | {PLAN_VARIABLE: str(plan_path)}
        async with _Fleet(0 if master else plan.workers, env, folder, time_limit_s(plan)) as fleet:
            listener = _Listener(Path(plan.samples_path), redact, on_pulse, on_batch, fleet.set_out)
            try:
                run = await run_tool(
                    _conducting(plan, master),
                    timeout_s=time_limit_s(plan, master),
                    cwd=folder,
                    env=env,
                    on_line=listener,
                    conversing=True,
                )
            except CannotRun as error:
                if master and _CANNOT_LISTEN in str(error):
                    told = f"{master.host}:{master.port} cannot be listened at: give --master a port that is free here"
                    raise CannotRun(ErrorKind.MISCONFIGURED, told) from None
                raise _missing(plan, master) if GAVE_UP in str(error) else error from None
        if listener.ending is None:
            words = redact(run.stderr).strip()[-400:] or "it printed nothing"
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"Locust ended without telling how the load went: {words}")
        return Recording(samples=listener.samples.read_bytes(), ending=listener.ending)


async def work(master: Address, *, environ: Mapping[str, str], accesses: Accesses, timeout_s: float) -> ToolRun:
    """Be a worker of a master elsewhere, until that ends the load. Raises CannotRun as `generate` does."""
    demand_locust()
    with TemporaryDirectory(prefix="gonogo-load-") as name:
        folder = Path(name)
        env = environment(environ, accesses, folder)
        return await run_tool(_working(master), timeout_s=timeout_s, cwd=folder, env=env)


def _missing(plan: Plan, master: Address | None) -> CannotRun:
    limit_s = JOINING_S if master else STARTUP_S
    where = f"start {plan.workers} with `gonogo load run --worker`" if master else "this machine was too busy"
    return CannotRun(
        ErrorKind.TOOL_FAILED,
        f"not all of the {plan.workers} workers that load.workers wants have joined within {limit_s:g} s: {where}",
    )


def demand_locust() -> None:
    if find_spec("locust") is None:
        raise CannotRun(ErrorKind.TOOL_MISSING, "Locust is not installed: install the stage's extra, gonogo[load]")


@dataclass(slots=True)
class _Listener:
    """Hears the lines of Locust's process, reads the samples that they announce, and gives back when it is enough."""

    samples: Path
    redact: Redactor
    on_pulse: Callable[[Pulse], None]
    on_batch: OnBatch
    on_port: Callable[[int], None]
    ending: Ending | None = None
    read: int = 0
    """Bytes of the samples that were passed on."""
    decided: bool = False

    def __call__(self, line: str) -> str | None:
        match from_line(line):
            case Listening(port=port):
                self.on_port(port)
            case Pulse() as pulse:
                self.on_pulse(pulse)
            case Batch() as batch:
                return self._take(batch)
            case Ending() as ending:
                self.ending = self.redact.model(ending)
        return None

    def _take(self, batch: Batch) -> str | None:
        if self.decided:
            return None
        with self.samples.open("rb") as file:
            file.seek(self.read)
            rows = file.read(batch.samples * SAMPLE.size - self.read)
        self.read += len(rows)
        why = self.on_batch(rows, batch.until_s)
        self.decided = why is not None
        return f"enough {' '.join(why.split())}" if why is not None else None


class _Fleet:
    """The workers of this machine: set out when their master waits for them, and gone when it has ended."""

    def __init__(self, size: int, env: Mapping[str, str], folder: Path, limit_s: float) -> None:
        self._size, self._env, self._folder, self._limit_s = size, env, folder, limit_s
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    def set_out(self, port: int) -> None:
        self._workers = [asyncio.create_task(self._work(port)) for _ in range(self._size)]

    async def _work(self, port: int) -> None:
        """A worker that fails is missed by its master, which tells of it; so its failure is not told here once more."""
        with contextlib.suppress(CannotRun):
            await run_tool(_working(Address(port=port)), timeout_s=self._limit_s, cwd=self._folder, env=self._env)

    async def __aexit__(self, *failure: object) -> None:
        if self._workers and failure[0] is None:
            await asyncio.wait(self._workers, timeout=GRACE_S)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)


def _conducting(plan: Plan, master: Address | None) -> list[str | Path]:
    processes = plan.workers if master or plan.workers > 1 else 1
    command: list[str | Path] = [
        *(*_locust(), "--headless", "--only-summary"),
        *("--users", str(plan.users_here)),
        *("--spawn-rate", str(min(plan.users_here, SPAWN_RATE * processes))),
    ]
    if not master and plan.workers == 1:
        return command
    at = master or Address(port=0)
    waiting_s = JOINING_S if master else STARTUP_S
    return [
        *(*command, "--master", "--expect-workers", str(plan.workers)),
        *("--master-bind-host", at.host, "--master-bind-port", str(at.port)),
        *("--expect-workers-max-wait", str(round(waiting_s))),
    ]


def _working(master: Address) -> list[str | Path]:
    return [*_locust(), "--worker", "--master-host", master.host, "--master-port", str(master.port)]


def _locust() -> list[str | Path]:
    return [
        *(sys.executable, "-m", "locust", "--locustfile", LOCUSTFILE),
        # Failed requests are for the judge; Locust's exit code is kept for its own troubles.
        *("--exit-code-on-error", "0"),
        *("--loglevel", "WARNING"),
    ]


def environment(environ: Mapping[str, str], accesses: Accesses, home: Path) -> dict[str, str]:
    """Without Locust's own settings, its settings file at home, and secrets that it has no need of."""
    secret = {*SECRET_VARIABLES, BYPASS_VARIABLE}
    kept = {k: v for k, v in environ.items() if k not in secret and not k.startswith("LOCUST_")}
    return kept | {"HOME": str(home), access.ACCESS_VARIABLE: access.to_variable(accesses)}
