"""Weak points of GitHub Actions workflows, by zizmor, without any network.

Zizmor skips a file that it cannot parse unless told otherwise; it names each that it has audited.
"""

from __future__ import annotations

import re
from typing import Any

from ci.config.shape.security import Code
from ci.errors import CannotRun, NotApplicable
from ci.model import CheckSpec, ErrorKind, Severity
from ci.security.scanners.programs import parsed, start, wrong_shape
from ci.security.scanners.repository import Repository
from ci.security.scanners.scanner import Examined, Hit, Scanner

SPEC = CheckSpec(
    id="security/workflows",
    title="The workflows give nothing away and run nobody else's code with the project's rights",
    severity=Severity.HIGH,
    why="A workflow holds the deployment's secrets; a template injection or a moved tag hands them to a stranger.",
    remediation="Follow the link in the finding: pin actions to a commit, grant each job the least permissions, "
    "pass what users write through `env`, and check out without persisted credentials.",
    references=(
        "https://docs.zizmor.sh/audits/",
        "OWASP Top 10 CI/CD Security Risks: CICD-SEC-4 Poisoned Pipeline Execution",
        "CWE-1357",
        "https://docs.github.com/actions/reference/security/secure-use",
    ),
    timeout_s=300,
)
FINDINGS = (11, 12, 13, 14)
"""Exit codes that tell the worst severity found."""
_SEVERITIES = {
    "Informational": Severity.INFO,
    "Low": Severity.LOW,
    "Medium": Severity.MEDIUM,
    "High": Severity.HIGH,
}


async def look(repository: Repository, code: Code) -> Examined:
    files = repository.named(".github/workflows/*.yml", ".github/workflows/*.yaml", "action.yml", "action.yaml")
    if not files:
        raise NotApplicable("there is no workflow in .github/workflows, and no action.yml")
    done = await start(
        *("zizmor", "--offline", "--strict-collection", "--no-progress", "--format", "json", "--", *files),
        timeout_s=code.timeout.total_seconds(),
        cwd=repository.root,
        ok=(0, *FINDINGS),
        GITHUB_ACTIONS="",
    )
    audited = set(re.findall(r"completed (.+)$", done.stderr, re.MULTILINE))
    if missing := [name for name in files if name not in audited]:
        raise CannotRun(ErrorKind.NO_DATA, f"zizmor has not audited {len(missing)} files, {missing[0]} for one")
    found = parsed(done)
    if not isinstance(found, list):
        raise CannotRun(ErrorKind.BAD_OUTPUT, "zizmor printed an answer that is no list of findings")
    try:
        hits = tuple(_hit(item) for item in found if not item["ignored"])
        ignored = sum(item["ignored"] for item in found)
    except (KeyError, TypeError, StopIteration) as error:
        raise wrong_shape("zizmor", error) from error
    told = f"zizmor audited {len(files)} files: {', '.join(files[:10])}"
    return Examined((told + (f"; {ignored} findings are ignored by comments" if ignored else ""),), hits)


def _hit(item: dict[str, Any]) -> Hit:
    primary = next(place for place in item["locations"] if place["symbolic"]["kind"] == "Primary")
    local = primary["symbolic"]["key"]["Local"]
    where = primary["concrete"]["location"]
    first, last = where["start_point"]["row"] + 1, where["end_point"]["row"] + 1
    annotation = primary["symbolic"]["annotation"]
    return Hit(
        path=local["verbatim_path"].removeprefix("./"),
        line=first,
        last_line=last,
        rule=item["ident"],
        message=f"{item['ident']}: {item['desc']}: {annotation} ({item['url']})",
        severity=_SEVERITIES.get(item["determinations"]["severity"], SPEC.severity),
        content=primary["concrete"]["feature"],
    )


SCANNER = Scanner(SPEC, look)
