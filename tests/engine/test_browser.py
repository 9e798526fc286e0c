"""Finding a browser, and getting one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci.engine import browser
from ci.engine.browser import arguments, find_browser, install, main
from ci.errors import CannotRun
from ci.model import ErrorKind


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a machine without any browser."""
    monkeypatch.setattr(browser, "PLACES", (str(tmp_path / "usual/chrome"),))
    monkeypatch.delenv(browser.VARIABLE, raising=False)
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_named_one_comes_first(machine: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin/chromium")
    named = program(tmp_path / "mine/chrome")
    assert find_browser({**machine, "GONOGO_BROWSER": str(named)}) == named
    assert find_browser({**machine, "GONOGO_BROWSER": "chromium"}) == tmp_path / "bin/chromium"


def test_a_wrong_name_is_not_passed_over(machine: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin/chromium")
    with pytest.raises(CannotRun, match="GONOGO_BROWSER names /nowhere") as caught:
        find_browser({**machine, "GONOGO_BROWSER": "/nowhere"})
    assert caught.value.kind is ErrorKind.TOOL_MISSING


def test_places_in_their_order(machine: dict[str, str], tmp_path: Path) -> None:
    downloads = tmp_path / "home/.cache/ms-playwright"
    program(downloads / "chromium-999/chrome-linux/chrome")
    newest = program(downloads / "chromium-1200/chrome-linux64/chrome")
    assert find_browser(machine) == newest
    usual = program(tmp_path / "usual/chrome")
    assert find_browser(machine) == usual
    chromium = program(tmp_path / "bin/chromium")
    assert find_browser(machine) == chromium
    chrome = program(tmp_path / "bin/google-chrome")
    assert find_browser(machine) == chrome


def test_another_folder_of_downloads(machine: dict[str, str], tmp_path: Path) -> None:
    found = program(tmp_path / "elsewhere/chromium-7/chrome-linux/chrome")
    assert find_browser({**machine, "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "elsewhere")}) == found


def test_none_at_all_says_what_to_do(machine: dict[str, str]) -> None:
    with pytest.raises(CannotRun, match="--install") as caught:
        find_browser(machine)
    assert caught.value.kind is ErrorKind.TOOL_MISSING


async def test_playwright_is_asked_first(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chrome = tmp_path / "home/.cache/ms-playwright/chromium-1/chrome-linux/chrome"
    fake = f"#!/bin/sh\n/bin/mkdir -p {chrome.parent} && echo '#!/bin/sh' > {chrome} && /bin/chmod 755 {chrome}\n"
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / "python", fake)))
    assert await install(machine) == chrome
    assert "Playwright's own download" in capsys.readouterr().out


async def test_then_debians_package(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "executable", str(program(tmp_path / "python", "#!/bin/sh\necho no network >&2; exit 1\n"))
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    called, chromium = tmp_path / "called", tmp_path / "bin/chromium"
    gets_it = f'[ "$1" = update ] || {{ echo "#!/bin/sh" > {chromium}; /bin/chmod 755 {chromium}; }}'
    fake = f'#!/bin/sh\necho "$@" >> {called}\n{gets_it}\n'
    program(tmp_path / "bin/apt-get", fake)
    assert await install(machine) == chromium
    assert called.read_text().splitlines() == ["update", "install --yes --no-install-recommends chromium"]
    assert "no network" in capsys.readouterr().out


async def test_nothing_works(machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "executable", str(program(tmp_path / "python", "#!/bin/sh\necho no network >&2; exit 1\n"))
    )
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    program(tmp_path / "bin/apt-get", "#!/bin/sh\nexit 1\n")
    with pytest.raises(CannotRun, match="no network") as caught:
        await install(machine)
    assert "Debian" not in str(caught.value), "only root may install packages"


def test_only_root_goes_without_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--no-sandbox" in arguments()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "--no-sandbox" not in arguments()


def test_installing_again_does_nothing(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chromium = program(tmp_path / "bin/chromium")
    monkeypatch.setenv("PATH", machine["PATH"])
    assert main(["--install"]) == 0
    assert capsys.readouterr().out == f"browser: {chromium}\n"


@pytest.mark.parametrize("options", [[], ["--install"]])
def test_the_command_fails_when_the_named_browser_is_not_there(options: list[str]) -> None:
    """Nothing is installed in place of what somebody has named."""
    run = subprocess.run(
        [sys.executable, "-m", "ci.engine.browser", *options],
        env={**os.environ, "GONOGO_BROWSER": "/nowhere/chrome"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert "/nowhere/chrome" in run.stderr
    assert run.stdout == ""
