"""badge.svg: the state and the uptime, to be put into a README. Pure."""

from __future__ import annotations

from ci.engine.svg import element, text, text_width
from ci.monitor.figures import percent
from ci.monitor.page.states import State
from ci.monitor.page.view import StatusPage

_SIZE = 11
_PAD = 7
_COLOURS = {
    State.UP: "#1a7f37",
    State.DEGRADED: "#8a5a00",
    State.DOWN: "#b3261e",
    State.MAINTENANCE: "#2458a6",
    State.UNKNOWN: "#59636e",
}


def render(page: StatusPage) -> str:
    """Uptime of the longest window, with its coverage where not all of it was observed."""
    label, message = "status", " · ".join([page.headline.word.lower(), *_uptime(page)])
    left, right = (text_width(words, _SIZE) + 2 * _PAD for words in (label, message))
    parts = [
        element("title", f"{label}: {message}"),
        element("rect", width=left + right, height=20, rx=4, fill="#30363d"),
        element(
            "path",
            d=f"M{left:.1f} 0h{right - 4:.1f}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-{right - 4:.1f}z",
            fill=_COLOURS[page.headline.state],
        ),
        *(
            text(
                x,
                14,
                words,
                fill="#fff",
                text_anchor="middle",
                textLength=width - 2 * _PAD,
                lengthAdjust="spacingAndGlyphs",
            )
            for x, words, width in ((left / 2, label, left), (left + right / 2, message, right))
        ),
    ]
    return (
        element(
            "svg",
            "".join(parts),
            xmlns="http://www.w3.org/2000/svg",
            width=left + right,
            height=20,
            role="img",
            aria_label=f"{label}: {message}",
            font_family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif",
            font_size=_SIZE,
        )
        + "\n"
    )


def _uptime(page: StatusPage) -> list[str]:
    if not page.windows or (told := page.windows[-1][1]).uptime is None:
        return []
    coverage = f" of the {percent(told.coverage)} observed" if told.coverage < 0.995 else ""
    return [f"{percent(told.uptime)}{coverage}"]
