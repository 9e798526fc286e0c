"""report.html: inert, self-contained, readable, complete."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.engine.svg import ticks
from ci.model import Measure, Plot, Series
from ci.report import html, plot
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import HSTS, STORIES, Story, go, hold, no_go, rolled_back

CSS = (Path(html.__file__).parent / "templates/report.css").read_text()
VOID = {"meta", "br", "link", "input", "img", "hr"}


class Reader(HTMLParser):
    """Reads a document strictly: every element that is opened must be closed, in order."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(document)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def read(story: Story) -> Reader:
    return Reader(html.render(*story))


def without_code(page: Reader) -> list[str]:
    """Its tags but `code`: backticks make code of the words between them, the one thing that text may do."""
    return [tag for tag in page.tags if tag != "code"]


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", STORIES)
def test_is_sound_markup_whose_links_and_labels_lead_somewhere(name: str) -> None:
    page = read(STORIES[name]())
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    inner = [href[1:] for href in page.values("href") if href.startswith("#")]
    labels = [one for value in page.values("aria-labelledby") for one in value.split()]
    assert set(inner) | set(labels) <= set(ids)
    assert page.tags.count("h1") == page.tags.count("main") == 1
    assert {"header", "nav", "main", "footer", "h2"} <= set(page.tags)


@pytest.mark.parametrize("name", STORIES)
def test_loads_nothing_and_runs_nothing(name: str) -> None:
    document = html.render(*STORIES[name]())
    page = Reader(document)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name in {"src", "srcset", "style"} or name.startswith("on")]
    assert "url(" not in CSS and "@import" not in CSS
    assert "default-src 'none'" in document and "unsafe-inline" not in document


@pytest.mark.parametrize(
    ("story", "word"), [(go, "GO"), (no_go, "NO-GO"), (hold, "HOLD"), (rolled_back, "ROLLED BACK")]
)
def test_the_answer_is_the_first_heading(story, word: str) -> None:
    document = html.render(*story())
    (heading,) = re.findall(r"<h1>.*?<span>(.*?)</span></h1>", document, re.S)
    assert heading == word


def test_without_a_verdict_it_never_says_go() -> None:
    story = go()
    page = words(read(Story(story.reports, None, None)).text)
    assert "NO VERDICT" in page
    assert "The gate has not decided" in page


def test_everything_about_a_failed_check_is_told() -> None:
    story = no_go()
    page = words(read(story).text)
    spec = next(r.spec for report in story.reports for r in report.results if r.spec.id == "security/hsts")
    for part in (spec.title, spec.why, HSTS.message, HSTS.fingerprint, str(HSTS.location), HSTS.evidence[0].summary):
        assert words(part) in page
    assert words(spec.remediation.replace("`", "")) in page
    assert words(HSTS.evidence[0].excerpt) in page
    assert all(reference in page for reference in spec.references)
    assert "stands against a GO" in page and "too mild to decide" in page


@pytest.mark.parametrize("name", STORIES)
def test_no_reason_note_result_or_event_is_left_out(name: str) -> None:
    story = STORIES[name]()
    page = words(read(story).text)
    verdict, release = story.verdict, story.release
    told = [reason.message for reason in (*verdict.reasons, *verdict.notes)] if verdict else []
    told += [event.message for event in release.events] if release else []
    for report in story.reports:
        told += [result.spec.title for result in report.results]
        told += [evidence.summary for result in report.results for evidence in result.evidence]
        told += [result.skip_reason for result in report.results if result.skip_reason]
        told += [result.error.message for result in report.results if result.error]
        told += [measure.name for measure in report.measures] + [figure.title for figure in report.plots]
        told += [report.not_run] if report.not_run else []
    missing = [part for part in told if words(part.replace("`", "")) not in page]
    assert not missing


def test_which_deployment_serves_is_told() -> None:
    document = html.render(*rolled_back())
    assert "<dt>Production serves</dt><dd>dpl_5dTzB1cVn9XkQwErGyHu3iPa</dd>" in document


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_stays_text(payload: str) -> None:
    calm, page = read(hostile_story("calm")), read(hostile_story(payload))
    assert without_code(page) == without_code(calm), "the payload has become markup"
    names = [name for _, name, _ in page.attributes]
    assert names == [name for _, name, _ in calm.attributes]
    assert not [href for href in page.values("href") if not href.startswith(("#", "https://", "http://"))]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page.text)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=80))
def test_any_text_leaves_the_markup_as_it_is(text: str) -> None:
    calm = read(hostile_story("calm"))
    page = read(hostile_story(text or "-"))
    assert without_code(page) == without_code(calm)


def _tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


LIGHT = _tokens(CSS.partition("@media (prefers-color-scheme: dark)")[0])
DARK = {**LIGHT, **_tokens(CSS.partition("@media (prefers-color-scheme: dark)")[2].partition("* {")[0])}


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


TEXT = [("ink", "paper"), ("ink", "card"), ("quiet", "paper"), ("quiet", "card"), ("link", "paper"), ("link", "card")]
TEXT += [(tone, ground) for tone in ("go", "nogo", "hold") for ground in (f"{tone}-soft", "card")]
TEXT += [("ink", "neutral-soft"), ("quiet", "neutral-soft"), ("link", "neutral-soft")]
TEXT += [("ink", "go-soft"), ("ink", "nogo-soft"), ("ink", "hold-soft")]
GRAPHICS = [(f"s{i}", "card") for i in range(6)] + [("phase", "card"), ("nogo", "card")]


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_enough(tokens: dict[str, str]) -> None:
    assert len(tokens) > 15
    text = {pair: _contrast(tokens[pair[0]], tokens[pair[1]]) for pair in TEXT}
    graphics = {pair: _contrast(tokens[pair[0]], tokens[pair[1]]) for pair in GRAPHICS}
    assert not {pair: ratio for pair, ratio in text.items() if ratio < 4.5}  # WCAG 1.4.3
    assert not {pair: ratio for pair, ratio in graphics.items() if ratio < 3}  # WCAG 1.4.11


def _plot(*points: tuple[float, float]) -> Plot:
    return Plot(title="a", x_label="x", y_label="y", series=(Series(name="s", points=points),))


def test_a_peak_among_many_points_is_drawn() -> None:
    points = [(float(i), 1.0) for i in range(50_000)]
    points[31_007] = (31_007.0, 900.0)
    kept = plot.thinned(points, 300)
    assert (31_007.0, 900.0) in kept
    assert len(kept) <= 4 * 301
    assert kept == sorted(kept)


@given(
    st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(allow_nan=True, allow_infinity=True)), max_size=12),
    st.sampled_from([plot.NARROW, plot.WIDE]),
)
def test_any_points_can_be_drawn(points: list[tuple[float, float]], width: int) -> None:
    drawn = plot.draw(_plot(*points), "name", width)
    assert not re.search(r'="(nan|inf|-inf)"|[ ,](nan|inf)', drawn)


@given(
    st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3), max_size=12),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([plot.NARROW, plot.WIDE]),
)
def test_any_band_and_moment_can_be_drawn(band: list[tuple[float, float, float]], when: float, width: int) -> None:
    points = ((0.0, 1.0), (10.0, 2.0))
    figure = Plot(
        title="a",
        x_label="x",
        y_label="y",
        series=(Series(name="s", points=points, band=tuple(band)),),
        moments=(Measure(name="decided", value=when, unit="s"),),
    )
    drawn = plot.draw(figure, "name", width)
    assert not re.search(r'="(nan|inf|-inf)"|[ ,](nan|inf)', drawn)
    assert ('class="mark"' in drawn) == (0 <= when <= 10)


def test_a_band_is_cut_off_at_the_axis_and_a_moment_is_named() -> None:
    band = ((0.0, -900.0, 900.0), (1.0, -50.0, 70.0), (2.0, 4.0, 9.0), (3.0, 5.0, 8.0), (4.0, 6.0, 7.0))
    figure = Plot(
        title="a",
        x_label="x",
        y_label="y",
        series=(Series(name="s", points=tuple((x, 6.5) for x, _, _ in band), band=band),),
        moments=(Measure(name="decided", value=3.0, unit="s"),),
    )
    drawn = plot.draw(figure, "name", plot.WIDE)
    [shape] = re.findall(r'<polygon[^>]*points="([^"]+)"', drawn)
    heights = [float(place.split(",")[1]) for place in shape.split()]
    height = float(re.search(r'viewBox="0 0 \S+ (\S+)"', drawn)[1])  # type: ignore[index]
    assert min(heights) >= 0 and max(heights) <= height
    assert "decided at 3 s" in drawn
    assert "decided at 3 s" in plot.describe(figure)


def test_a_plot_without_a_number_says_so() -> None:
    assert "nothing was measured" in plot.draw(_plot((0.0, float("nan"))), "name", plot.WIDE)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_enclose_the_values(low: float, span: float, wanted: int) -> None:
    marks = ticks(low, low + span, wanted)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert marks[0] <= low + slack and marks[-1] >= low + span - slack
    assert 2 <= len(marks) <= 2 * wanted + 2
