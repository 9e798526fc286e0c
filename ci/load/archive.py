"""A load on disk: everything that is needed to judge it again, in one compressed file.

The file is a ZIP archive: `load.json` tells what was asked for and how it ended, and each column of the samples is a
member of its own, because alike numbers compress well. A ZIP's checksums and its directory at the end tell a damaged
or truncated file apart. It holds neither headers nor bodies of requests, so no secret of them.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic

from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.load.demands import Demands
from ci.load.load_run import LoadRun, merge
from ci.load.messages import Ending
from ci.load.plan import Limits, Plan
from ci.load.samples import DTYPE, Samples
from ci.model import ErrorKind, Model, Subject

FILE = "load-samples.zip"
HEADER = "load.json"
VERSION = 1
MOST_SAMPLES = 50_000_000
"""More than this are never read: a file that claims so is no honest one."""
MOST_HEADER_BYTES = 10_000_000


class Header(Model):
    """What the samples are of."""

    format: Literal["gonogo load samples"] = "gonogo load samples"
    version: int = VERSION
    subject: Subject
    started_at: datetime
    finished_at: datetime
    plan: Plan
    limits: Limits
    demands: Demands
    inconclusive: Literal["hold", "accept"]
    ending: Ending


class Recorded(Model):
    """A load that was read back."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True, frozen=True)

    subject: Subject
    started_at: datetime
    finished_at: datetime
    run: LoadRun


def pack(recorded: Recorded, redact: Redactor) -> bytes:
    """The file's content."""
    run = recorded.run
    bare = tuple(endpoint.model_copy(update={"headers": {}, "body": None}) for endpoint in run.plan.endpoints)
    header = Header(
        subject=recorded.subject,
        started_at=recorded.started_at,
        finished_at=recorded.finished_at,
        plan=run.plan.model_copy(update={"endpoints": bare, "samples_path": ""}),
        limits=run.limits,
        demands=run.demands,
        inconclusive=run.inconclusive,
        ending=run.ending,
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(HEADER, redact.model(header).model_dump_json(indent=1))
        for name in DTYPE.names or ():
            archive.writestr(f"samples/{name}", np.ascontiguousarray(run.samples.rows[name]).tobytes())
    return out.getvalue()


def unpack(path: Path) -> Recorded:
    """Read a file. Raises CannotRun(BAD_OUTPUT) when it is missing, damaged, foreign, or of an unknown version."""
    try:
        with zipfile.ZipFile(path) as archive:
            header = _header(path, archive)
            rows = _rows(path, archive, header.ending.requests)
    except FileNotFoundError:
        raise _bad(path, "there is no such file") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError) as error:
        raise _bad(path, f"it is no whole file of samples ({error})") from error
    samples = Samples.read(rows.tobytes(), expected=len(rows), endpoints=len(header.plan.endpoints))
    return Recorded(
        subject=header.subject,
        started_at=header.started_at,
        finished_at=header.finished_at,
        run=LoadRun(
            plan=header.plan,
            limits=header.limits,
            demands=header.demands,
            samples=samples,
            ending=header.ending,
            inconclusive=header.inconclusive,
        ),
    )


def unpack_all(paths: Sequence[Path]) -> Recorded:
    """One load from the files of its shards. Raises CannotRun when they do not belong together or one is missing."""
    parts = [unpack(path) for path in paths]
    if strangers := {part.subject for part in parts} - {parts[0].subject}:
        raise CannotRun(
            ErrorKind.WRONG_SUBJECT,
            f"the samples are about different subjects: {parts[0].subject} and {', '.join(map(str, strangers))}",
        )
    return Recorded(
        subject=parts[0].subject,
        started_at=min(part.started_at for part in parts),
        finished_at=max(part.finished_at for part in parts),
        run=merge([part.run for part in parts]),
    )


def _header(path: Path, archive: zipfile.ZipFile) -> Header:
    if archive.getinfo(HEADER).file_size > MOST_HEADER_BYTES:
        raise _bad(path, f"its {HEADER} is larger than any that Gonogo writes")
    raw = archive.read(HEADER)
    try:
        header = Header.model_validate_json(raw)
    except pydantic.ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _bad(path, f"its {HEADER} is not one of Gonogo's, or of another version ({where})") from None
    if header.version != VERSION:
        raise _bad(path, f"its version is {header.version}, this Gonogo knows version {VERSION}")
    return header


def _rows(path: Path, archive: zipfile.ZipFile, count: int) -> np.ndarray:
    if not 0 <= count <= MOST_SAMPLES:
        raise _bad(path, f"it claims {count} samples")
    rows = np.zeros(count, DTYPE)
    for name in DTYPE.names or ():
        size = archive.getinfo(f"samples/{name}").file_size
        if size != count * DTYPE[name].itemsize:
            raise _bad(path, f"its column {name} does not hold {count} samples")
        rows[name] = np.frombuffer(archive.read(f"samples/{name}"), DTYPE[name])
    return rows


def _bad(path: Path, why: str) -> CannotRun:
    return CannotRun(
        ErrorKind.BAD_OUTPUT, f"{path}: {why}; judge a {FILE} that `gonogo check load` has left in its evidence folder"
    )
