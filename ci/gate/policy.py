"""The gate: from reports to GO, NO-GO or HOLD, with every reason.

NO-GO when an unwaived finding at or above `gate.fail_on` stands; otherwise HOLD when anything that is
required is missing, errored, stale or about another subject; otherwise GO.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ci.config.shape.gate import Gate, Waiver
from ci.gate.waivers import Waivers, called
from ci.model import CheckResult, Decision, Finding, Outcome, Reason, StageReport, Subject, Verdict

PREFLIGHT = "preflight"
"""The stage that binds the others to their subject; always required."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours another machine's clock may be."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What the rules judge."""

    policy: Gate
    subject: Subject
    stages: tuple[str, ...]
    checks: tuple[str, ...]
    reports: tuple[StageReport, ...]
    now: datetime
    waivers: Waivers

    def required(self) -> Iterator[StageReport]:
        return (report for report in self.reports if report.stage in self.stages)

    def own(self) -> Iterator[StageReport]:
        """Reports about this subject: another subject's findings say nothing about this one."""
        return (report for report in self.reports if report.subject == self.subject)

    def findings(self) -> Iterator[tuple[StageReport, Finding]]:
        return ((report, finding) for report in self.own() for result in report.results for finding in result.findings)

    def whole(self) -> bool:
        """Whether everything that there is to judge was judged."""
        judged = {report.stage for report in self.own() if not report.left_out}
        errors = any(result.error for report in self.own() for result in report.results)
        return {entry.partition("/")[0] for entry in self.policy.required} <= judged and not errors


Rule = Callable[[_Case], Iterator[Reason]]


def decide(
    policy: Gate,
    subject: Subject,
    reports: Iterable[StageReport],
    *,
    now: datetime,
    only: Sequence[str] | None = None,
    target: bool = True,
) -> Verdict:
    """The verdict about `subject`.

    `only` narrows the demand to some stages and makes the verdict partial, as does a report that leaves something
    out. Without a `target`, nothing but the repository was judged: there is no preflight then.
    """
    stages = tuple(dict.fromkeys(entry.partition("/")[0] for entry in policy.required))
    demanded = stages if only is None else tuple(only)
    checks = tuple(entry for entry in policy.required if "/" in entry and entry.partition("/")[0] in demanded)
    bound = (PREFLIGHT, *demanded) if target else demanded
    waivers = Waivers(policy.waivers, now.astimezone(UTC).date())
    case = _Case(policy, subject, bound, checks, tuple(reports), now, waivers)
    reasons = tuple(reason for rule in _RULES for reason in rule(case))
    decisions = {reason.decision for reason in reasons}
    return Verdict(
        decision=Decision.NO_GO if Decision.NO_GO in decisions else Decision.HOLD if decisions else Decision.GO,
        subject=subject,
        stages=demanded,
        partial=not target or not set(stages) <= set(demanded) or any(r.left_out for r in case.required()),
        reasons=reasons,
        notes=tuple(note for rule in _NOTES for note in rule(case)),
        decided_at=now,
        evidence_from=min((report.finished_at for report in case.reports), default=now),
    )


def _no_findings(case: _Case) -> Iterator[Reason]:
    for report, finding in case.findings():
        if finding.severity.rank >= case.policy.fail_on.rank and not case.waivers.accept(finding):
            yield Reason(
                rule="no-findings",
                decision=Decision.NO_GO,
                stage=report.stage,
                check_id=finding.check_id,
                message=finding.message,
                fingerprint=finding.fingerprint,
            )


def _complete(case: _Case) -> Iterator[Reason]:
    counts = Counter(report.stage for report in case.reports)
    if not set(case.stages) - {PREFLIGHT}:
        yield _hold("complete", "no stage was demanded, so nothing was decided")
    for stage in case.stages:
        if not counts[stage]:
            yield _hold("complete", "there is no report of this stage", stage)
        elif counts[stage] > 1:
            yield _hold("complete", f"there are {counts[stage]} reports of this stage: which one counts?", stage)


def _ran(case: _Case) -> Iterator[Reason]:
    for report in case.required():
        if report.not_run:
            yield _hold("ran", f"the stage was not run: {report.not_run}", report.stage)
        elif all(result.outcome is Outcome.SKIP for result in report.results):
            yield _hold("ran", "the stage checked nothing", report.stage)


def _same_subject(case: _Case) -> Iterator[Reason]:
    for report in case.required():
        if report.subject != case.subject:
            yield _hold("same-subject", f"the report is about {report.subject}, not about {case.subject}", report.stage)


def _fresh(case: _Case) -> Iterator[Reason]:
    for report in case.required():
        age = case.now - report.finished_at
        if age > case.policy.max_age:
            limit = case.policy.max_age
            yield _hold("fresh", f"the report is {_span(age)} old, older than {_span(limit)}", report.stage)
        elif age < -CLOCK_SKEW:
            yield _hold("fresh", f"the report is dated {_span(-age)} in the future", report.stage)


def _no_errors(case: _Case) -> Iterator[Reason]:
    for report in case.required():
        if report.stage == PREFLIGHT or report.subject == case.subject:
            yield from _errors(report, Decision.HOLD)


def _required_checks(case: _Case) -> Iterator[Reason]:
    results = {result.spec.id: result for report in case.own() for result in report.results}
    for check_id in case.checks:
        stage = check_id.partition("/")[0]
        result = results.get(check_id)
        if result is None:
            yield _hold("required-checks", "this required check has no result", stage, check_id)
        elif result.outcome is Outcome.SKIP:
            yield _hold("required-checks", f"this required check was skipped: {result.skip_reason}", stage, check_id)


_RULES: tuple[Rule, ...] = (_no_findings, _complete, _ran, _same_subject, _fresh, _no_errors, _required_checks)


def _partial(case: _Case) -> Iterator[Reason]:
    missing = {entry.partition("/")[0] for entry in case.policy.required} - set(case.stages)
    if missing:
        message = f"not judged here: {', '.join(sorted(missing))}; this verdict promotes nothing"
        yield Reason(rule="partial", message=message)
    for report in case.required():
        if report.left_out:
            message = f"left out: {report.left_out}; this verdict promotes nothing"
            yield Reason(rule="partial", stage=report.stage, message=message)


def _optional_errors(case: _Case) -> Iterator[Reason]:
    for report in case.reports:
        if report.stage not in case.stages:
            yield from _errors(report, None)


def _flaky(case: _Case) -> Iterator[Reason]:
    for report, result in _results(case):
        if result.flaky:
            yield _note("flaky", f"FLAKY: passed at try {result.attempts}", report.stage, result.spec.id)


def _waivers(case: _Case) -> Iterator[Reason]:
    stages = {finding.fingerprint: report.stage for report, finding in case.findings()}
    for waiver, findings in case.waivers.met([finding for _, finding in case.findings()]):
        for finding in findings:
            if case.waivers.expired(waiver):
                message = f"{called(waiver)} expired on {waiver.expires}: {finding.message}"
            else:
                message = f"waived by {waiver.owner} until {waiver.expires} ({waiver.reason}): {finding.message}"
            yield Reason(
                rule="waivers",
                stage=stages[finding.fingerprint],
                check_id=finding.check_id,
                message=message,
                fingerprint=finding.fingerprint,
            )
        if not findings:
            meant = "remove it" if _examined(case, waiver) else "but what it is for was not wholly judged here"
            late = f", and expired on {waiver.expires}" if case.waivers.expired(waiver) else ""
            message = f"{called(waiver)} meets no finding{late}: {meant}"
            yield Reason(rule="waivers", fingerprint=waiver.fingerprint, check_id=waiver.check, message=message)


def _examined(case: _Case, waiver: Waiver) -> bool:
    """Whether the waiver's finding would have been found, if it were still there."""
    if waiver.check is None:
        return case.whole()
    answered = (Outcome.PASS, Outcome.FAIL)
    return any(result.spec.id == waiver.check and result.outcome in answered for _, result in _results(case))


def _minor(case: _Case) -> Iterator[Reason]:
    for report, finding in case.findings():
        if finding.severity.rank < case.policy.fail_on.rank:
            message = f"{finding.severity}, below {case.policy.fail_on}: {finding.message}"
            yield Reason(
                rule="minor",
                stage=report.stage,
                check_id=finding.check_id,
                message=message,
                fingerprint=finding.fingerprint,
            )


def _skipped(case: _Case) -> Iterator[Reason]:
    for report, result in _results(case):
        if result.outcome is Outcome.SKIP:
            yield _note("skipped", f"skipped: {result.skip_reason}", report.stage, result.spec.id)


_NOTES: tuple[Rule, ...] = (_partial, _optional_errors, _flaky, _waivers, _minor, _skipped)


def _errors(report: StageReport, decision: Decision | None) -> Iterator[Reason]:
    for result in report.results:
        if result.error:
            yield Reason(
                rule="no-errors",
                decision=decision,
                stage=report.stage,
                check_id=result.spec.id,
                message=f"{result.error.kind}: {result.error.message}",
            )


def _results(case: _Case) -> Iterator[tuple[StageReport, CheckResult]]:
    return ((report, result) for report in case.own() for result in report.results)


def _hold(rule: str, message: str, stage: str | None = None, check_id: str | None = None) -> Reason:
    return Reason(rule=rule, decision=Decision.HOLD, message=message, stage=stage, check_id=check_id)


def _note(rule: str, message: str, stage: str, check_id: str) -> Reason:
    return Reason(rule=rule, message=message, stage=stage, check_id=check_id)


def _span(span: timedelta) -> str:
    """A time span for people: its two largest units."""
    seconds = int(span.total_seconds())
    parts = ((seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    told = [f"{amount} {unit}" for amount, unit in parts if amount]
    return " ".join(told[:2]) or "0 s"
