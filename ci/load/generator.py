"""Running Locust: a plan in, samples and an ending out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from ci.engine.http import BYPASS_VARIABLE
from ci.engine.redaction import SECRET_VARIABLES, Redactor
from ci.engine.tools import run_tool
from ci.errors import CannotRun
from ci.load.plan import PLAN_VARIABLE, Plan
from ci.load.recording import Ending, Pulse, from_line
from ci.model import ErrorKind

STARTUP_S = 30.0
"""Seconds that Locust may take to start and to end."""
SPAWN_RATE = 100
"""Users per second: what one process of Locust bears."""
LOCUSTFILE = Path(__file__).with_name("locustfile.py")


@dataclass(frozen=True, slots=True)
class Recording:
    """What one run of the generator left behind."""

    samples: bytes
    ending: Ending


def time_limit_s(plan: Plan) -> float:
    """Seconds after which the generator has certainly hung."""
    return STARTUP_S + plan.users / SPAWN_RATE + plan.end_s + plan.timeout_s


async def generate(
    plan: Plan,
    *,
    environ: Mapping[str, str],
    bypass: str | None,
    redact: Redactor,
    on_pulse: Callable[[Pulse], None],
) -> Recording:
    """Run the load to its end. `bypass` is the secret that opens the target's deployment protection.

    Raises CannotRun: TOOL_MISSING without Locust, TOOL_FAILED when it crashed, TIMEOUT when it hung,
    BAD_OUTPUT when it ended well but told nothing.
    """
    if find_spec("locust") is None:
        raise CannotRun(ErrorKind.TOOL_MISSING, "Locust is not installed: install the stage's extra, gonogo[load]")
    endings: list[Ending] = []

    def on_line(line: str) -> None:
        match from_line(line):
            case Pulse() as pulse:
                on_pulse(pulse)
            case Ending() as ending:
                endings.append(redact.model(ending))

    with TemporaryDirectory(prefix="gonogo-load-") as name:
        folder = Path(name)
        samples = folder / "samples"
        plan_path = folder / "plan.json"
        plan_path.write_text(plan.model_copy(update={"samples_path": str(samples)}).model_dump_json(), encoding="utf-8")
        run = await run_tool(
            _command(plan),
            timeout_s=time_limit_s(plan),
            cwd=folder,
            env=_environment(environ, bypass, folder) | {PLAN_VARIABLE: str(plan_path)},
            on_line=on_line,
        )
        if not endings:
            words = redact(run.stderr).strip()[-400:] or "it printed nothing"
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"Locust ended without telling how the load went: {words}")
        return Recording(samples=samples.read_bytes(), ending=endings[-1])


def _command(plan: Plan) -> list[str | Path]:
    return [
        *(sys.executable, "-m", "locust", "--headless", "--only-summary"),
        *("--locustfile", LOCUSTFILE),
        *("--users", str(plan.users)),
        *("--spawn-rate", str(min(plan.users, SPAWN_RATE))),
        # Failed requests are for the judge; Locust's exit code is kept for its own troubles.
        *("--exit-code-on-error", "0"),
        *("--loglevel", "WARNING"),
    ]


def _environment(environ: Mapping[str, str], bypass: str | None, home: Path) -> dict[str, str]:
    """Without Locust's own settings, its settings file at home, and secrets that it has no need of."""
    secret = {*SECRET_VARIABLES, BYPASS_VARIABLE}
    kept = {k: v for k, v in environ.items() if k not in secret and not k.startswith("LOCUST_")}
    return kept | {"HOME": str(home)} | ({BYPASS_VARIABLE: bypass} if bypass else {})
