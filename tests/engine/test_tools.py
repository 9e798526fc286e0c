import asyncio
import contextlib
import os
import sys

import psutil
import pytest

from ci.engine.tools import run_tool
from ci.errors import CannotRun
from ci.model import ErrorKind


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def refusal(code: str, timeout_s: float = 20) -> CannotRun:
    with pytest.raises(CannotRun) as caught:
        await run_tool(python(code), timeout_s=timeout_s)
    return caught.value


async def test_output_lines_and_json() -> None:
    lines: list[str] = []
    run = await run_tool(python("print('[1,'); print('2]')"), timeout_s=20, on_line=lines.append)
    assert (run.exit_code, run.json(), lines) == (0, [1, 2], ["[1,", "2]"])


async def test_a_conversation_ends_with_the_one_who_listens() -> None:
    """What is given back to a line is written to the program, whose standard input stays open meanwhile."""
    talkative = "print('name?', flush=True); print('hello', input()); print('bye?', flush=True); print(input())"
    answers = {"name?": "Ana", "bye?": "see you"}
    run = await run_tool(python(talkative), timeout_s=20, on_line=answers.get, conversing=True)
    assert run.stdout.splitlines() == ["name?", "hello Ana", "bye?", "see you"]


async def test_nobody_talks_to_a_program_that_does_not_converse() -> None:
    run = await run_tool(python("import sys; print(repr(sys.stdin.read()))"), timeout_s=20, on_line=lambda line: "?")
    assert run.stdout.strip() == "''"


async def test_a_missing_program() -> None:
    with pytest.raises(CannotRun, match="`no-such-tool` is not installed") as caught:
        await run_tool(["no-such-tool"], timeout_s=20)
    assert caught.value.kind is ErrorKind.TOOL_MISSING


async def test_an_unwanted_exit_code_carries_the_last_words() -> None:
    error = await refusal("import sys; sys.exit('disk full')")
    assert error.kind is ErrorKind.TOOL_FAILED
    assert "disk full" in str(error)
    assert (await run_tool(python("raise SystemExit(5)"), timeout_s=20, ok=(0, 5))).exit_code == 5


async def test_garbage_instead_of_json() -> None:
    run = await run_tool(python("print('oops')"), timeout_s=20)
    with pytest.raises(CannotRun, match="printed no JSON, but: oops"):
        run.json()


async def test_output_that_is_not_text_and_very_long_lines_are_borne() -> None:
    run = await run_tool(python("import sys; sys.stdout.buffer.write(b'\\xff' * 200_000)"), timeout_s=20)
    assert len(run.stdout) == 200_000


WITH_CHILD = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


def all_end(pids: list[int]) -> bool:
    """Whether all of them are gone, or go at once: a killed process takes a moment to die."""
    running = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            running.append(psutil.Process(pid))
    return not psutil.wait_procs(running, timeout=20)[1]


async def test_a_hanging_program_and_its_children_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci.engine.tools.GRACE_S", 0.1)
    pids: list[int] = []
    with pytest.raises(CannotRun) as caught:
        await run_tool(python(WITH_CHILD), timeout_s=1.5, on_line=lambda line: pids.extend(map(int, line.split())))
    assert caught.value.kind is ErrorKind.TIMEOUT
    assert len(pids) == 2
    assert all_end(pids)


async def test_cancelling_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci.engine.tools.GRACE_S", 0.1)
    started = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_tool(python(WITH_CHILD), timeout_s=60, on_line=started.set_result))
    pids = [int(pid) for pid in (await started).split()]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all_end(pids)


async def test_the_environment_is_only_what_is_given() -> None:
    env = {"PATH": os.environ["PATH"], "ONLY": "this"}
    run = await run_tool(python("import os; print('HOME' in os.environ, os.environ['ONLY'])"), timeout_s=20, env=env)
    assert run.stdout.split() == ["False", "this"]
