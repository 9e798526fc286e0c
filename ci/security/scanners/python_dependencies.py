"""Known vulnerabilities of the Python packages that are installed, by pip-audit over OSV's advisories.

Pip-audit is content with an empty answer of the service: a package that is known to be vulnerable goes with every
question, and an answer that does not find fault with it is no answer.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ci.config.shape.security import Code
from ci.engine.tools import ToolRun
from ci.errors import CannotRun, NotApplicable
from ci.model import CheckSpec, ErrorKind, Severity
from ci.security.scanners.pins import LOCKS, REQUIREMENTS, Listing, Pin, read_lock, read_requirements
from ci.security.scanners.programs import ANY_EXIT, parsed, start, wrong_shape
from ci.security.scanners.repository import Repository
from ci.security.scanners.scanner import Examined, Hit, Scanner

SPEC = CheckSpec(
    id="security/python-dependencies",
    title="No Python package that is installed has a known vulnerability",
    severity=Severity.HIGH,
    why="A published vulnerability comes with instructions; scanners of attackers find it within hours.",
    remediation="Raise the package to a fixed version in the requirements or lock file and renew the lock. "
    "When there is no fixed version yet, waive the finding with an owner, a reason and an expiry date.",
    references=("OWASP Top 10 2021: A06 Vulnerable and Outdated Components", "CWE-1395", "https://osv.dev/"),
    timeout_s=300,
)
CANARIES = (("pycrypto", "2.6.1"), ("jinja2", "2.4.1"))
"""Releases with advisories that will not go away: PYSEC-2017-94 and PYSEC-2019-217."""
BATCH = 60
"""Packages that one process asks about, one after the other."""
AT_ONCE = 4


@dataclass(slots=True)
class _Batch:
    """Packages of different names, as pip-audit wants them, and the canary among them."""

    canary: tuple[str, str]
    asked: dict[str, str] = field(default_factory=dict)

    def takes(self, name: str, version: str) -> bool:
        """Add the package, unless it has no room here."""
        if name == self.canary[0] or len(self.asked) >= BATCH or self.asked.get(name, version) != version:
            return False
        self.asked[name] = version
        return True


async def look(repository: Repository, code: Code) -> Examined:
    files = dict.fromkeys(repository.named(*REQUIREMENTS, *LOCKS))
    if not files:
        _demand_no_dependencies(repository)
        raise NotApplicable("there is no requirements or lock file of Python packages in the repository")
    pins: list[Pin] = []
    for path in files:
        pins += await _pins(repository, code, path)
    told = f"pip-audit asked {code.osv_url} about {len({(_canonical(pin.name), pin.version) for pin in pins})} releases"
    vulnerable = await _ask(repository.root, code, pins)
    hits = tuple(
        _hit(pin, advisory) for pin in pins for advisory in vulnerable.get((_canonical(pin.name), pin.version), ())
    )
    return Examined((f"{told} in {', '.join(files)}, and beside them about one that is known to be vulnerable",), hits)


def _demand_no_dependencies(repository: Repository) -> None:
    """Dependencies without a lock are installed unseen."""
    import tomllib

    for path in repository.named("pyproject.toml"):
        try:
            project = tomllib.loads(repository.read(path))
        except tomllib.TOMLDecodeError as error:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"{path} is not valid TOML: {error}") from error
        if project.get("project", {}).get("dependencies") or project.get("tool", {}).get("poetry", {}).get(
            "dependencies"
        ):
            message = f"{path} names dependencies, but no lock says which versions are installed: commit one"
            raise CannotRun(ErrorKind.NO_DATA, message)


async def _pins(repository: Repository, code: Code, path: str) -> Sequence[Pin]:
    """The releases that this file installs; what it leaves open is what pip would install today."""
    listing = _listing(repository, path)
    return await _resolved(repository, code, path, listing) if listing.ranges else listing.pins


def _listing(repository: Repository, path: str) -> Listing:
    if path.endswith(".txt"):
        return read_requirements(repository.root, path)
    return read_lock(repository.read(path), path)


async def _resolved(repository: Repository, code: Code, path: str, listing: Listing) -> Sequence[Pin]:
    # Wheels alone: building a package would run its code here.
    done = await start(
        *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"),
        *("--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "-r", path),
        timeout_s=code.timeout.total_seconds(),
        cwd=repository.root,
        ok=ANY_EXIT,
    )
    if done.exit_code:
        words = done.stderr.strip().splitlines()[-1:] or ["no output"]
        message = f"{path} leaves versions open ({listing.ranges[0]}), and pip could not tell them: {words[0]}"
        raise CannotRun(ErrorKind.TOOL_FAILED, f"{message}. Pin every version, or let pip reach its index")
    lines = {_canonical(name): number for number, name in _names_by_line(repository.read(path))}
    try:
        installs = [item["metadata"] for item in parsed(done)["install"]]
        return [Pin(m["name"], m["version"], path, lines.get(_canonical(m["name"]), 1)) for m in installs]
    except (KeyError, TypeError) as error:
        raise wrong_shape("pip", error) from error


def _names_by_line(text: str) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if match := re.match(r"\s*([A-Za-z0-9][\w.-]*)", line):
            yield number, match[1]


async def _ask(folder: Path, code: Code, pins: Sequence[Pin]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The advisories about each of these releases."""
    batches = batched((_canonical(pin.name), pin.version) for pin in pins)
    places = asyncio.Semaphore(AT_ONCE)
    with TemporaryDirectory(prefix="gonogo-pins-") as scratch:

        async def ask(number: int, batch: _Batch) -> dict[tuple[str, str], list[dict[str, Any]]]:
            listed = Path(scratch) / f"{number}.txt"
            listed.write_text("".join(f"{n}=={v}\n" for n, v in [batch.canary, *batch.asked.items()]), encoding="utf-8")
            async with places:
                return _answer(await _audit(code, listed, folder), batch)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(number, batch)) for number, batch in enumerate(batches)]
    return {release: found for task in tasks for release, found in task.result().items()}


def batched(releases: Iterable[tuple[str, str]]) -> list[_Batch]:
    """Every release in one batch; at least one batch, so that the service is always asked something."""
    batches = [_Batch(CANARIES[0])]
    for name, version in dict.fromkeys(releases):
        if not any(batch.takes(name, version) for batch in batches):
            fresh = _Batch(next(canary for canary in CANARIES if canary[0] != name))
            fresh.takes(name, version)
            batches.append(fresh)
    return batches


async def _audit(code: Code, listed: Path, folder: Path) -> ToolRun:
    return await start(
        *("pip-audit", "--strict", "--vulnerability-service", "osv", "--osv-url", code.osv_url, "--no-deps"),
        *("--disable-pip", "--format", "json", "--progress-spinner", "off", "--requirement", listed),
        timeout_s=code.timeout.total_seconds(),
        cwd=folder,
        ok=ANY_EXIT,
    )


def _answer(done: ToolRun, batch: _Batch) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The advisories by release. Raises CannotRun unless every package that was asked about is answered for."""
    if done.exit_code not in {0, 1} or not done.stdout.strip():
        raise _no_answer(done)
    try:
        answered = {_canonical(item["name"]): item for item in parsed(done)["dependencies"]}
        skipped = [f"{name} ({item['skip_reason']})" for name, item in answered.items() if "skip_reason" in item]
        if skipped:
            raise CannotRun(ErrorKind.NO_DATA, f"pip-audit has not audited {'; '.join(skipped[:3])}")
        wanted = {batch.canary[0]: batch.canary[1], **batch.asked}
        if missing := [name for name, version in wanted.items() if not _is_about(answered.get(name), version)]:
            raise CannotRun(
                ErrorKind.NO_DATA, f"pip-audit has no answer for {len(missing)} packages: {missing[0]} for one"
            )
        if not answered[batch.canary[0]]["vulns"]:
            message = (
                f"the advisory service finds no fault with {'=='.join(batch.canary)}, which is known to be vulnerable: "
                "its answers are empty. Look at security.code.osv_url and at what stands between"
            )
            raise CannotRun(ErrorKind.NO_DATA, message)
        return {(name, version): _distinct(answered[name]["vulns"]) for name, version in batch.asked.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise wrong_shape("pip-audit", error) from error


def _no_answer(done: ToolRun) -> CannotRun:
    words = (done.stderr.strip().splitlines() or ["no output"])[-1][:400]
    reached = not re.search(r"Connect|Timeout|resolve|HTTPError|ServiceError|JSONDecode", done.stderr)
    kind = ErrorKind.TOOL_FAILED if reached else ErrorKind.UNREACHABLE
    next_step = "try again, or name another service in security.code.osv_url"
    return CannotRun(kind, f"the advisory service gave pip-audit no answer that can be used ({next_step}): {words}")


def _is_about(item: dict[str, Any] | None, version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return item is not None and Version(item["version"]) == Version(version)
    except InvalidVersion:
        return False


def _distinct(advisories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that tell of the same vulnerability by another name."""
    known: set[str] = set()
    kept = []
    for advisory in sorted(advisories, key=lambda a: str(a["id"])):
        names = {advisory["id"], *advisory["aliases"]}
        if not names & known:
            kept.append(advisory)
        known |= names
    return kept


def _hit(pin: Pin, advisory: dict[str, Any]) -> Hit:
    names = ", ".join([advisory["id"], *advisory["aliases"]])
    fixed = ", ".join(advisory["fix_versions"])
    mend = f"fixed in {fixed}" if fixed else "there is no fixed version yet"
    return Hit(
        path=pin.path,
        line=pin.line,
        rule=advisory["id"],
        message=f"{pin.name} {pin.version} is vulnerable ({names}); {mend}",
        severity=SPEC.severity,
        content=_canonical(pin.name),
    )


def _canonical(name: str) -> str:
    """A package's one name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


SCANNER = Scanner(SPEC, look)
