"""summary.md: for GitHub's step summary and for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ci.engine.gfm import code, fenced, inline, prose, reference
from ci.engine.wording import seconds_in_words, stage_in_words, stage_word
from ci.model import CheckResult, Evidence, Finding, Reason, Release, StageReport, Verdict
from ci.report.digest import Digest, Entry, Standing, Tone

SIZE_LIMIT = 60_000
"""Characters. GitHub refuses a comment of more than 65,536."""
_ICONS = {Tone.GO: "🟢", Tone.NO_GO: "🔴", Tone.HOLD: "🟡"}


def render(reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None) -> str:
    """The verdict and its reasons first; what does not fit the size limit is counted, never dropped in silence."""
    return _fitting(list(_blocks(Digest(reports, verdict, release))))


def _fitting(blocks: list[str]) -> str:
    told = ""
    for place, block in enumerate(blocks):
        if len(told) + len(block) > SIZE_LIMIT:
            return f"{told}\n\n*{len(blocks) - place} more paragraphs do not fit here: see `report.html`.*\n"
        in_list = block.startswith("- ") and blocks[place - 1].startswith("- ")
        told += ("\n" if in_list else "\n\n" if told else "") + block
    return told + "\n"


def _blocks(digest: Digest) -> Iterator[str]:
    """Parts that stand alone, in the order of their weight."""
    headline = digest.headline
    yield f"## {_ICONS[headline.tone]} {headline.word}"
    yield inline(headline.sentence)
    yield from _subject(digest)
    if digest.verdict:
        yield from _reasons("Reasons", digest.verdict.reasons)
    yield from _stages(digest)
    for entry in digest.failed:
        yield from _failure(digest, entry)
    yield from _errors(digest)
    yield from _release(digest)
    if digest.verdict:
        yield from _reasons("Notes", digest.verdict.notes)
    yield f"{len(digest.passed)} checks passed; all of them, with their evidence, stand in `report.html`."


def _subject(digest: Digest) -> Iterator[str]:
    subject = digest.subject
    if subject is None:
        return
    known = {"URL": subject.url, "commit": subject.commit, "deployment": subject.deployment_id}
    yield " · ".join(f"{name} {code(value)}" for name, value in known.items() if value)


def _reasons(title: str, reasons: Sequence[Reason]) -> Iterator[str]:
    if reasons:
        yield f"### {title}"
    for reason in reasons:
        decision = f"**{reason.decision}** " if reason.decision else ""
        yield f"- {decision}{code(reason.check_id or reason.stage or reason.rule)} {prose(reason.message)}"


def _stages(digest: Digest) -> Iterator[str]:
    if not digest.reports:
        return
    rows = ["| Stage | Outcome | Checks | Time |", "| --- | --- | --- | --- |"]
    for report in digest.reports:
        told = prose(stage_in_words(report))
        lasted = seconds_in_words(report.duration_s)
        rows.append(f"| {inline(report.stage)} | {stage_word(report)} | {told} | {lasted} |")
    yield "\n".join(rows)


def _failure(digest: Digest, entry: Entry) -> Iterator[str]:
    spec = entry.result.spec
    parts = [f"### ✗ {inline(spec.title)}", f"{code(spec.id)} does not hold."]
    for finding in entry.result.findings:
        parts += _finding(finding, digest.standing(finding))
    parts.append(f"**Why it matters:** {prose(spec.why)}")
    parts.append(f"**What to do:** {prose(spec.remediation)}")
    if spec.references:
        parts.append("**References:** " + " · ".join(map(reference, spec.references)))
    yield "\n\n".join(parts)


def _finding(finding: Finding, standing: Standing) -> Iterator[str]:
    place = f" at {code(str(finding.location))}" if str(finding.location) else ""
    yield f"**{finding.severity}**: {prose(finding.message)}{place}"
    for evidence in finding.evidence:
        yield from _evidence(evidence)
    yield f"<sub>fingerprint {code(finding.fingerprint)} · {standing}</sub>"


def _evidence(evidence: Evidence) -> Iterator[str]:
    yield f"Seen: {inline(evidence.summary)}"
    if evidence.excerpt:
        yield fenced(evidence.excerpt)


def _errors(digest: Digest) -> Iterator[str]:
    if digest.errors or digest.empty_stages:
        yield "### ? Could not be decided"
    for stage, reason in digest.empty_stages:
        yield f"- {code(stage)} {prose(reason)}"
    for entry in digest.errors:
        yield f"- {code(entry.result.spec.id)} {_error(entry.result)}"


def _error(result: CheckResult) -> str:
    assert result.error is not None
    return f"**{result.error.kind}**: {prose(result.error.message)}"


def _release(digest: Digest) -> Iterator[str]:
    release = digest.release
    if release is None:
        return
    serving = f" Production serves {code(release.serving)}." if release.serving else ""
    yield f"### Release: {_ICONS[digest.release_tone]} {digest.release_word}"
    yield f"{digest.release_story}{serving}"
    lines = [f"- {event.at:%H:%M:%S} {code(event.phase)} {prose(event.message)}" for event in release.events]
    if lines:
        yield "<details><summary>Journal</summary>\n\n" + "\n".join(lines) + "\n\n</details>"
