"""A copy of the files to scan, in which every text is UTF-8 and nothing is hidden from a scanner."""

from __future__ import annotations

import codecs
import shutil
from dataclasses import dataclass
from pathlib import Path

from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.security.scanners.repository import Repository

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True, slots=True)
class Tree:
    """The copy."""

    root: Path
    texts: tuple[str, ...]
    binaries: tuple[str, ...]


def copy_tree(repository: Repository, root: Path, *, without: str) -> Tree:
    """Copy the repository's files below `root`, except the one named. Raises CannotRun for what cannot be read.

    Detect-secrets passes over what is not UTF-8 in silence; a text in another encoding is turned into UTF-8 here.
    """
    texts, binaries = [], []
    for name in repository.files:
        if name == without:
            continue
        copy = root / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            content = (repository.root / name).read_bytes()
            if (text := _text(content)) is None:
                shutil.copyfile(repository.root / name, copy)
                binaries.append(name)
            else:
                copy.write_text(text, encoding="utf-8", newline="")
                texts.append(name)
        except OSError as error:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"{name} cannot be read: {error.strerror}") from error
    return Tree(root, tuple(texts), tuple(binaries))


def _text(content: bytes) -> str | None:
    """The content as text, or None for what is none."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
