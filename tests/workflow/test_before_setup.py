"""The two programs that run before anything is installed: the set-up itself, and the status that holds a domain."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.servers import serving
from tests.workflow.conftest import SHA, Occur, vercel_event

ACTIONS = Path(__file__).parents[2] / ".github" / "actions"


async def run(script: str, *arguments: str, **environ: str) -> tuple[int, str]:
    env = {"PATH": os.environ["PATH"], "HOME": environ.get("HOME", "/nonexistent"), **environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(ACTIONS / script), *arguments),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 60)
    assert b"Traceback" not in told, told
    assert process.returncode is not None
    return process.returncode, told.decode()


# -- being judged


async def published(occur: Occur, event: object, statuses: list[int]) -> tuple[int, str, list[dict[str, Any]]]:
    """Exit code, words, and what GitHub was sent; it answers with these statuses, the last one again and again."""
    seen: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append({"path": request.path, "token": request.headers["authorization"], **await request.json()})
        return web.json_response({}, status=statuses.pop(0) if len(statuses) > 1 else statuses[0])

    async with serving({"*": answer}) as url:
        environ = occur("repository_dispatch", event) | {
            "GITHUB_API_URL": url,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_TOKEN": "canary-token",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_RUN_ID": "9",
        }
        code, words = await run("being-judged/status.py", **environ)
    assert "canary-token" not in words
    return code, words, seen


async def test_the_domain_is_held_by_a_terminal_failure(occur: Occur) -> None:
    code, words, seen = await published(occur, vercel_event(), [503, 201])
    assert (code, len(seen)) == (0, 2), words
    assert seen[1]["path"] == f"/repos/acme/shop/statuses/{SHA}"
    assert (seen[1]["state"], seen[1]["context"]) == ("failure", "gonogo/production")
    assert seen[1]["token"] == "Bearer canary-token"


@pytest.mark.parametrize(
    "event",
    [
        vercel_event(git={"sha": "../../other/repo/statuses/" + SHA}),
        vercel_event(git=None),
        vercel_event(environment="production\nx"),
        {"client_payload": []},
        [],
    ],
)
async def test_nothing_goes_anywhere_for_a_forged_event(occur: Occur, event: object) -> None:
    code, words, seen = await published(occur, event, [201])
    assert code != 0
    assert "was not published" in words
    assert seen == []


async def test_a_refusal_is_said(occur: Occur) -> None:
    code, words, seen = await published(occur, vercel_event(), [403])
    assert (code != 0, len(seen)) == (True, 1)
    assert "statuses: write" in words


# -- the set-up


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the set-up action and its own little locks."""
    root = tmp_path / "repo"
    shutil.copytree(ACTIONS / "setup", root / ".github" / "actions" / "setup")
    (root / "requirements").mkdir()
    for name in ("bootstrap", "deploy", "smoke"):
        (root / "requirements" / f"{name}.txt").write_text(f"# {name}\n")
    return root


async def setup(root: Path, step: str, extras: str, tmp_path: Path, **more: str) -> tuple[int, str, dict[str, str]]:
    output = tmp_path / "output"
    output.write_text("")
    files = {name: str(tmp_path / name.lower()) for name in ("GITHUB_PATH", "GITHUB_ENV")}
    code, words = await run(
        str(root / ".github/actions/setup/install.py"),
        step,
        HOME=str(tmp_path),
        EXTRAS=extras,
        RUNNER_OS="Linux",
        RUNNER_TEMP=str(tmp_path / "temp"),
        GITHUB_OUTPUT=str(output),
        **files,
        **more,
    )
    return code, words, dict(line.split("=", 1) for line in output.read_text().splitlines())


async def test_the_key_follows_the_locks_of_the_extras_alone(repository: Path, tmp_path: Path) -> None:
    _, _, first = await setup(repository, "place", "smoke,deploy", tmp_path)
    _, _, same = await setup(repository, "place", " deploy , smoke ", tmp_path)
    assert first["key"] == same["key"]
    assert "-deploy+smoke-" in first["key"]
    (repository / "requirements" / "security.txt").write_text("# not asked for\n")
    _, _, unmoved = await setup(repository, "place", "smoke,deploy", tmp_path)
    (repository / "requirements" / "smoke.txt").write_text("# renewed\n")
    _, _, moved = await setup(repository, "place", "smoke,deploy", tmp_path)
    assert first["key"] == unmoved["key"] != moved["key"]
    _, _, browser = await setup(repository, "place", "smoke,deploy", tmp_path, BROWSER="true")
    assert browser["key"] != moved["key"]


async def test_a_complete_folder_is_taken_as_it_is(repository: Path, tmp_path: Path) -> None:
    _, _, placed = await setup(repository, "place", "deploy", tmp_path)
    folder = Path(placed["folder"])
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / ".ready").touch()
    (repository / "ci").mkdir()
    (repository / "ci" / "__main__.py").write_text("import sys; print('ran', *sys.argv[1:])\n")
    code, words, told = await setup(repository, "install", "deploy", tmp_path, STARTED=placed["started"])
    assert code == 0, words
    assert "from the cache" in words
    assert float(told["seconds"]) >= 0
    place = (tmp_path / "github_path").read_text().splitlines()[-1]
    process = await asyncio.create_subprocess_exec(
        f"{place}/gonogo", "checks", "a b", stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    assert (await process.communicate())[0].decode() == "ran checks a b\n"


@pytest.mark.parametrize("extras", ["", "smoke,nonsense", "../../etc/passwd"])
async def test_extras_without_a_lock(repository: Path, tmp_path: Path, extras: str) -> None:
    code, words, _ = await setup(repository, "place", extras, tmp_path)
    assert code != 0
    assert "wanted one or more of" in words


async def test_an_installation_that_fails_leaves_no_mark(repository: Path, tmp_path: Path) -> None:
    (repository / "requirements" / "deploy.txt").write_text("no-such-package-anywhere==1.0 --hash=sha256:00\n")
    shim = tmp_path / "bin"
    shim.mkdir()
    (shim / "uv").write_text('#!/bin/sh\ntest "$1" = --version && echo uv 1.2.3 || { echo offline >&2; exit 2; }\n')
    (shim / "uv").chmod(0o755)
    (repository / "requirements" / "bootstrap.txt").write_text("uv==1.2.3 --hash=sha256:00\n")
    path = f"{shim}:{os.environ['PATH']}"
    _, _, placed = await setup(repository, "place", "deploy", tmp_path)
    code, words, _ = await setup(repository, "install", "deploy", tmp_path, PATH=path)
    assert code != 0
    assert "offline" in words
    assert not (Path(placed["folder"]) / ".ready").exists()


def test_the_lock_of_vercels_command_line() -> None:
    folder = ACTIONS.parents[1] / "requirements" / "vercel"
    package, lock = (json.loads((folder / name).read_text()) for name in ("package.json", "package-lock.json"))
    assert lock["packages"][""]["dependencies"] == package["dependencies"]
    assert lock["packages"]["node_modules/vercel"]["integrity"].startswith("sha512-")
    assert lock["packages"]["node_modules/sandbox"]["version"] == package["overrides"]["sandbox"]
