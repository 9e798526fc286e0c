"""The evidence folder: what a run leaves behind, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pydantic

from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import ErrorKind, Model, Release, StageReport, Verdict

M = TypeVar("M", bound=Model)
Render = Callable[[Sequence[StageReport], Verdict | None, Release | None], str]

VERDICT_FILE = "verdict.json"
RELEASE_FILE = "release.json"
NOT_REPORTS = {VERDICT_FILE, RELEASE_FILE}


class EvidenceStore:
    """Reads and writes the evidence folder. Every text passes the redactor on its way to the disk."""

    def __init__(self, folder: Path, redact: Redactor) -> None:
        self.folder = folder
        self.redact = redact

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from the folder's journal: two releases would write over each other's.

        The operating system lets go of it with the process, however that ends. Raises CannotRun(MISCONFIGURED) when
        another process has the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            _lock(handle, self.folder)
            yield
        finally:
            os.close(handle)

    def begin(self) -> None:
        """Remove the reports and the verdict of an earlier run, so that they cannot be taken for this one's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.json"):
            if path.name != RELEASE_FILE:
                path.unlink()

    def write_text(self, name: str, text: str) -> Path:
        """Write a file whole: a reader sees the old content or the new, never a part."""
        return self._write(name, self.redact(text).encode())

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write a file that is no text, whole. Nothing redacts it: who makes the content leaves out what is secret."""
        return self._write(name, content)

    def write_rendering(
        self,
        name: str,
        render: Render,
        reports: Sequence[StageReport],
        verdict: Verdict | None,
        release: Release | None,
    ) -> Path:
        """Write what a renderer makes of the redacted facts.

        The finished text is not redacted again: a mask reaches to the end of a line, and would tear markup.
        """
        clean = self.redact.model
        text = render(
            [clean(report) for report in reports],
            clean(verdict) if verdict else None,
            clean(release) if release else None,
        )
        return self._write(name, text.encode())

    def write_report(self, report: StageReport) -> Path:
        return self._write_model(f"{report.stage}.json", report)

    def write_verdict(self, verdict: Verdict) -> Path:
        return self._write_model(VERDICT_FILE, verdict)

    def reports(self) -> tuple[StageReport, ...]:
        """Every stage report in the folder, in the order in which the stages began.

        Raises CannotRun(BAD_OUTPUT) when a file is not a report: a damaged one must not count as absent.
        """
        paths = (path for path in self.folder.glob("*.json") if path.name not in NOT_REPORTS)
        reports = (self._read(path, StageReport) for path in paths)
        return tuple(sorted(reports, key=lambda report: (report.started_at, report.stage)))

    def has_verdict(self) -> bool:
        return (self.folder / VERDICT_FILE).exists()

    def verdict(self) -> Verdict:
        """The verdict in the folder. Raises CannotRun when there is none or it is damaged."""
        path = self.folder / VERDICT_FILE
        if not path.exists():
            raise CannotRun(ErrorKind.NO_DATA, f"there is no {VERDICT_FILE} in {self.folder}: run `gonogo check` first")
        return self._read(path, Verdict)

    def write_release(self, release: Release) -> Path:
        return self._write_model(RELEASE_FILE, release)

    def release(self) -> Release | None:
        """The journal in the folder, if there is one. Raises CannotRun(BAD_OUTPUT) when it is damaged."""
        path = self.folder / RELEASE_FILE
        return self._read(path, Release) if path.exists() else None

    def _write_model(self, name: str, model: Model) -> Path:
        return self._write(name, (self.redact.model(model).model_dump_json(indent=1) + "\n").encode())

    def _read(self, path: Path, kind: type[M]) -> M:
        try:
            return kind.model_validate_json(path.read_bytes())
        except OSError as error:
            problem = f"it cannot be read ({error.strerror})"
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            problem = f"`{where}`: {first['msg']}" if where else first["msg"]
            if where == "schema_version":
                problem += ": another version of Gonogo wrote it; run `gonogo check` again"
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{path} is not a {kind.__name__}: {problem}")

    def _write(self, name: str, content: bytes) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        temporary = self.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(self.folder)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return path


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        told = f"another release is under way in {folder}: wait for its end, or give another folder by --evidence"
        raise CannotRun(ErrorKind.MISCONFIGURED, told) from None
    except OSError:
        return  # a file system without locks: the guards against other machines must do


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
