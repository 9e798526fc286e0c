"""What every rendering tells, worked out once: the headline, and the results in the order of their weight."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ci.model import CheckResult, Decision, Finding, Outcome, Reason, Release, ReleaseEnd, StageReport, Subject, Verdict


class Tone(enum.StrEnum):
    """How a word is coloured; never the only carrier of a meaning."""

    GO = "go"
    NO_GO = "nogo"
    HOLD = "hold"


class Standing(enum.StrEnum):
    """What the gate makes of a finding."""

    STANDS = "stands against a GO"
    MINOR = "too mild to decide"
    WAIVED = "waived"
    UNJUDGED = "not judged by the gate"


@dataclass(frozen=True, slots=True)
class Headline:
    """The answer in one word and the reason in one sentence."""

    word: str
    tone: Tone
    sentence: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One result and the report it stands in."""

    report: StageReport
    result: CheckResult
    anchor: str


_TONE_OF_END = {
    ReleaseEnd.PROMOTED: Tone.GO,
    ReleaseEnd.NO_GO: Tone.NO_GO,
    ReleaseEnd.ROLLED_BACK: Tone.NO_GO,
    ReleaseEnd.ROLLBACK_FAILED: Tone.NO_GO,
}
_TONE_OF_DECISION = {Decision.GO: Tone.GO, Decision.NO_GO: Tone.NO_GO, Decision.HOLD: Tone.HOLD}
TONE_OF_OUTCOME = {
    Outcome.PASS: Tone.GO,
    Outcome.FAIL: Tone.NO_GO,
    Outcome.ERROR: Tone.HOLD,
    Outcome.SKIP: Tone.HOLD,
}
_STORY_OF_END = {
    ReleaseEnd.PROMOTED: "The candidate was promoted and production was verified.",
    ReleaseEnd.NO_GO: "Nothing was promoted: the verdict was NO-GO.",
    ReleaseEnd.HOLD: "Nothing was promoted: the verdict was HOLD.",
    ReleaseEnd.SUPERSEDED: "Somebody else changed production meanwhile; nothing of theirs was touched.",
    ReleaseEnd.QUEUED: "The promotion waits behind a rolling release; it has not happened yet.",
    ReleaseEnd.UNKNOWN: "It is not certain which deployment serves production: look before anything else is done.",
    ReleaseEnd.ROLLED_BACK: "The candidate was promoted, failed in production, and was taken back.",
    ReleaseEnd.ROLLBACK_FAILED: "The candidate failed in production and could not be taken back: act now.",
}
_UNFINISHED = "The release has no end in its journal: it is still under way, or it was interrupted."
_QUIET_ENDS = {ReleaseEnd.PROMOTED, ReleaseEnd.NO_GO, ReleaseEnd.HOLD}
"""Ends that the verdict's own word tells well enough."""


@dataclass(frozen=True)
class Digest:
    """A run as its readers need it: what is wrong first, what is unknown next, what is fine last."""

    reports: Sequence[StageReport]
    verdict: Verdict | None
    release: Release | None

    @cached_property
    def subject(self) -> Subject | None:
        if self.verdict:
            return self.verdict.subject
        if self.release:
            return self.release.candidate
        return self.reports[0].subject if self.reports else None

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every result; the place of its report keeps the anchors of repeated stages apart."""
        return tuple(
            Entry(report, result, f"check-{place}-{number}")
            for place, report in enumerate(self.reports, 1)
            for number, result in enumerate(report.results, 1)
        )

    @cached_property
    def failed(self) -> tuple[Entry, ...]:
        """What stands against a GO first, then by severity."""
        return tuple(sorted(self._with(Outcome.FAIL), key=self._weight))

    @cached_property
    def errors(self) -> tuple[Entry, ...]:
        return tuple(self._with(Outcome.ERROR))

    @cached_property
    def passed(self) -> tuple[Entry, ...]:
        return tuple(self._with(Outcome.PASS))

    @cached_property
    def skipped(self) -> tuple[Entry, ...]:
        return tuple(self._with(Outcome.SKIP))

    @cached_property
    def empty_stages(self) -> tuple[tuple[str, str], ...]:
        """Stages that judged nothing, each with the reason: not run, nothing checked, or no report at all."""
        present = [
            (report.stage, report.not_run or "the stage checked nothing")
            for report in self.reports
            if all(result.outcome is Outcome.SKIP for result in report.results)
        ]
        reported = {report.stage for report in self.reports}
        demanded = self.verdict.stages if self.verdict else ()
        return (*present, *((stage, "there is no report of this stage") for stage in demanded if stage not in reported))

    @cached_property
    def headline(self) -> Headline:
        release_end = self.release.end if self.release else None
        if self.release and release_end not in _QUIET_ENDS and self._went_live:
            before = f"verdict before it was {self.verdict.decision}" if self.verdict else "gate had not decided"
            return Headline(self.release_word, self.release_tone, f"{self.release_story} The {before}.")
        if self.verdict is None:
            return Headline("NO VERDICT", Tone.HOLD, "The gate has not decided, so nothing may be promoted.")
        tone = _TONE_OF_DECISION[self.verdict.decision]
        story = _story_of(self.verdict, judged=len(self.passed) + len(self.failed))
        if release_end is ReleaseEnd.PROMOTED:
            story += f" {self.release_story}"
        return Headline(self.verdict.decision.value, tone, story)

    @property
    def _went_live(self) -> bool:
        """Whether the release came further than a verdict that forbids it."""
        return self.verdict is None or self.verdict.decision is Decision.GO

    @property
    def release_word(self) -> str:
        """The release's end in capitals, for people."""
        end = self.release.end if self.release else None
        if end in {ReleaseEnd.NO_GO, ReleaseEnd.HOLD}:
            return "NOT PROMOTED"
        return end.value.replace("_", " ") if end else "UNFINISHED"

    @property
    def release_story(self) -> str:
        end = self.release.end if self.release else None
        return _STORY_OF_END[end] if end else _UNFINISHED

    @property
    def release_tone(self) -> Tone:
        end = self.release.end if self.release else None
        return _TONE_OF_END[end] if end in _TONE_OF_END else Tone.HOLD  # noqa: SIM401 (None is no key)

    def standing(self, finding: Finding) -> Standing:
        """What the gate made of this finding, by its reasons and notes."""
        if finding.fingerprint in self._standing:
            return self._standing[finding.fingerprint]
        return Standing.UNJUDGED

    @cached_property
    def _standing(self) -> dict[str, Standing]:
        if self.verdict is None:
            return {}
        by_rule = {"waivers": Standing.WAIVED, "minor": Standing.MINOR}
        known = {
            note.fingerprint: by_rule[note.rule]
            for note in sorted(self.verdict.notes, key=lambda note: note.rule == "minor")
            if note.fingerprint and note.rule in by_rule
        }
        return known | {reason.fingerprint: Standing.STANDS for reason in self.verdict.reasons if reason.fingerprint}

    def anchor_of(self, reason: Reason) -> str | None:
        """Where the report tells more about the check that a reason names."""
        for entry in self.entries:
            if entry.result.spec.id == reason.check_id and reason.stage in {entry.report.stage, None}:
                return entry.anchor
        return None

    def about_another_subject(self, report: StageReport) -> bool:
        return self.subject is not None and report.subject != self.subject

    def _with(self, outcome: Outcome) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.result.outcome is outcome)

    def _weight(self, entry: Entry) -> tuple[bool, int]:
        stands = any(self.standing(finding) is Standing.STANDS for finding in entry.result.findings)
        return not stands, -max(finding.severity.rank for finding in entry.result.findings)


def _story_of(verdict: Verdict, judged: int) -> str:
    against = sum(reason.decision is Decision.NO_GO for reason in verdict.reasons)
    unknown = len(verdict.reasons) - against
    match verdict.decision:
        case Decision.NO_GO:
            more = f", and {_count(unknown, 'question is', 'questions are')} open" if unknown else ""
            return f"{_count(against, 'finding stands', 'findings stand')} against it{more}."
        case Decision.HOLD:
            return f"Not known: {_count(unknown, 'question is', 'questions are')} open, so it may not go live."
        case Decision.GO:
            partial = " Fewer stages were demanded than by the policy: it promotes nothing." if verdict.partial else ""
            return (
                f"{_count(len(verdict.stages), 'demanded stage', 'demanded stages')} answered, "
                f"{_count(judged, 'check', 'checks')} with evidence, and nothing stands against it.{partial}"
            )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
