"""Runs one workflow of one repository under act, on this machine: host mode, offline, with nothing of its environment.

    repository = Repository.make(folder, files, remote="acme/harbour")     # tests.workflows.checkout
    run = await act(Act(workflow="monitoring.yml", event="schedule", repository=repository, secrets={…}), folder)
    assert run.jobs == {"round": "success"}

Whatever the workflow `uses` must have a stand-in in `actions/<name>/action.yml`; one that has none is an error, as is a
runner's label that act does not know: act would skip the job and call that a success. act's own masking is switched
off, so that a secret in a log is seen (`Run.told`); what act does not do at all is checked as policy (`policy.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.workflows.checkout import Repository
from tests.workflows.records import Run, read

BIN = Path(sys.executable).parent
STANDINS = Path(__file__).with_name("actions")
RUNNER = "ubuntu-24.04"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
NOT_UNDERSTOOD = re.compile(r"^ +(queue: max|deployment: false)( +#.*)?\n", re.MULTILINE)
"""Lines that GitHub and its schema know and act does not; what they demand is checked as policy."""
USES = re.compile(
    r"(?:^|[\s{-])uses:\s*['\"]?(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(?P<folder>(?:/[\w./-]+)?)@(?P<ref>[\w.-]+)", re.M
)


@dataclass(frozen=True, kw_only=True)
class Act:
    """One run. `inputs` are those of a dispatch; `actor` is who triggers it; `timeout`: seconds."""

    workflow: str
    event: str
    repository: Repository
    payload: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    actor: str = "tester"
    programs: Path | None = None
    """A folder of programs that the runner has besides the system's own."""
    timeout: float = 300


def for_act(text: str) -> str:
    """A workflow without what act refuses to read, and with this repository's own actions named as act knows them."""
    return re.sub(r"(uses:\s*)\$/", r"\1./", NOT_UNDERSTOOD.sub("", text))


async def act(what: Act, folder: Path) -> Run:
    """Run it, with everything it leaves behind below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _make_home(folder / "home")
    command = [str(BIN / "act"), *_arguments(what, folder)]
    path = f"{what.programs}:{SYSTEM_PATH}" if what.programs else SYSTEM_PATH
    environ = {"PATH": path, "HOME": str(folder / "home"), "LANG": "C.UTF-8", "TMPDIR": str(folder)}
    started = time.monotonic()
    raw = folder / "act.jsonl"
    with raw.open("wb") as out, (folder / "act.stderr").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err, env=environ
        )
        try:
            code = await asyncio.wait_for(process.wait(), what.timeout)
        except BaseException:
            await _end(process)
            raise
    lines = raw.read_text(errors="replace").splitlines()
    return read(lines, what.repository.workflow_name(what.workflow), code, time.monotonic() - started, folder)


def _make_home(home: Path) -> None:
    """An empty one, but for the rules that one scanner compiles at its first start, which takes it ten seconds."""
    compiled = Path.home() / ".cache" / "kingfisher"
    compiled.mkdir(parents=True, exist_ok=True)
    (home / ".cache").mkdir(parents=True, exist_ok=True)
    link = home / ".cache" / "kingfisher"
    if not link.is_symlink():
        link.symlink_to(compiled)


def _arguments(what: Act, folder: Path) -> Iterator[str]:
    def written(name: str, values: Mapping[str, str]) -> str:
        path = folder / name
        path.write_text("".join(f"{key}={json.dumps(str(value))}\n" for key, value in values.items()))
        return str(path)

    payload = {**what.payload, **({"inputs": dict(what.inputs)} if what.event == "workflow_dispatch" else {})}
    (folder / "event.json").write_text(json.dumps(payload))
    for name in ("artifacts", "sarif", "caches"):
        (folder / name).mkdir(exist_ok=True)
    environ = {
        "STANDIN_FOLDER": str(folder),
        "STANDIN_PYTHON": sys.executable,
        "STANDIN_BASE_PYTHON": sys._base_executable,  # type: ignore[attr-defined]  # without the tests' packages
        "STANDIN_PYTHON_VERSION": platform.python_version(),
        "STANDIN_TESTS": str(STANDINS.parents[2]),
        "STANDIN_REPOSITORY": str(what.repository.folder),
        # Steps get a terminal under act and none on GitHub's runners.
        "PAGER": "cat",
        "NO_COLOR": "1",
        "TERM": "dumb",
        **what.environ,
    }
    yield from (what.event, "-C", str(what.repository.folder), "-W", f".github/workflows/{what.workflow}")
    yield from ("-e", str(folder / "event.json"), "--json", "-v", "--rm", "--insecure-secrets")
    yield from ("-P", f"{RUNNER}=-self-hosted", "--no-cache-server", "--action-offline-mode", "--no-skip-checkout")
    yield from ("--action-cache-path", str(folder / "cache"))
    yield from ("--env-file", written("env", environ), "--secret-file", written("secrets", what.secrets))
    yield from ("--var-file", written("vars", what.variables), "--input-file", written("inputs", what.inputs))
    yield from ("--defaultbranch", "main", "--actor", what.actor)
    for action, standin in _standins(what.repository):
        yield from ("--local-repository", f"{action}={standin}")


def _standins(repository: Repository) -> list[tuple[str, Path]]:
    needed = {}
    for path in repository.folder.glob(".github/**/*.yml"):
        for uses in USES.finditer(path.read_text()):
            action = f"{uses['owner']}/{uses['name']}"
            folder = STANDINS / uses["name"]
            if not (folder / uses["folder"].strip("/") / "action.yml").is_file():
                raise AssertionError(f"{path.name}: there is no stand-in for {action}{uses['folder']} in {STANDINS}")
            needed[f"{action}@{uses['ref']}"] = folder
    return sorted(needed.items())


async def _end(process: asyncio.subprocess.Process) -> None:
    """End act and what it has started: its steps lead sessions of their own, so no signal to a group reaches them."""
    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    if process.returncode is None:
        process.kill()
    for child in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    await process.wait()
