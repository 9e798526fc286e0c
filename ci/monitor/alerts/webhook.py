"""Episodes as messages of a chat, in Slack's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from ci.config.shape.alerts import WebhookAlerts
from ci.engine.http import USER_AGENT, tls_context
from ci.engine.inert import one_line
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.alerts.notice import Notice
from ci.monitor.facts import Priority

TIMEOUT_S = 20.0
_COLOURS = {Priority.P0: "#b60205", Priority.P1: "#d93f0b", Priority.P2: "#fbca04", Priority.P3: "#c5def5"}
_OVER = "#0e8a16"
_BREAK = "\u200b"


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    settings: WebhookAlerts
    environ: Mapping[str, str]
    redact: Redactor
    name: str = "webhook"
    in_place: bool = False

    @property
    def at_least(self) -> Priority:
        return Priority(self.settings.at_least)

    async def deliver(self, notice: Notice) -> str:
        """Only an answer of 2xx is a delivery. The URL is a secret: it stands in no message."""
        variable = self.settings.url
        if not (url := self.environ.get(variable)):
            raise CannotRun(ErrorKind.MISCONFIGURED, f"{variable} is not set")
        settings: dict[str, Any] = {"timeout": TIMEOUT_S, "verify": tls_context(self.environ), "trust_env": False}
        try:
            async with httpx.AsyncClient(headers={"user-agent": USER_AGENT}, **settings) as http:
                answer = await http.post(url, json=message(notice, self.redact))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = f"{type(error).__name__} at the URL in {variable}"
            raise CannotRun(ErrorKind.UNREACHABLE, what) from None
        if not answer.is_success:
            raise CannotRun(ErrorKind.TOOL_FAILED, f"the URL in {variable} answered {answer.status_code}")
        return ""


def message(notice: Notice, redact: Redactor) -> dict[str, Any]:
    """https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments"""

    def shown(words: str) -> str:
        """As it is: `<!channel>` and `@all` call nobody."""
        words = redact(one_line(words)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return words.replace("@", f"@{_BREAK}")

    title = shown(notice.title)
    seen = "\n".join(f"• {shown(words)}" for words in notice.evidence)
    links = " · ".join(f"<{url}|{name}>" for name, url in notice.named_links())
    attachment = {
        "fallback": title,
        "color": _OVER if notice.event == "closed" else _COLOURS[notice.episode.priority],
        "text": "\n".join(part for part in (seen, links) if part),
        "fields": [{"title": name, "value": shown(value), "short": True} for name, value in notice.facts().items()],
        "footer": notice.id,
        "ts": int(notice.now.timestamp()),
    }
    return {"text": title, "attachments": [attachment]}
