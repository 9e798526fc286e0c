"""How old the locks have become: every pin beside what the resolver would choose today, and chose before."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.version import Version

from ci.engine.gfm import code
from ci.engine.tools import run_tool
from ci.errors import CannotRun
from ci.model import ErrorKind

RESOLVE = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--no-header", "--no-annotate")
EVERYTHING = ("pyproject.toml", "--extra", "rehearsal", "--group", "dev")
"""As `make lock` makes the largest lock, of which the others are parts."""
RESOLVE_S = 300.0
ANSWER_SHARE = 0.9
"""A resolution that knows fewer of the pinned packages than this share says nothing about the locks."""
PATIENCE = timedelta(days=60)
"""How long a newer release may go unused; Dependabot proposes it within two weeks."""

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lag:
    """A package that the locks could have in a newer version."""

    name: str
    pinned: Version
    newest: Version
    overdue: bool
    """A newer version could have been had before PATIENCE began."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What became of the comparison."""

    compared: int
    lags: tuple[Lag, ...]

    @property
    def overdue(self) -> tuple[Lag, ...]:
        return tuple(lag for lag in self.lags if lag.overdue)


def pins(texts: Iterable[str]) -> dict[str, Version]:
    """Every pinned package with its version; the lowest, where two locks or two markers have several."""
    found: dict[str, Version] = {}
    for text in texts:
        for name, told in _PIN.findall(text):
            version = Version(told)
            key = re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
            found[key] = min(version, found.get(key, version))
    return found


async def freshness(root: Path, today: date | None = None) -> Freshness:
    """Compare the locks of the repository at `root` with two resolutions by uv, at the index that uv is set to.

    Raises CannotRun when there is nothing to compare, or uv gives no answer.
    """
    pinned = pins(path.read_text(encoding="utf-8") for path in sorted((root / "requirements").glob("*.txt")))
    if not pinned:
        raise CannotRun(ErrorKind.NO_DATA, f"no lock in {root / 'requirements'} pins anything")
    before = (today or datetime.now(UTC).date()) - PATIENCE
    newest, patient = await asyncio.gather(_resolved(root, *EVERYTHING), _resolved_before(root, pinned, before))
    known = pinned.keys() & newest.keys()
    if len(known) < ANSWER_SHARE * len(pinned):
        raise CannotRun(ErrorKind.NO_DATA, f"uv has resolved {len(known)} of {len(pinned)} pinned packages alone")
    return Freshness(len(known), tuple(_lags({name: pinned[name] for name in sorted(known)}, newest, patient)))


async def _resolved(root: Path, *options: str) -> dict[str, Version]:
    run = await run_tool([*RESOLVE, "--upgrade", *options], timeout_s=RESOLVE_S, cwd=root)
    return pins([run.stdout])


async def _resolved_before(root: Path, names: Iterable[str], day: date) -> dict[str, Version]:
    """The same packages as they could be had on that day, whatever pyproject.toml has come to demand since."""
    with TemporaryDirectory(prefix="gonogo-freshness-") as folder:
        wanted = Path(folder) / "names.in"
        wanted.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        return await _resolved(root, "--exclude-newer", day.isoformat(), str(wanted))


def _lags(
    pinned: Mapping[str, Version], newest: Mapping[str, Version], patient: Mapping[str, Version]
) -> Iterable[Lag]:
    for name, version in pinned.items():
        if newest[name] > version:
            yield Lag(name, version, newest[name], overdue=patient.get(name, version) > version)


def page(found: Freshness) -> str:
    """For people, in Markdown: the overdue first."""
    lines = [
        "## Fresh dependencies",
        "",
        f"{found.compared} pinned packages were compared; {len(found.lags)} could be newer, "
        f"{len(found.overdue)} of them for more than {PATIENCE.days} days.",
    ]
    if found.lags:
        lines += ["", "| Package | Pinned | Newest | |", "| --- | --- | --- | --- |"]
        lines += [_row(lag) for lag in _ordered(found.lags)]
    return "\n".join(lines) + "\n"


def _ordered(lags: Sequence[Lag]) -> list[Lag]:
    return sorted(lags, key=lambda lag: (not lag.overdue, lag.name))


def _row(lag: Lag) -> str:
    return f"| {code(lag.name)} | {lag.pinned} | {lag.newest} | {'overdue' if lag.overdue else ''} |"
