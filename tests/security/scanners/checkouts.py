"""Git repositories for the tests."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from ci.config.shape.gate import Gate
from ci.config.shape.security import Code
from ci.gate.policy import decide
from ci.model import CheckError, CheckResult, Decision, Outcome, StageReport
from ci.security.scanners.repository import open_repository
from ci.security.scanners.scan import scan
from ci.security.scanners.scanner import Examined, Scanner
from tests.runs import SUBJECT, run_on


class Checkout:
    """A git repository below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.email", "ana@example.com")
        self.git("config", "user.name", "Ana")
        self.commit("begin")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    def write(self, files: dict[str, str | bytes]) -> Checkout:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self

    def commit(self, message: str = "more") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    async def look(self, scanner: Scanner, **code: object) -> Examined:
        """What one scanner sees; its exceptions come through."""
        settings = Code.model_validate(code)
        return await scanner.look(await open_repository(self.root, exclude=settings.exclude), settings)

    async def scan(self, *only: str, since: str | None = None, **code: object) -> dict[str, CheckResult]:
        """The results of the code scan, by check."""
        import dataclasses

        run = run_on("http://127.0.0.1:9", self.root.parent / "evidence", security={"code": code})
        run = dataclasses.replace(run, folder=self.root, since=since)
        return {result.spec.id: result for result in await scan(run, only=only or None)}

    async def no_answer(self, check: str, **code: object) -> CheckError:
        """The error of one check, which the gate must make a HOLD."""
        begin = datetime.now(UTC)
        results = await self.scan(check, **code)
        report = StageReport(
            stage="security",
            subject=SUBJECT,
            started_at=begin,
            finished_at=datetime.now(UTC),
            results=tuple(results.values()),
        )
        verdict = decide(Gate(), SUBJECT, [report], now=report.finished_at, only=("security",), target=False)
        assert verdict.decision is Decision.HOLD, verdict
        error = results[check].error
        assert error
        assert results[check].outcome is Outcome.ERROR
        return error
