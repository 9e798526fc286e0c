"""Small pieces of SVG that the figures share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from ci.engine.inert import one_line

GLYPH_SHARE = 0.56
"""Mean width of a character of a system font in relation to its size; for layout, not for truth."""


def element(tag: str, /, content: str | None = None, **attributes: object) -> str:
    """An element; `class_` stands for class and `stroke_width` for stroke-width. The content is markup already."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{told}/>" if content is None else f"<{tag}{told}>{content}</{tag}>"


def text(x: float, y: float, words: str, **attributes: object) -> str:
    return element("text", escape(one_line(words)), x=x, y=y, **attributes)


def figure(name: str, title: str, description: str, width: float, height: float, parts: Iterable[str]) -> str:
    """A picture with its name and description for those who cannot see it. `name` must be unique in the document."""
    head = element("title", escape(one_line(title)), id=f"{name}-title") + element(
        "desc", escape(one_line(description)), id=f"{name}-desc"
    )
    return element(
        "svg",
        head + "".join(parts),
        class_="figure",
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def apart(low: float, high: float) -> float:
    """The high value, moved up where it is so near to the low one that there is no axis between them."""
    return high if high - low > 1e-9 * max(1.0, abs(low), abs(high)) else low + max(1.0, abs(low) / 10)


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about `wanted` of them (Heckbert's nice numbers)."""
    span = apart(low, high) - low
    rough = span / max(1, wanted - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(nice for nice in (1, 2, 2.5, 5, 10) if nice * power >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil((low + span) / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def number(value: float) -> str:
    """A number for people: at most three significant digits after a small one, thousands with a thin space."""
    if not math.isfinite(value):
        return "not a number"
    if abs(value) >= 999.5:
        return f"{value:,.0f}".replace(",", "\u202f")
    return f"{value:.3g}"


def text_width(words: str, size: float) -> float:
    return len(words) * size * GLYPH_SHARE


def cut(words: str, size: float, room: float) -> str:
    """The words, cut with a mark to what fits into `room` units."""
    return one_line(words, max(1, int(room / (size * GLYPH_SHARE))))


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
