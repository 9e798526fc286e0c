"""The short summary at the end of a run, for a person at a terminal or in a CI log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ci.engine.inert import log_line
from ci.engine.wording import seconds_in_words, stage_in_words, stage_word
from ci.model import Decision, Evidence, Finding, Release, StageReport, Verdict
from ci.report.digest import (
    TONE_OF_OUTCOME,
    Digest,
    Entry,
    Standing,
    Tone,
)

_CODES = {Tone.GO: "32", Tone.NO_GO: "31", Tone.HOLD: "33"}
_BADGES = {Tone.GO: "1;97;42", Tone.NO_GO: "1;97;41", Tone.HOLD: "1;30;43"}
_LINE_LIMIT = 400
"""Characters of one message; the whole one stands in report.html."""


def render(
    reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None, *, colour: bool = False
) -> str:
    """The verdict, the stages, what is wrong and what to do about it."""
    return "\n".join(_Summary(Digest(reports, verdict, release), colour).lines()) + "\n"


class _Summary:
    def __init__(self, digest: Digest, colour: bool) -> None:
        self._digest = digest
        self._colour = colour

    def lines(self) -> Iterator[str]:
        yield from self._head()
        yield from self._stages()
        yield from self._failed()
        yield from self._errors()
        yield from self._other_reasons()
        yield from self._release()

    def _head(self) -> Iterator[str]:
        headline = self._digest.headline
        yield self._paint(f" {headline.word} ", _BADGES[headline.tone]) + "  " + headline.sentence
        if self._digest.subject:
            yield self._faint(_say(str(self._digest.subject)))

    def _stages(self) -> Iterator[str]:
        reports = self._digest.reports
        width = max((len(_say(report.stage)) for report in reports), default=0)
        if reports:
            yield ""
        for report in reports:
            told = stage_in_words(report)
            badge = self._paint(f"{stage_word(report):<7}", _CODES[TONE_OF_OUTCOME[report.outcome]])
            lasted = self._faint(f"({seconds_in_words(report.duration_s)})")
            yield f"  {_say(report.stage):<{width}}  {badge}  {_say(told)}  {lasted}"

    def _failed(self) -> Iterator[str]:
        for entry in self._digest.failed:
            yield ""
            yield f"  {self._paint('FAIL', _CODES[Tone.NO_GO])}  {self._name(entry)}"
            for finding in entry.result.findings:
                yield from self._finding(finding)
            yield f"        → {_say(entry.result.spec.remediation)}"

    def _finding(self, finding: Finding) -> Iterator[str]:
        yield f"        {finding.severity}: {_say(finding.message)}"
        if str(finding.location):
            yield self._faint(f"        at {_say(str(finding.location))}")
        seen: Iterable[Evidence] = finding.evidence[:1]
        for evidence in seen:
            yield self._faint(f"        seen: {_say(evidence.summary)}")
        standing = self._digest.standing(finding)
        told = "" if standing is Standing.STANDS else f" · {standing}"
        yield self._faint(f"        fingerprint {finding.fingerprint}{told}")

    def _errors(self) -> Iterator[str]:
        """Checks of one stage that share a cause are one line: a crash must not be told thirty times."""
        causes: dict[tuple[str, str], list[Entry]] = {}
        for entry in self._digest.errors:
            assert entry.result.error is not None
            causes.setdefault((entry.report.stage, entry.result.error.message), []).append(entry)
        for (stage, message), entries in causes.items():
            first = entries[0]
            assert first.result.error is not None
            name = self._name(first) if len(entries) == 1 else f"{_say(stage)}: {len(entries)} checks"
            yield ""
            yield f"  {self._paint('HOLD', _CODES[Tone.HOLD])}  {name}"
            yield f"        could not be decided: {first.result.error.kind}: {_say(message)}"

    def _other_reasons(self) -> Iterator[str]:
        """Reasons that no failed or undecided check above has told already."""
        verdict = self._digest.verdict
        told = {entry.result.spec.id for entry in (*self._digest.failed, *self._digest.errors)}
        others = [reason for reason in (verdict.reasons if verdict else ()) if reason.check_id not in told]
        if others:
            yield ""
        for reason in others:
            tone = Tone.NO_GO if reason.decision is Decision.NO_GO else Tone.HOLD
            place = reason.check_id or reason.stage or reason.rule
            yield f"  {self._paint(f'{reason.decision}', _CODES[tone])}  {_say(place)}: {_say(reason.message)}"

    def _release(self) -> Iterator[str]:
        release = self._digest.release
        if release is None:
            return
        yield ""
        word = self._paint(self._digest.release_word, _CODES[self._digest.release_tone])
        yield f"  release  {word}  {self._digest.release_story}"
        if release.serving:
            yield f"           production serves {_say(release.serving)}"

    def _name(self, entry: Entry) -> str:
        return f"{self._paint(_say(entry.result.spec.id), '1')}  {_say(entry.result.spec.title)}"

    def _faint(self, text: str) -> str:
        return self._paint(text, "2")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _say(text: str) -> str:
    return log_line(text, _LINE_LIMIT)
