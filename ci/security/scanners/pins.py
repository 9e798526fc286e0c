"""Reading which Python packages a requirements or lock file installs, and on which line it says so."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ci.errors import CannotRun
from ci.model import ErrorKind

REQUIREMENTS = ("*requirements*.txt", "requirements/*.txt", "*/requirements/*.txt")
LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "pylock.*.toml", "Pipfile.lock")


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of one package, and where the repository names it."""

    name: str
    version: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What one file installs."""

    pins: tuple[Pin, ...]
    ranges: tuple[str, ...] = ()
    """Requirements that leave the version open: something else must say what they come to."""


def read_requirements(root: Path, path: str) -> Listing:
    """A requirements file and those that it includes. Raises CannotRun for what no advisory can be asked about."""
    from pip_requirements_parser import PipError, RequirementsFile

    try:
        parsed = RequirementsFile.from_file(str(root / path), include_nested=True)
    except (OSError, ValueError, PipError) as error:
        message = f"{path} cannot be read as requirements, or a file that it includes is missing"
        raise CannotRun(ErrorKind.BAD_OUTPUT, message) from error
    if parsed.invalid_lines:
        line = parsed.invalid_lines[0]
        message = f"{path}:{line.line_number}: is no requirement that can be read: mend the line"
        raise CannotRun(ErrorKind.BAD_OUTPUT, message)
    pins: list[Pin] = []
    ranges: list[str] = []
    for requirement in parsed.requirements:
        line = requirement.requirement_line
        where = PurePosixPath(Path(line.filename).resolve().relative_to(root.resolve()).as_posix())
        if requirement.is_local_path and not requirement.is_url:
            continue  # the repository's own code, which the other scanners read
        if requirement.link:
            message = (
                f"{where}:{line.line_number}: comes from a URL, so no advisory can be asked about it: pin a release"
            )
            raise CannotRun(ErrorKind.NO_DATA, message)
        versions = [s.version for s in requirement.specifier or () if s.operator in {"==", "==="}]
        if len(versions) == 1 and "*" not in versions[0]:
            pins.append(Pin(requirement.name, versions[0], str(where), line.line_number))
        else:
            ranges.append(requirement.name)
    return Listing(tuple(pins), tuple(ranges))


def read_lock(text: str, path: str) -> Listing:
    """A lock file in TOML or JSON. Raises CannotRun when it is none."""
    try:
        packages = tuple(_packages(text, PurePosixPath(path).name))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{path} cannot be read as a lock file: {error}") from error
    return Listing(tuple(Pin(name, version, path, line_of(text, name, version)) for name, version in packages))


def _packages(text: str, name: str) -> Iterator[tuple[str, str]]:
    if name == "Pipfile.lock":
        lock = json.loads(text)
        for group in ("default", "develop"):
            for package, entry in lock.get(group, {}).items():
                if "version" in entry:
                    yield package, entry["version"].removeprefix("==")
        return
    lock = tomllib.loads(text)
    entries: Iterable[dict[str, Any]] = lock["packages" if name.startswith("pylock") else "package"]
    for entry in entries:
        own = entry.get("source", {})
        if "version" in entry and not (isinstance(own, dict) and {"editable", "virtual", "directory"} & set(own)):
            yield entry["name"], entry["version"]


def line_of(text: str, name: str, version: str) -> int:
    """The line on which a lock file gives this package its version; 1 when it cannot be told."""
    lines = text.split("\n")
    is_name = re.compile(rf'^\s*(name\s*=\s*)?"{re.escape(name)}"\s*(:\s*\{{)?\s*$')
    for number, line in enumerate(lines, start=1):
        if is_name.match(line):
            for later, other in enumerate(lines[number : number + 20], start=number + 1):
                if re.match(rf'^\s*"?version"?\s*[:=]\s*"(==)?{re.escape(version)}"', other):
                    return later
    return 1
