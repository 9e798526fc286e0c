"""What the handlers work with, built once at start."""

import secrets
from dataclasses import dataclass

from sqlalchemy import Engine
from starlette.requests import HTTPConnection

from . import database
from .accounts import Accounts
from .rate_limit import RateLimiter
from .sessions import Sessions
from .settings import Settings
from .tokens import Tokens


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the running application."""

    settings: Settings
    engine: Engine
    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    limiter: RateLimiter


def build(settings: Settings) -> Services:
    """Connect to the database, create the demo user, prepare the rest."""
    engine = database.connect(settings.database_url.get_secret_value())
    accounts = Accounts(engine)
    if settings.demo_user_email and settings.demo_user_password:
        accounts.ensure(settings.demo_user_email, settings.demo_user_password.get_secret_value())
    # Outside production a process without a key makes up its own: its tokens die with it.
    key = settings.secret_key.get_secret_value() if settings.secret_key else secrets.token_urlsafe(48)
    return Services(settings, engine, accounts, Sessions(engine), Tokens(key), RateLimiter(settings))


def of(connection: HTTPConnection) -> Services:
    """The services of the application that handles this request."""
    services = connection.app.state.services
    assert isinstance(services, Services)
    return services
