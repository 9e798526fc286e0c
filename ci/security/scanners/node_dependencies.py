"""Known vulnerabilities of the Node.js packages in package-lock.json, by npm audit.

Npm ends with 1 both for a finding and for a network that does not answer: only a report says `auditReportVersion`.
An empty answer of the registry looks like good news: a package that is known to be vulnerable is audited beside.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ci.config.shape.security import Code
from ci.errors import CannotRun, NotApplicable
from ci.model import CheckSpec, ErrorKind, Severity
from ci.security.scanners.pins import line_of
from ci.security.scanners.programs import parsed, start, wrong_shape
from ci.security.scanners.repository import Repository
from ci.security.scanners.scanner import Examined, Hit, Scanner

SPEC = CheckSpec(
    id="security/node-dependencies",
    title="No Node.js package in a package-lock.json has a known vulnerability",
    severity=Severity.HIGH,
    why="A published vulnerability comes with instructions; scanners of attackers find it within hours.",
    remediation="Run `npm audit fix`, or raise the package that brings the vulnerable one, and commit the lock. "
    "When there is no fixed version yet, waive the finding with an owner, a reason and an expiry date.",
    references=(
        "OWASP Top 10 2021: A06 Vulnerable and Outdated Components",
        "CWE-1395",
        "npm Docs: npm-audit",
    ),
    timeout_s=300,
)
LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
OTHER_LOCKS = ("yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb")
CANARY = ("minimist", "0.0.8")
"""A release with advisories that will not go away: CVE-2021-44906."""
_SEVERITIES = {
    "info": Severity.INFO,
    "low": Severity.LOW,
    "moderate": Severity.MEDIUM,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}


async def look(repository: Repository, code: Code) -> Examined:
    locks = repository.named(*LOCKS)
    unseen = _without_a_lock(repository, locks)
    if not locks and not unseen:
        raise NotApplicable("there is no package-lock.json in the repository")
    if not locks:
        raise CannotRun(ErrorKind.NO_DATA, unseen)
    with TemporaryDirectory(prefix="gonogo-canary-") as scratch:
        async with asyncio.TaskGroup() as group:
            canary = group.create_task(_ask_about_canary(Path(scratch), code))
            asked = [group.create_task(_ask(repository, code, lock)) for lock in locks]
    if not canary.result()["vulnerabilities"]:
        message = (
            f"the registry finds no fault with {'@'.join(CANARY)}, which is known to be vulnerable: its answers are "
            "empty. Look at npm's `registry` setting and at what stands between"
        )
        raise CannotRun(ErrorKind.NO_DATA, message)
    hits = tuple(hit for task in asked for hit in task.result()[1])
    if unseen and not hits:
        raise CannotRun(ErrorKind.NO_DATA, unseen)
    total = sum(task.result()[0] for task in asked)
    told = f"npm audit asked about {total} packages in {', '.join(locks)}, and beside them about a vulnerable one"
    return Examined((told, unseen) if unseen else (told,), hits)


def _without_a_lock(repository: Repository, locks: tuple[str, ...]) -> str:
    """The first package.json whose dependencies no lock names that npm can read: they would be installed unseen."""
    locked = {folder for lock in locks for folder in _folders_of(repository, lock)}
    for path in repository.named("package.json"):
        try:
            package = json.loads(repository.read(path))
        except ValueError as error:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"{path} is not valid JSON: {error}") from error
        depends = isinstance(package, dict) and (package.get("dependencies") or package.get("devDependencies"))
        folder = PurePosixPath(path).parent
        if not depends or folder in locked:
            continue
        above = (folder, *folder.parents)
        other = ", ".join(lock for lock in repository.named(*OTHER_LOCKS) if PurePosixPath(lock).parent in above)
        instead = f"{other} cannot be read by npm audit" if other else "nothing says which versions are installed"
        message = f"{path} names dependencies, but {instead}: commit a package-lock.json beside it"
        return f"{message}, or name {SPEC.id} in security.code.leave_out, and audit them by their own tool"
    return ""


def _folders_of(repository: Repository, lock: str) -> Iterator[PurePosixPath]:
    """The folders whose dependencies a lock names: its own, and those of its workspaces."""
    folder = PurePosixPath(lock).parent
    yield folder
    try:
        packages = json.loads(repository.read(lock)).get("packages", {})
        yield from (folder / path for path in packages if "node_modules" not in PurePosixPath(path).parts)
    except (ValueError, TypeError, AttributeError) as error:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{lock} cannot be read as a lock file: {error}") from error


async def _ask_about_canary(folder: Path, code: Code) -> dict[str, Any]:
    name, version = CANARY
    root = {"name": "canary", "version": "1.0.0", "dependencies": {name: version}}
    entry = {"version": version, "resolved": f"https://registry.invalid/{name}-{version}.tgz"}
    packages = {"": root, f"node_modules/{name}": entry}
    lock = {"name": "canary", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "package.json").write_text(json.dumps(root), encoding="utf-8")
    (folder / "package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    return await _audit(folder, code, "the canary")


async def _ask(repository: Repository, code: Code, lock: str) -> tuple[int, tuple[Hit, ...]]:
    """How many packages the lock names, and what is wrong with them."""
    text = repository.read(lock)
    wanted = _package_count(text, lock)
    if not wanted:
        return 0, ()
    report = await _audit(repository.root / PurePosixPath(lock).parent, code, lock)
    try:
        if not report["metadata"]["dependencies"]["total"]:
            raise CannotRun(ErrorKind.NO_DATA, f"{lock} names {wanted} packages, but npm audit has examined none")
        return wanted, tuple(_hits(report, lock, text))
    except (KeyError, TypeError, AttributeError) as error:
        raise wrong_shape("npm audit", error) from error


def _package_count(text: str, lock: str) -> int:
    try:
        content = json.loads(text)
        if "packages" in content:
            return sum(1 for path, entry in content["packages"].items() if path and not entry.get("link"))
        return len(content.get("dependencies", {}))
    except (ValueError, TypeError, AttributeError) as error:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{lock} cannot be read as a lock file: {error}") from error


async def _audit(folder: Path, code: Code, what: str) -> dict[str, Any]:
    done = await start(
        *("npm", "audit", "--json", "--package-lock-only", "--ignore-scripts", "--no-fund", "--no-update-notifier"),
        *(("--registry", code.npm_registry) if code.npm_registry else ()),
        timeout_s=code.timeout.total_seconds(),
        cwd=folder,
        ok=(0, 1),
    )
    report = parsed(done)
    if not isinstance(report, dict) or "auditReportVersion" not in report:
        said = report.get("message", report.get("error")) if isinstance(report, dict) else report
        message = (
            f"the registry gave npm audit no answer about {what}: {str(said)[:300]}; try again, or name a registry "
            "that answers about advisories in security.code.npm_registry"
        )
        raise CannotRun(ErrorKind.UNREACHABLE, message)
    return report


def _hits(report: dict[str, Any], lock: str, text: str) -> Iterator[Hit]:
    """One hit for each advisory about a package; packages that merely bring a vulnerable one are not repeated."""
    for name, entry in report["vulnerabilities"].items():
        for advisory in (item for item in entry["via"] if isinstance(item, dict)):
            known_as = str(advisory["url"]).rsplit("/", 1)[-1]
            fix = entry["fixAvailable"]
            mend = "`npm audit fix` mends it" if fix is True else "there is no fix yet" if not fix else _raise(fix)
            yield Hit(
                path=lock,
                line=_line(text, entry["nodes"]),
                rule=known_as,
                message=f"{name} {advisory['range']} is vulnerable: {advisory['title']} ({advisory['url']}); {mend}",
                severity=_SEVERITIES.get(advisory["severity"], SPEC.severity),
                content=name,
            )


def _raise(fix: dict[str, Any]) -> str:
    return f"raise {fix['name']} to {fix['version']}"


def _line(text: str, nodes: list[str]) -> int:
    version = json.loads(text).get("packages", {}).get(nodes[0], {}).get("version", "") if nodes else ""
    return line_of(text, nodes[0], version) if version else 1


SCANNER = Scanner(SPEC, look)
