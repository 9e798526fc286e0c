"""Secrets in the files of the working tree, tracked or not, by detect-secrets and kingfisher side by side.

Detect-secrets says nothing about a folder that is missing, a file that it cannot read, or one that git does not track:
it is given a copy of every file, told to name each that it opens, and must find a secret that was planted beside them.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ci.config.shape.security import Code
from ci.errors import CannotRun
from ci.model import CheckSpec, ErrorKind, Severity
from ci.security.scanners import kingfisher
from ci.security.scanners.baseline import Baseline, Entry, read_baseline
from ci.security.scanners.programs import ANY_EXIT, parsed, start, wrong_shape
from ci.security.scanners.repository import Repository
from ci.security.scanners.scanner import LEAK, Examined, Hit, Scanner, lines_at
from ci.security.scanners.tree import Tree, copy_tree

SPEC = CheckSpec(
    id="security/secrets-tree",
    title="No file of the repository holds a secret, whether git tracks it or not",
    severity=Severity.CRITICAL,
    why="Whoever can read the code can use a secret in it, and code is copied to many places.",
    remediation="Replace the secret at its issuer first: it must count as known. Then read it from an environment "
    "variable. What is no secret goes into the baseline (`detect-secrets scan > .secrets.baseline`, then "
    "`detect-secrets audit`), or is waived with an owner, a reason and an expiry date.",
    references=(
        "OWASP Secrets Management Cheat Sheet",
        "CWE-798",
        "CWE-540",
        "https://github.com/Yelp/detect-secrets",
        "https://github.com/mongodb/kingfisher",
    ),
    timeout_s=300,
)
CANARY = "gonogo-canary.txt"
SUBRESOURCE_HASH = r"^sha(256|384|512)-[A-Za-z0-9+/=]+$"
"""What pages say of the scripts that they load (W3C Subresource Integrity)."""
NO_SECRETS = (
    SUBRESOURCE_HASH,
    # What JavaScript's `typeof password` is compared with (ECMA-262, section 13.5.3).
    r"^(?:string|number|boolean|object|undefined|function|symbol|bigint)$",
    # Labels, HTML's autofill tokens, placeholders, and the password of a database in every tutorial.
    r"(?i)^(?:(?:new|current|reset|forgot|forgotten)[-_ ])?(?:password|passwd|secret|token|api[-_ ]?key)$",
    r"(?i)^(?:one-time-code|(?:change|replace)[-_ ]?(?:me|this)|your[-_ ].{1,60}|placeholder|postgres)$",
    # Where a form leads: `resetPassword: '/reset-password'`.
    r"^/[a-z/-]{1,80}$",
)
"""Values that stand beside a telling name and are none."""
VAGUE = {"Secret Keyword", "Base64 High Entropy String"}
"""Kinds that tell the least about what was found."""


@dataclass(frozen=True, slots=True)
class _Suspect:
    """What detect-secrets takes for a secret."""

    path: str
    line: int
    kind: str
    hashed: str

    @property
    def entry(self) -> Entry:
        return self.path, self.kind, self.hashed


async def look(repository: Repository, code: Code) -> Examined:
    baseline = read_baseline(repository.root / code.baseline)
    with TemporaryDirectory(prefix="gonogo-tree-") as scratch:
        tree = copy_tree(repository, Path(scratch), without=code.baseline)
        if not tree.texts:
            raise CannotRun(ErrorKind.NO_DATA, "there is no text file in the repository to look for secrets in")
        (tree.root / CANARY).write_text(_canary(), encoding="utf-8")
        async with asyncio.TaskGroup() as group:
            detecting = group.create_task(_detect(tree, code))
            fishing = group.create_task(_fish(tree, code))
        suspects, left = detecting.result()
        matches = fishing.result()
        hits = _hits(tree, suspects, matches, baseline)
    told = [
        f"detect-secrets and kingfisher read {len(tree.texts)} text files ({len(repository.tracked)} files are "
        f"tracked, {len(repository.untracked)} are not, {repository.excluded} are in security.code.exclude) "
        "and found the secret planted beside them",
        f"kingfisher alone read {len(tree.binaries)} binary files, and {left} locks, style sheets and the like",
    ]
    if baseline.accepted:
        unmet = baseline.unmet({suspect.entry for suspect in suspects})
        told.append(f"{code.baseline} accepts {len(baseline.accepted)}, of which {len(unmet)} are there no more")
    return Examined(tuple(told), hits)


def _canary() -> str:
    """Text that both tools must take for a secret; it opens nothing."""
    # In two parts, so that this file is no finding itself.
    return 'bot = "xoxb' + '-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"\n'


async def _detect(tree: Tree, code: Code) -> tuple[tuple[_Suspect, ...], int]:
    """What detect-secrets suspects, and how many files it leaves out by their name, such as locks and style sheets."""
    done = await start(
        *("detect-secrets", "--verbose", "scan", "--no-verify", "--all-files"),
        # Every hash in the repository would be a finding: of 100 that it tells, few are secrets.
        *("--disable-plugin", "HexHighEntropyString"),
        *(argument for pattern in NO_SECRETS for argument in ("--exclude-secrets", pattern)),
        ".",
        timeout_s=code.timeout.total_seconds(),
        cwd=tree.root,
        ok=ANY_EXIT,
    )
    # Its standard error is never repeated: it quotes what it has found.
    if done.exit_code:
        raise CannotRun(ErrorKind.TOOL_FAILED, f"detect-secrets ended with exit code {done.exit_code}")
    report = parsed(done)
    try:
        suspects = tuple(
            _Suspect(Path(name).as_posix(), entry["line_number"], entry["type"], entry["hashed_secret"])
            for name, entries in report["results"].items()
            for entry in entries
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise wrong_shape("detect-secrets", error) from error
    opened = {Path(name).as_posix() for name in re.findall(r"Checking file: (.+)$", done.stderr, re.MULTILINE)}
    passed_over = set(
        re.findall(r'Skipping "(.+)" due to `\S+\.heuristic\.is_(?:lock|swagger|non_text)_file`', done.stderr)
    )
    if missing := [name for name in tree.texts if name not in opened | passed_over]:
        raise CannotRun(ErrorKind.NO_DATA, f"detect-secrets has not read {len(missing)} files, {missing[0]} for one")
    if not any(suspect.path == CANARY for suspect in suspects):
        raise CannotRun(ErrorKind.NO_DATA, "detect-secrets has not found the secret planted to try it")
    return tuple(s for s in suspects if s.path != CANARY), len(passed_over.intersection(tree.texts))


async def _fish(tree: Tree, code: Code) -> tuple[kingfisher.Match, ...]:
    scan = await kingfisher.scan(tree.root, timeout_s=code.timeout.total_seconds())
    wanted = sum(1 for name in (*tree.texts, *tree.binaries, CANARY) if (tree.root / name).stat().st_size)
    if scan.blobs < wanted:
        raise CannotRun(ErrorKind.NO_DATA, f"kingfisher has read {scan.blobs} files, but there are {wanted}")
    if not any(match.path == CANARY for match in scan.matches):
        raise CannotRun(ErrorKind.NO_DATA, "kingfisher has not found the secret planted to try it")
    return tuple(match for match in scan.matches if match.path != CANARY)


def _hits(
    tree: Tree, suspects: tuple[_Suspect, ...], matches: tuple[kingfisher.Match, ...], baseline: Baseline
) -> tuple[Hit, ...]:
    """One hit for each line. What the baseline accepts is none, whichever of the two tools tells of it."""
    kinds: dict[tuple[str, int], list[str]] = {}
    for match in kingfisher.distinct(matches):
        kinds.setdefault((match.path, match.line), []).append(match.name)
    accepted = set()
    for place in {(suspect.path, suspect.line) for suspect in suspects}:
        here = [suspect for suspect in suspects if (suspect.path, suspect.line) == place]
        if all(suspect.entry in baseline.accepted for suspect in here):
            accepted.add(place)
        kinds.setdefault(place, []).extend(sorted((s.kind for s in here), key=lambda kind: (kind in VAGUE, kind)))
    return tuple(_hit(tree, *place, names) for place, names in sorted(kinds.items()) if place not in accepted)


def _hit(tree: Tree, path: str, line: int, kinds: list[str]) -> Hit:
    content = lines_at((tree.root / path).read_text(encoding="utf-8", errors="replace"), line)
    message = f"this looks like a secret ({', '.join(dict.fromkeys(kinds))}); replace it, then remove it"
    return Hit(path, line, LEAK, message, SPEC.severity, content)


SCANNER = Scanner(SPEC, look)
