"""Pages that need nothing else, no network and no script: templates, the one style sheet and its policy."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Undefined
from markupsafe import Markup

from ci.engine.inert import printable
from ci.engine.svg import number
from ci.engine.wording import seconds_in_words

Draw = Callable[[str, int], str | None]
"""Draws a figure: its name and its width in, its SVG element out."""


@functools.cache
def environment(package: str) -> Environment:
    """Templates of a package: everything is escaped, nothing undefined passes, no character acts on a reader."""
    made = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(seconds=seconds_in_words, number=number, moment=moment)
    return made


def stylesheet(package: str, name: str) -> tuple[Markup, str]:
    """A style sheet of the package, and its hash for a policy that allows it and nothing else (CSP Level 3)."""
    css = files(package).joinpath("templates", name).read_text(encoding="utf-8")
    return Markup(css), base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()  # noqa: S704 (our own file)


def two_widths(draw: Draw, name: str, narrow: int, wide: int) -> Markup:
    """A figure for phones and one for larger screens: scaled down, letters could not be read."""
    small, large = draw(f"{name}-narrow", narrow), draw(f"{name}-wide", wide)
    if small is None or large is None:
        return Markup()
    return Markup(f'<div class="narrow">{small}</div><div class="wide">{large}</div>')  # noqa: S704 (svg.py escapes)


def moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%d %B %Y, %H:%M:%S} UTC"


def _inert(value: object) -> object:
    """Applied to every expression of a template, before it is escaped."""
    return value if isinstance(value, Markup | Undefined) else printable(str(value))
