"""The commands, as processes: what they print, how they fail, how they end."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.demo.launching import EMAIL, ENVIRONMENT, HOST, PASSWORD, client, running

ROOT = Path(__file__).parents[2]
SECONDS = 60


@contextmanager
def _process(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running ``python -m demo …`` and the URL that it announced."""
    with subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=ROOT,
        env={**ENVIRONMENT, "LOG_LEVEL": "INFO", **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            yield process, json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def test_serve_announces_itself_logs_json_and_ends_with_its_parent() -> None:
    with _process("serve", "--port", "0", "--until-eof") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/api/health?token=s3cret").status_code == 200
        stdout, stderr = process.communicate(timeout=SECONDS)  # closes its standard input
    assert (process.returncode, stdout) == (0, "")
    lines = [json.loads(line) for line in stderr.splitlines()]
    [request] = [line for line in lines if line["event"] == "request"]
    assert (request["path"], request["status"], len(request["request_id"])) == ("/api/health", 200, 32)
    assert "s3cret" not in stderr


@pytest.mark.parametrize("command", ["serve", "vendors"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(command: str, number: signal.Signals) -> None:
    with _process(command, LOG_LEVEL="WARNING") as (process, url):
        httpx.get(f"{url}/api/health")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stderr) == (0, "")


def test_it_does_not_outlive_a_parent_that_was_killed() -> None:
    parent = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-m', 'demo', 'serve', '--until-eof'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE); sys.stdout.buffer.write(child.stdout.readline());"
        " sys.stdout.flush(); child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        url = json.loads(process.stdout.readline())["url"]
        process.kill()
        # The child holds the other end of the parent's stderr: its end is the end of the child.
        os.set_blocking(process.stderr.fileno(), True)
        process.stderr.read()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


@pytest.mark.parametrize("command", ["serve", "expired-token"])
def test_wrong_settings_fail_with_a_list_and_exit_code_2(command: str) -> None:
    environment = {"VERCEL_ENV": "production", "DEMO_FLAWS": "no-hst"}
    done = subprocess.run(
        [sys.executable, "-m", "demo", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "SECRET_KEY: is required in production" in done.stderr
    assert "'no-hsts'" in done.stderr
    assert "Traceback" not in done.stderr


def test_expired_token_needs_the_key() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "expired-token"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "SECRET_KEY" in done.stderr


def test_detailed_health_really_asks_the_vendors() -> None:
    with _process("vendors", "--until-eof") as (vendors, address):
        addresses = dict.fromkeys(("STRIPE_BASE_URL", "SUPABASE_URL", "VECTOR_STORE_URL"), address)
        with running(OPENAI_BASE_URL=address, **addresses) as url, client(url) as http:
            up = http.get("/api/health/detailed")
            assert up.status_code == 200
            assert {service["status"] for service in up.json()["services"].values()} == {"up"}
            vendors.communicate(timeout=SECONDS)
            down = http.get("/api/health/detailed")
            assert (down.status_code, down.json()["status"]) == (503, "degraded")
            assert down.json()["services"]["stripe"]["status"] == "down"
            assert down.json()["services"]["database"]["status"] == "up"
            assert http.get("/api/health").status_code == 200


def test_vercel_entry_runs_the_package_from_a_folder_of_any_name(tmp_path: Path) -> None:
    copy = tmp_path / "storefront"
    shutil.copytree(ROOT / "demo", copy, ignore=shutil.ignore_patterns("__pycache__"))
    config = json.loads((copy / "vercel.json").read_text())
    [entry] = config["functions"]
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('index', {str(copy / entry)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "assert sys.modules['demo'].__file__.startswith(" + repr(str(copy)) + ")\n"
        "from demo.serving import serve\n"
        "serve(module.app, port=0, until_eof=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**ENVIRONMENT, "VERCEL": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            with client(json.loads(process.stdout.readline())["url"], host=HOST) as http:
                assert http.get("/api/health").json()["commit"] == ENVIRONMENT["VERCEL_GIT_COMMIT_SHA"]
                assert http.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD}).status_code == 200
                for cron in config["crons"]:
                    assert http.get(cron["path"]).status_code == 401
        finally:
            process.communicate(timeout=SECONDS)


def test_unexpected_errors_reach_sentry_without_their_text() -> None:
    received: list[tuple[str, str, str]] = []

    class Sentry(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            received.append((self.path, self.headers["x-sentry-auth"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Sentry)
    server.timeout = SECONDS
    listener = Thread(target=server.handle_request)
    listener.start()
    dsn = f"http://public@127.0.0.1:{server.server_port}/42"
    with running(SENTRY_DSN=dsn, DEMO_FLAWS="tiers-500") as url, client(url) as http:
        request_id = http.get("/api/auth/tiers").json()["request_id"]
        listener.join(SECONDS)
    server.server_close()
    [(path, authorization, body)] = received
    assert path == "/api/42/envelope/"
    assert "sentry_key=public" in authorization
    event = json.loads(body.splitlines()[2])
    assert event["tags"]["request_id"] == request_id
    assert event["exception"]["values"][0] == {"type": "RuntimeError", "value": "see the log"}
