"""Episodes as e-mails by SMTP."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime

from ci.config.shape.alerts import MailAlerts
from ci.engine.http import tls_context
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.alerts.notice import Notice
from ci.monitor.facts import Priority

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class MailChannel:
    """To one recipient: a mailbox that is refused must not make the others hear of it again and again."""

    settings: MailAlerts
    to: str
    environ: Mapping[str, str]
    redact: Redactor
    in_place: bool = False

    @property
    def name(self) -> str:
        """Without the address itself: it is written into the history, which may be public."""
        return f"mail-{hashlib.sha256(self.to.encode()).hexdigest()[:8]}"

    @property
    def at_least(self) -> Priority:
        return Priority(self.settings.at_least)

    async def deliver(self, notice: Notice) -> str:
        """Delivered when the server has taken it."""
        import aiosmtplib

        settings = self.settings
        password = self.environ.get(settings.password) if settings.password else None
        if settings.password and not password:
            raise CannotRun(ErrorKind.MISCONFIGURED, f"{settings.password} is not set")
        mail = compose(notice, settings.sender, self.to, self.redact)
        try:
            await aiosmtplib.send(
                mail,
                hostname=settings.server,
                port=settings.port,
                username=settings.user,
                password=password,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                tls_context=tls_context(self.environ) if settings.security != "none" else None,
                timeout=TIMEOUT_S,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            words = self.redact(str(error) or type(error).__name__)
            raise CannotRun(ErrorKind.UNREACHABLE, f"{settings.server}:{settings.port}: {words}") from None
        return str(mail["Message-ID"])


def compose(notice: Notice, sender: str, to: str, redact: Redactor) -> EmailMessage:
    """What is told of one episode is one conversation, and the same message told again has the same id (RFC 5322)."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = redact(notice.title)
    mail["Date"] = format_datetime(notice.now)
    domain = sender.rpartition("@")[2]
    conversation = f"<{notice.episode.id}@{domain}>"
    first = notice.event == "opened"
    mail["Message-ID"] = conversation if first else f"<{notice.id}@{domain}>"
    if not first:
        mail["In-Reply-To"] = mail["References"] = conversation
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence note is to answer
    mail.set_content(redact(notice.plain()))
    return mail
