"""How commands end when they have no result: a sentence, JSON where it is wanted, an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ci.__main__
from ci.cli import SECTIONS, cli
from ci.cli.ending import run

CODES = {0, 1, 2, 3}
CONFIG = "target: {production: 'http://127.0.0.1:1'}\ngate: {required: [smoke]}\n"
Ended = tuple[int, str, str]


@pytest.fixture
def gonogo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ended]]:
    """The command line in this process, in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GONOGO_NEEDS", "GITHUB_EVENT_NAME", "VERCEL_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def called(*arguments: str) -> Ended:
        try:
            code: object = run(cli, arguments)
        except SystemExit as ended:
            code = ended.code
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return int(str(int(code or 0) if isinstance(code, int) or code is None else code)), told.out, told.err

    yield called


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"? [a]\n: b\n", "a key must be a word, not a list"),
        (b"{", "is not valid YAML"),
        (b"target: 3\n", "`target`"),
        (b"target: {production: 'http://a:99999'}\n", "Port out of range"),
        (b"target: {production: 'http://a..b'}\n", "label empty or too long"),
        (b"target: {production: 'http://a b'}\n", "is not a URL"),
        (b"target: {production: 'http://a.b'}\nmonitor: {timeout: 99999999999999999999d}\n", "longer than anything"),
        (b"target: {production: 'http://a.b'}\nmonitor: {witnesses: ['http://[']}\n", "Invalid IPv6"),
        (b"target: {production: 'http://a.b'}\nmonitor: {names: [{host: '..'}]}\n", "is not a URL"),
        (None, "cannot be read"),
    ],
)
def test_a_configuration_that_is_none(
    gonogo: Callable[..., Ended], tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is None:
        (tmp_path / "gonogo.yaml").mkdir()
    else:
        (tmp_path / "gonogo.yaml").write_bytes(content)
    code, out, err = gonogo("monitor", "cost", "--json")
    assert (code, words in err) == (2, True), err
    assert json.loads(out) == {"error": err.rstrip("\n"), "exit_code": 2}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("check", "--nonsense"), 2, "No such option"),
        (("chekc",), 2, "No such command"),
        (("explain", "security/htst"), 2, "did you mean"),
        (("gate",), 3, "there are no reports"),
        (("report",), 3, "there are no reports"),
        (("gate", "--evidence", "gonogo.yaml/below"), 3, "there are no reports"),
        (("check", "smoke", "--evidence", "gonogo.yaml/below"), 3, "Not a directory"),
        (("monitor", "run", "--history", "gonogo.yaml/below"), 3, "cannot be written"),
        (("monitor", "page", "--history", "none", "--out", "gonogo.yaml/below"), 3, "cannot be written"),
        (("monitor", "figures", "--history", "mysql://x"), 2, "cannot be kept at"),
        (("monitor", "run", "--every", "7s", "--for", "1m"), 2, "must fill a day"),
        (("waive", "f", "--owner", "o", "--reason", "r", "--expires", "2001-01-01"), 2, "is past"),
        (("release", "--deployment", "dpl_1"), 2, "VERCEL_TOKEN"),
        (("workflow", "enforce"), 3, "GONOGO_NEEDS"),
    ],
)
def test_why_a_command_has_no_result_is_told_to_people_and_to_programs(
    gonogo: Callable[..., Ended], tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "gonogo.yaml").write_text(CONFIG)
    assert gonogo(*arguments)[0] == code
    ended, out, err = gonogo(*arguments, "--json")
    assert (ended, words in err) == (code, True), err
    told = json.loads(out)
    assert told["exit_code"] == code
    assert "error" in told or told["problems"]


def test_evidence_of_another_version_is_named_as_that(gonogo: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "gonogo.yaml").write_text(CONFIG)
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "smoke.json").write_text('{"schema_version": 99}')
    code, _, err = gonogo("gate")
    assert code == 3
    assert "smoke.json is not a StageReport" in err
    assert "another version of Gonogo" in err


def test_a_defect_of_our_own_is_a_sentence_and_with_v_the_rest(
    gonogo: Callable[..., Ended], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("ci.report.docs.listing", broken)
    code, out, err = gonogo("checks")
    assert (code, out) == (3, "")
    assert "Gonogo itself has a defect here (ZeroDivisionError at ci/cli/catalogue.py:" in err
    assert run(cli, ["checks", "-v"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_while_the_command_line_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ci.cli.main", interrupted)
    with pytest.raises(SystemExit) as ended:
        ci.__main__.main()
    assert ended.value.code == 130


@pytest.mark.parametrize(
    ("redirected", "code"),
    [(">&- 2>&- <&-", 0), (">/dev/full", 3), ("| head -c 1", 0)],
    ids=["closed", "full", "a reader that has gone"],
)
def test_streams_that_take_nothing(tmp_path: Path, redirected: str, code: int) -> None:
    line = f'"{sys.executable}" -m ci checks {redirected}'
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), "LC_ALL": "C"}
    environ |= {"PYTHONIOENCODING": "ascii"}
    command = ["/bin/sh", "-c", line]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


def test_the_list_of_commands_is_whole_and_no_sentence_in_it_is_cut_off(gonogo: Callable[..., Ended]) -> None:
    listed = [command for section in SECTIONS.values() for command in section]
    assert listed == list(cli.commands.values())
    for group in ((), ("monitor",), ("load",), ("workflow",)):
        code, out, _ = gonogo(*group, "--help")
        assert (code, "..." in out.partition("ommands")[2]) == (0, False), out
    for path, command in commands():
        assert all(getattr(p, "help", "") for p in command.params if isinstance(p, click.Option)), path


WORDS = "-1|0|1e309|a\nb|é☃|/|file|folder|binary|gonogo.yaml|none|http://[|--|branch:-x|url:NOPE|sqlite://|1/0|:|60s"
NASTY = st.sampled_from(["", " ", "sqlite:///folder", "postgresql+no://x", "x" * 3000, *WORDS.split("|")])
QUIET = [path for path, _ in commands() if path[0] not in {"rehearse", "drill", "check", "load"}]
QUIET = [path for path in QUIET if path not in {("monitor", "run"), ("workflow", "fork"), ("workflow", "freshness")}]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_words_make_a_traceback(gonogo: Callable[..., Ended], tmp_path: Path, data: st.DataObject) -> None:
    """Of the commands that make no requests without a token, with options that mean nothing, or too much."""
    (tmp_path / "folder").mkdir(exist_ok=True)
    (tmp_path / "file").write_text("hello\n")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "gonogo.yaml").write_text(CONFIG)
    path = data.draw(st.sampled_from(QUIET))
    words = list(path)
    for option in dict(commands())[path].params:
        if isinstance(option, click.Option) and not option.is_flag and (option.required or data.draw(st.booleans())):
            words += [option.opts[0], data.draw(NASTY)]
        elif isinstance(option, click.Argument):
            words += [data.draw(NASTY) for _ in range(data.draw(st.integers(0, 2)))]
    code, out, err = gonogo(*words)
    assert code in CODES
    assert "Gonogo itself has a defect" not in err, err
    assert code == 0 or err or out
