import asyncio
import ssl
from collections.abc import Iterator

import httpx
import pytest

from ci.engine.check import Check, check, collect, declare, declared, finding
from ci.engine.progress import Silence
from ci.engine.runner import explain, judge, probe_and_judge, run_stage
from ci.errors import CannotRun, NotApplicable
from ci.model import ErrorKind, Evidence, Finding, Outcome, StageReport
from tests.runs import SUBJECT, passed, report, spec


@check(spec("smoke/small"))
def small(number: int) -> Iterator[Evidence | Finding]:
    yield Evidence(summary=f"{number}")
    if number > 3:
        yield finding(small.spec, f"{number} is not small")


@check(spec("smoke/blind"))
def blind(number: int) -> Iterator[Evidence | Finding]:
    yield from ()


@check(spec("smoke/crash"))
def crash(number: int) -> Iterator[Evidence | Finding]:
    yield Evidence(summary="so far so good")
    raise KeyError(number)


@check(spec("smoke/elsewhere"))
def elsewhere(number: int) -> Iterator[Evidence | Finding]:
    yield Evidence(summary="so far so good")
    raise NotApplicable("write smoke.elsewhere")


async def test_what_does_not_apply_is_skipped_with_its_reason() -> None:
    result = judge(elsewhere, 1)
    assert (result.outcome, result.skip_reason) == (Outcome.SKIP, "write smoke.elsewhere")

    async def probe() -> int:
        raise NotApplicable("write smoke.nothing")

    results = await probe_and_judge([small, blind], probe, timeout_s=5)
    assert [(result.outcome, result.skip_reason) for result in results] == [(Outcome.SKIP, "write smoke.nothing")] * 2


def test_judging() -> None:
    assert judge(small, 1).outcome is Outcome.PASS
    assert judge(small, 9).findings[0].message == "9 is not small"


def test_examining_nothing_is_an_error() -> None:
    result = judge(blind, 1)
    assert result.error
    assert result.error.kind is ErrorKind.NO_DATA


def test_a_crash_is_an_error_not_a_failure_and_not_a_pass() -> None:
    result = judge(crash, 1)
    assert result.error
    assert result.error.kind is ErrorKind.BUG


def refused_in_handshake() -> httpx.ConnectError:
    """As httpx raises it: around another library's, around that of ssl."""
    try:
        try:
            try:
                raise ssl.SSLCertVerificationError(1, "certificate verify failed")
            except ssl.SSLError as error:
                raise OSError("no connection") from error
        except OSError as error:
            raise httpx.ConnectError("no connection") from error
    except httpx.ConnectError as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused_in_handshake(), ErrorKind.UNTRUSTED),
        (CannotRun(ErrorKind.LOGIN_WALL, "wall"), ErrorKind.LOGIN_WALL),
        (httpx.ConnectError("refused"), ErrorKind.UNREACHABLE),
        (httpx.ReadTimeout("slow"), ErrorKind.TIMEOUT),
        (TimeoutError(), ErrorKind.TIMEOUT),
        (ConnectionResetError(), ErrorKind.UNREACHABLE),
        (asyncio.CancelledError(), ErrorKind.INTERRUPTED),
        (ModuleNotFoundError(name="locust"), ErrorKind.TOOL_MISSING),
        (httpx.DecodingError("incorrect header"), ErrorKind.BAD_OUTPUT),
        (ExceptionGroup("both", [httpx.ConnectError("refused"), ValueError()]), ErrorKind.UNREACHABLE),
        (ValueError("odd"), ErrorKind.BUG),
    ],
)
def test_what_an_exception_means(error: BaseException, kind: ErrorKind) -> None:
    assert explain(error).kind is kind
    assert explain(error).message


async def test_a_probe_without_an_answer_makes_every_check_an_error() -> None:
    async def probe() -> int:
        raise httpx.ConnectError("refused")

    results = await probe_and_judge([small, blind], probe, timeout_s=5)
    assert [r.error and r.error.kind for r in results] == [ErrorKind.UNREACHABLE] * 2


async def test_a_probe_that_hangs_ends() -> None:
    async def probe() -> int:
        await asyncio.Event().wait()
        return 1

    (result,) = await probe_and_judge([small], probe, timeout_s=0.05)
    assert result.error
    assert result.error.kind is ErrorKind.TIMEOUT


async def test_a_stage_that_crashes_or_hangs_is_an_error_of_each_check() -> None:
    async def crashes() -> StageReport:
        raise RuntimeError("boom")

    async def hangs() -> StageReport:
        await asyncio.Event().wait()
        raise AssertionError

    for body, kind in ((crashes, ErrorKind.BUG), (hangs, ErrorKind.TIMEOUT)):
        made = await run_stage(
            "smoke", SUBJECT, body, specs=[small.spec, blind.spec], timeout_s=0.05, progress=Silence()
        )
        assert [r.error and r.error.kind for r in made.results] == [kind, kind]


async def test_a_stage_that_works_keeps_its_report() -> None:
    async def works() -> StageReport:
        return report(passed())

    made = await run_stage("smoke", SUBJECT, works, specs=[], timeout_s=5, progress=Silence())
    assert made.outcome is Outcome.PASS


class Module:
    """Stands for a module: `vars` of it is all that is looked at."""

    def __init__(self, **names: object) -> None:
        vars(self).update(names)


def test_collecting_refuses_two_checks_of_one_id() -> None:
    other = Check(spec("smoke/small"), small.judge)
    assert collect(Module(small=small, alias=small, blind=blind)) == (small, blind)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two checks are called smoke/small"):
        collect(Module(small=small, other=other))  # type: ignore[arg-type]


def test_declarations_of_pytest_functions_are_found() -> None:
    @declare(spec("smoke/page"))
    def test_page() -> None: ...

    assert [s.id for s in declared(Module(test_page=test_page, small=small))] == ["smoke/page", "smoke/small"]  # type: ignore[arg-type]
