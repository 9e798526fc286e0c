"""The harness sees what a run shows, and notices what act would pass over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from tests.workflows.acting import Act, act
from tests.workflows.checkout import Repository
from tests.workflows.environment import restore

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1"
CALLER = f"""
name: Small
on: [push]
permissions: {{}}
jobs:
  first:
    runs-on: ubuntu-24.04
    outputs: {{word: "${{{{ steps.say.outputs.word }}}}"}}
    steps:
      - uses: {CHECKOUT}
      - id: say
        run: |
          echo "word=$(cat word.txt)" >> "$GITHUB_OUTPUT"
          echo "## Said" >> "$GITHUB_STEP_SUMMARY"
          echo "::warning file=word.txt,line=1::look here"
          echo "the token is $TOKEN"
          git rev-parse --verify --quiet HEAD~1 || echo "as shallow as on GitHub"
          mkdir -p found/.hidden && echo told > found/one.txt && echo no > found/.hidden/two.txt
        env: {{TOKEN: "${{{{ secrets.TOKEN }}}}"}}
      - uses: {UPLOAD}
        with: {{name: kept, path: found/}}
  middle:
    needs: first
    uses: ./.github/workflows/called.yml
    with: {{word: "${{{{ needs.first.outputs.word }}}}"}}
  never:
    needs: first
    if: needs.first.outputs.word == 'else'
    runs-on: ubuntu-24.04
    steps: [{{run: "true"}}]
  last:
    needs: [middle, never]
    if: always()
    runs-on: ubuntu-24.04
    steps:
      - uses: {DOWNLOAD}
        with: {{name: kept}}
      - run: test "$ANSWER" = "HELLO" && test "$(cat one.txt)" = told && exit 3
        env: {{ANSWER: "${{{{ needs.middle.outputs.answer }}}}"}}
"""
CALLED = """
name: Called
on:
  workflow_call:
    inputs: {word: {type: string, required: true}}
    outputs: {answer: {value: "${{ jobs.inner.outputs.answer }}"}}
jobs:
  inner:
    runs-on: ubuntu-24.04
    outputs: {answer: "${{ steps.up.outputs.answer }}"}
    steps:
      - id: up
        run: echo "answer=${WORD^^}" >> "$GITHUB_OUTPUT"
        env: {WORD: "${{ inputs.word }}"}
"""
LONE = "name: Small\non: [push]\njobs: {only: {runs-on: %s, steps: [%s]}}"


def repository(folder: Path, **files: str) -> Repository:
    workflows = {f".github/workflows/{name}.yml": text for name, text in files.items()}
    made = Repository.make(folder / "repository", {**workflows, "word.txt": "hello"}, remote="acme/small")
    made.commit({"word.txt": "hello\n"}, "second")
    return made


def lone(folder: Path, *, runner: str = "ubuntu-24.04", step: str) -> Act:
    return Act(workflow="small.yml", event="push", repository=repository(folder, small=LONE % (runner, step)))


async def test_what_a_run_shows_is_seen(tmp_path: Path) -> None:
    what = Act(
        workflow="small.yml",
        event="push",
        repository=repository(tmp_path, small=CALLER, called=CALLED),
        secrets={"TOKEN": "canary-in-the-mine"},
    )
    run = await act(what, tmp_path / "act")
    assert run.jobs == {"first": "success", "middle/inner": "success", "never": "skipped", "last": "failure"}, run.log
    assert run.code == 1
    assert run.outputs[("first", "word")] == "hello"
    assert run.outputs[("middle/inner", "answer")] == "HELLO"
    assert run.summary == "## Said\n"
    assert [(item.level, item.message, item.place["line"]) for item in run.annotations] == [
        ("warning", "look here", "1")
    ]
    assert run.artifacts == {"kept": ["one.txt"]}
    assert "as shallow as on GitHub" in run.text("first")
    assert "canary-in-the-mine" in run.told(), "a secret in the log must be seen although GitHub would mask it"


async def test_a_runner_that_act_does_not_know_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="windows-latest"):
        await act(lone(tmp_path, runner="windows-latest", step="{run: 'true'}"), tmp_path / "act")


async def test_an_action_without_a_stand_in_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no stand-in for acme/unknown"):
        await act(lone(tmp_path, step="{uses: acme/unknown@v1}"), tmp_path / "act")


async def test_a_workflow_that_act_cannot_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="act ran nothing"):
        await act(lone(tmp_path, step="{runs: what}"), tmp_path / "act")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (f"{{uses: {DOWNLOAD.partition(' ')[0]}, with: {{name: gone}}}}", "Artifact not found"),
        (
            f"{{uses: {UPLOAD.partition(' ')[0]}, with: {{path: gone/, if-no-files-found: error}}}}",
            "No files were found",
        ),
    ],
)
async def test_the_artifacts_stand_ins_are_strict(tmp_path: Path, steps: str, said: str) -> None:
    run = await act(lone(tmp_path, step=steps), tmp_path / "act")
    assert run.jobs == {"only": "failure"}
    assert any(said in item.message for item in run.annotations) or said in run.text()


async def test_a_run_that_hangs_is_ended_with_all_it_has_started(tmp_path: Path) -> None:
    what = lone(tmp_path, step="{run: sleep 987654}")
    task = asyncio.ensure_future(act(what, tmp_path / "act"))
    # Looked for by its arguments: it has them only when the shell has become it, some time after the step began.
    while not (
        sleeping := [item for item in psutil.process_iter(["cmdline"]) if "987654" in (item.info["cmdline"] or ())]
    ):
        assert not task.done(), task.exception()
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, alive = await asyncio.to_thread(psutil.wait_procs, sleeping, timeout=20)
    assert alive == []


async def test_an_environment_holds_what_its_lock_names_and_no_more(tmp_path: Path) -> None:
    restore(tmp_path / "environment", ["deploy"])
    python = tmp_path / "environment" / "bin" / "python"
    for module, code in (("psycopg", 0), ("ci.cli", 0), ("locust", 1)):
        process = await asyncio.create_subprocess_exec(
            str(python), "-c", f"import {module}", cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL
        )
        assert await process.wait() == code, module
    with pytest.raises(AssertionError, match="has no lock"):
        restore(tmp_path / "other", ["deploy", "nonsense"])
