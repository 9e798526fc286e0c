"""Writing into `gonogo.yaml` without losing its comments."""

from __future__ import annotations

import io
import os
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from ci.config.load import parse_config
from ci.errors import ConfigError

LINE_WIDTH = 10_000
"""So that no line that somebody wrote is broken anew."""


def add_waiver(path: Path, *, fingerprint: str, owner: str, reason: str, expires: date) -> None:
    """Add a waiver to `gate.waivers`. The file is replaced whole, and only by one that is valid.

    Raises ConfigError when the file cannot be read, or holds a waiver of this finding already.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if any(waiver.fingerprint == fingerprint for waiver in parse_config(text, str(path)).gate.waivers):
        raise ConfigError(f"{path}: {fingerprint} is waived already; change that waiver, or remove it first")
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = LINE_WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    waiver = CommentedMap(
        # Quoted, because sixteen digits would be a number.
        {"fingerprint": DoubleQuotedScalarString(fingerprint), "owner": owner, "reason": reason, "expires": expires}
    )
    _at(_at(document, "gate", CommentedMap), "waivers", list).append(waiver)
    written = io.StringIO()
    yaml.dump(document, written)
    parse_config(written.getvalue(), str(path))
    _replace(path, written.getvalue())


def _at(parent: Any, key: str, empty: type) -> Any:
    """What stands at the key; an empty one is put there when there is none."""
    if parent.get(key) is None:
        parent[key] = empty()
    return parent[key]


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all, with the permissions that it had."""
    mode = path.stat().st_mode
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
