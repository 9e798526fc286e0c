"""Dangerous constructs in Python sources, by bandit.

Bandit exits 0 when a file cannot be parsed or is not there: its JSON names both, and must name every file asked for.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ci.config.shape.security import Code
from ci.errors import CannotRun, NotApplicable
from ci.model import CheckSpec, ErrorKind, Severity
from ci.security.scanners.programs import parsed, start, wrong_shape
from ci.security.scanners.repository import Repository
from ci.security.scanners.scanner import Examined, Hit, Scanner

SPEC = CheckSpec(
    id="security/python-code",
    title="The Python sources use no construct that is known to be dangerous",
    severity=Severity.MEDIUM,
    why="A shell built of a user's words, an unsafe deserialiser or an unchecked certificate gives the server away.",
    remediation="Follow the link in the finding. For a use that is safe write `# nosec B123` and why beside it, "
    "or waive the finding with an owner, a reason and an expiry date.",
    references=("OWASP Top 10 2021: A03 Injection", "CWE-94", "CWE-502", "https://bandit.readthedocs.io/"),
    timeout_s=300,
)
BATCH = 500
"""Files on one command line."""
_SEVERITIES = {"LOW": Severity.LOW, "MEDIUM": Severity.MEDIUM, "HIGH": Severity.HIGH}


async def look(repository: Repository, code: Code) -> Examined:
    files = repository.named("*.py", "*.pyw")
    if not files:
        raise NotApplicable("there is no Python source in the repository")
    hits: list[Hit] = []
    lines = allowed = 0
    for begin in range(0, len(files), BATCH):
        batch = files[begin : begin + BATCH]
        found, examined, nosec = await _scan(repository, code, batch)
        hits += found
        lines += examined
        allowed += nosec
    told = f"bandit parsed {len(files)} files with {lines} lines"
    return Examined((told + (f", of which {allowed} are silenced by nosec comments" if allowed else ""),), tuple(hits))


async def _scan(repository: Repository, code: Code, files: tuple[str, ...]) -> tuple[list[Hit], int, int]:
    """What bandit finds in these files, the lines that it read, and the comments that silenced it."""
    done = await start(
        *("bandit", "--quiet", "--format", "json", "--severity-level", code.python_severity),
        # What git tracks is all that is named here. Bandit's own list leaves out .github as well, for its `.git`.
        *("--exclude", "./.git/", "--"),
        *(f"./{name}" for name in files),
        timeout_s=code.timeout.total_seconds(),
        cwd=repository.root,
        ok=(0, 1),
    )
    report = parsed(done)
    try:
        errors = [f"{_plain(error['filename'])} ({error['reason']})" for error in report["errors"]]
        metrics = {_plain(name): numbers for name, numbers in report["metrics"].items()}
        hits = [_hit(item) for item in report["results"]]
        lines = sum(metrics[name]["loc"] for name in files if name in metrics)
        allowed = sum(metrics[name]["nosec"] + metrics[name]["skipped_tests"] for name in files if name in metrics)
    except (KeyError, TypeError, AttributeError) as error:
        raise wrong_shape("bandit", error) from error
    if errors:
        message = f"bandit could not parse {'; '.join(errors[:3])}: mend the file, or name it in security.code.exclude"
        raise CannotRun(ErrorKind.BAD_OUTPUT, message)
    if missing := [name for name in files if name not in metrics]:
        raise CannotRun(ErrorKind.NO_DATA, f"bandit has not examined {len(missing)} files, {missing[0]} for one")
    return hits, lines, allowed


def _hit(item: dict[str, object]) -> Hit:
    # Bandit quotes the password that it suspects; what stands in quotes is left out of every message.
    said = re.sub(r"(['\"]).*\1", "…", str(item["issue_text"]), flags=re.DOTALL)
    lines = item["line_range"]
    first = int(str(item["line_number"]))
    return Hit(
        path=_plain(str(item["filename"])),
        line=first,
        last_line=max(lines) if isinstance(lines, list) and lines else first,
        rule=str(item["test_id"]),
        message=f"{item['test_id']}: {said} (bandit is {str(item['issue_confidence']).lower()} in confidence; "
        f"{item['more_info']})",
        severity=_SEVERITIES[str(item["issue_severity"])],
        content=_without_numbers(str(item["code"]), first),
    )


def _without_numbers(code: str, line: int) -> str:
    """The line itself out of bandit's excerpt, which numbers its lines and shows some around it."""
    numbered = re.findall(rf"^{line} (.*)$", code, re.MULTILINE)
    return numbered[0] if numbered else code


def _plain(name: str) -> str:
    return str(PurePosixPath(name))


SCANNER = Scanner(SPEC, look)
