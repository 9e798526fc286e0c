"""Watching for new errors after a promotion, in Sentry.

Sentry API, "List an Organization's Issues": https://docs.sentry.io/api/events/list-an-organizations-issues/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import pydantic

from ci.config.shape import Watch
from ci.deploy.context import Context
from ci.engine.http import USER_AGENT, tls_context
from ci.model import Subject

REQUEST_S = 20.0
SHOWN = 3
"""How many titles of new issues are told."""


class Issue(pydantic.BaseModel):
    """A group of equal errors."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    title: str = ""
    permalink: str = ""


_ISSUES = pydantic.TypeAdapter(list[Issue])


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watch has seen. `trouble`: why it could not see; that says nothing about production."""

    issues: tuple[Issue, ...] = ()
    trouble: str | None = None

    def exceeds(self, settings: Watch) -> bool:
        return len(self.issues) > settings.max_new_issues

    def __str__(self) -> str:
        if self.trouble:
            return f"new errors could not be watched for: {self.trouble}"
        titles = "; ".join(issue.title for issue in self.issues[:SHOWN])
        return f"{len(self.issues)} new issues: {titles}" if self.issues else "no new issues"


async def watch_errors(ctx: Context, settings: Watch, environ: Mapping[str, str], subject: Subject) -> Watched:
    """Look until the time is over, or until more new issues have come than are borne."""
    token = environ.get(settings.token)
    if not token:
        return Watched(trouble=f"{settings.token} is not set")
    deadline = ctx.clock() + settings.duration.total_seconds()
    headers = {"authorization": f"Bearer {token}", "user-agent": USER_AGENT}
    async with httpx.AsyncClient(
        base_url=settings.url, headers=headers, timeout=REQUEST_S, verify=tls_context(environ), trust_env=False
    ) as http:
        while True:
            seen = await _look(http, settings, subject)
            left = deadline - ctx.clock()
            if seen.exceeds(settings) or left <= 0:
                return seen
            await ctx.pause(min(left, settings.interval.total_seconds()))


async def _look(http: httpx.AsyncClient, settings: Watch, subject: Subject) -> Watched:
    release = settings.release.format(commit=subject.commit)
    query = {"query": f'project:{settings.project} firstRelease:"{release}"', "limit": "100"}
    try:
        answer = await http.get(f"/api/0/organizations/{settings.organization}/issues/", params=query)
        if answer.status_code != 200:
            return Watched(trouble=f"Sentry answered {answer.status_code} to the question for new issues of {release}")
        return Watched(tuple(_ISSUES.validate_json(answer.content)))
    except httpx.HTTPError as error:
        return Watched(trouble=f"Sentry could not be asked: {str(error) or type(error).__name__}")
    except pydantic.ValidationError:
        return Watched(trouble="Sentry's answer is not a list of issues")
