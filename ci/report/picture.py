"""The verdict as a picture: a standalone SVG for a README, in light and dark, with system fonts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ci.engine.inert import one_line
from ci.engine.svg import cut, element, text, text_width
from ci.engine.wording import seconds_in_words, stage_in_words, stage_word
from ci.model import Release, StageReport, Verdict
from ci.report.digest import TONE_OF_OUTCOME, Digest, Tone
from ci.report.timeline import Span, spans

WIDTH = 760
_MARGIN = 32
_ROW = 34
_TOP = 184
"""Where the rows begin, below the coloured part."""
_STYLE = """
text { font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1a1f26; }
.word { font-size: 52px; font-weight: 800; letter-spacing: -1px; }
.word-small { font-size: 13px; font-weight: 650; }
.sentence { font-size: 17px; } .bold { font-weight: 650; } .quiet { fill: #565f6b; }
.mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12.5px; fill: #565f6b; }
.card { fill: #ffffff; stroke: #dce1e7; } .track { fill: #eef1f4; } .phase { fill: #5f6f86; }
.go { fill: #0a6638; } .nogo { fill: #a3151c; } .hold { fill: #7a4a00; }
.soft.go { fill: #e3f4ea; } .soft.nogo { fill: #fdeaea; } .soft.hold { fill: #fdf1d9; }
@media (prefers-color-scheme: dark) {
text { fill: #e8ebef; } .quiet, .mono { fill: #a2abb7; }
.card { fill: #171b21; stroke: #2c333d; } .track { fill: #232932; } .phase { fill: #8c9bb3; }
.go { fill: #6fd79b; } .nogo { fill: #ff9b95; } .hold { fill: #f1c268; }
.soft.go { fill: #11291c; } .soft.nogo { fill: #351819; } .soft.hold { fill: #31250f; }
}
"""


def render(reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None) -> str:
    """A card: the answer, the reason, the subject, and a line with a timeline for each stage and the release."""
    digest = Digest(reports, verdict, release)
    headline = digest.headline
    rows = list(_rows(digest))
    height = _TOP + _ROW * len(rows) + (8 if rows else 0)
    parts = [
        element("title", escape(one_line(f"{headline.word}: {headline.sentence}"))),
        element("style", _STYLE),
        element("clipPath", element("rect", x=1, y=1, width=WIDTH - 2, height=height - 2, rx=12), id="card"),
        element("rect", x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, rx=12, class_="card"),
        element("rect", x=0, y=0, width=WIDTH, height=172, class_=f"soft {headline.tone}", clip_path="url(#card)"),
        element("rect", x=0, y=0, width=WIDTH, height=7, class_=headline.tone, clip_path="url(#card)"),
        text(_MARGIN, 76, headline.word, class_=f"word {headline.tone}"),
        *_sentence(headline.sentence),
        text(_MARGIN, 156, cut(str(digest.subject or ""), 13.5, WIDTH - 2 * _MARGIN), class_="mono"),
        *rows,
    ]
    return element(
        "svg",
        "".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        width=WIDTH,
        height=height,
        role="img",
    )


def _sentence(sentence: str) -> Iterator[str]:
    """One or two lines of the sentence, broken between words."""
    room = WIDTH - 2 * _MARGIN
    lines = [""]
    for word in sentence.split():
        if text_width(f"{lines[-1]} {word}", 17) > room and len(lines) < 2:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    for place, line in enumerate(lines):
        yield text(_MARGIN, 107 + 23 * place, cut(line, 17, room), class_="sentence")


def _rows(digest: Digest) -> Iterator[str]:
    every = spans(digest)
    if not every:
        return
    begin, finish = min(span.start for span in every), max(span.finish for span in every)
    whole = (finish - begin).total_seconds() or 1.0
    y = _TOP + 22
    for report in digest.reports:
        tone = TONE_OF_OUTCOME[report.outcome]
        lasted = "" if report.not_run else seconds_in_words(report.duration_s)
        mine = Span(report.stage, report.started_at, report.finished_at, tone=tone)
        bars = _bars([mine], digest, whole, y)
        yield _row(y, report.stage, stage_word(report), tone, stage_in_words(report), lasted, bars)
        y += _ROW
    if digest.release:
        phases = [span for span in every if span.tone == "phase"]
        lasted = seconds_in_words(sum(span.seconds for span in phases))
        bars = _bars(phases, digest, whole, y)
        yield _row(y, "release", digest.release_word, digest.release_tone, _serving(digest.release), lasted, bars)


def _serving(release: Release) -> str:
    """What production was last seen to serve, in relation to this release."""
    if release.serving is None:
        return "production: not known"
    if release.serving == release.candidate.deployment_id:
        return "production: the candidate"
    if release.previous and release.serving == release.previous.deployment_id:
        return "production: as before"
    return "production: something else"


def _row(y: int, name: str, word: str, tone: Tone, told: str, lasted: str, bars: str) -> str:
    return "".join(
        (
            text(_MARGIN, y, cut(name, 14, 104), class_="bold"),
            text(_MARGIN + 108, y, word, class_=f"word-small {tone}"),
            text(_MARGIN + 246, y, cut(told, 14, 202), class_="quiet"),
            bars,
            text(WIDTH - _MARGIN, y, lasted, class_="quiet", text_anchor="end"),
        )
    )


def _bars(bars: list[Span], digest: Digest, whole: float, y: int) -> str:
    left, width = 488.0, 164.0
    begin = min(span.start for span in spans(digest))
    drawn = [element("rect", x=left, y=y - 10, width=width, height=10, rx=3, class_="track")]
    for bar in bars:
        x = left + (bar.start - begin).total_seconds() / whole * width
        long = max(3.0, bar.seconds / whole * width)
        drawn.append(
            element("rect", x=min(x, left + width - 3), y=y - 10, width=long, height=10, rx=3, class_=bar.tone)
        )
    return "".join(drawn)
