"""Episodes as GitHub issues: opened once, kept up to date in place, closed with a comment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ci.config.shape.alerts import GitHubAlerts
from ci.engine.github import connect
from ci.engine.issues import Issues
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.alerts.notice import Notice
from ci.monitor.facts import Priority


@dataclass(frozen=True, slots=True)
class IssueChannel:
    settings: GitHubAlerts
    environ: Mapping[str, str]
    redact: Redactor
    name: str = "github"
    in_place: bool = True

    @property
    def at_least(self) -> Priority:
        return Priority(self.settings.at_least)

    async def deliver(self, notice: Notice) -> str:
        """The issue's number. The marker in its text makes it one issue, even when this is done twice."""
        async with connect(self.environ, self.redact) as github:
            if github is None:
                missing = next(name for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY") if not self.environ.get(name))
                raise CannotRun(ErrorKind.MISCONFIGURED, f"{missing} is not set")
            issues = Issues(github, self.settings.label, description="Opened and closed by Gonogo's monitoring")
            key, began = f"incident {notice.episode.id}", notice.episode.began
            if notice.event == "closed":
                text = notice.markdown()
                issue = await issues.close(key, notice.title, text, notice.farewell(), since=began)
            else:
                issue = await issues.keep(key, notice.title, notice.markdown(), since=began)
            return str(issue.number)
