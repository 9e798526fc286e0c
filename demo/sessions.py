"""Sessions on the server's side, and the rotating refresh tokens that belong to them."""

import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select, update

from .accounts import User
from .database import refresh_tokens, sessions, users

SESSION_SECONDS = 12 * 60 * 60


@dataclass(frozen=True, slots=True)
class Session:
    """A living session and whose it is."""

    id: UUID
    user: User
    csrf_token: str


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session with the two secrets that only its owner holds; the database keeps their hashes."""

    session: Session
    cookie: str
    refresh_token: str


class Sessions:
    """The sessions and refresh_tokens tables."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self, user: User, *, cookie: str | None = None) -> OpenedSession:
        """Start a session for ``user``; its cookie is new unless the flaw keeps the one that the request brought."""
        session = Session(uuid4(), user, secrets.token_urlsafe(32))
        cookie = cookie or secrets.token_urlsafe(32)
        with self._engine.begin() as connection:
            _forget_expired(connection, user.id)
            connection.execute(
                insert(sessions).values(
                    id=session.id,
                    user_id=user.id,
                    cookie_hash=_hash(cookie),
                    csrf_token=session.csrf_token,
                    expires_at=int(time.time()) + SESSION_SECONDS,
                )
            )
            refresh_token = _new_refresh_token(connection, session.id)
        return OpenedSession(session, cookie, refresh_token)

    def by_cookie(self, cookie: str) -> Session | None:
        """The living session that this cookie opens."""
        return self._living(sessions.c.cookie_hash == _hash(cookie))

    def by_id(self, session_id: UUID) -> Session | None:
        """The living session with this id."""
        return self._living(sessions.c.id == session_id)

    def rotate(self, refresh_token: str, *, reusable: bool = False) -> tuple[Session, str] | None:
        """Exchange a refresh token for the next one.

        The old one dies. Somebody who brings a dead one may have stolen it, so that ends the whole session
        (RFC 9700, section 4.14.2).
        """
        with self._engine.begin() as connection:
            found = select(refresh_tokens.c.session_id).where(refresh_tokens.c.token_hash == _hash(refresh_token))
            session_id = connection.execute(found).scalar_one_or_none()
            session = _select_living(connection, sessions.c.id == session_id) if session_id else None
            if session is None:
                return None
            if not reusable and not _spend(connection, refresh_token):
                _end(connection, session.id)
                return None
            return session, _new_refresh_token(connection, session.id)

    def end(self, session_id: UUID) -> None:
        """End the session, and with it its refresh tokens and access tokens."""
        with self._engine.begin() as connection:
            _end(connection, session_id)

    def _living(self, condition: ColumnElement[bool]) -> Session | None:
        with self._engine.connect() as connection:
            return _select_living(connection, condition)


def _select_living(connection: Connection, condition: ColumnElement[bool]) -> Session | None:
    query = (
        select(sessions.c.id, sessions.c.csrf_token, sessions.c.user_id, users.c.email, users.c.name, users.c.tier)
        .join(users, users.c.id == sessions.c.user_id)
        .where(condition, sessions.c.ended_at.is_(None), sessions.c.expires_at > int(time.time()))
    )
    row = connection.execute(query).one_or_none()
    return Session(row.id, User(row.user_id, row.email, row.name, row.tier), row.csrf_token) if row else None


def _forget_expired(connection: Connection, user_id: UUID) -> None:
    expired = select(sessions.c.id).where(sessions.c.user_id == user_id, sessions.c.expires_at <= int(time.time()))
    connection.execute(delete(refresh_tokens).where(refresh_tokens.c.session_id.in_(expired)))
    connection.execute(delete(sessions).where(sessions.c.id.in_(expired)))


def _new_refresh_token(connection: Connection, session_id: UUID) -> str:
    token = secrets.token_urlsafe(32)
    connection.execute(insert(refresh_tokens).values(token_hash=_hash(token), session_id=session_id))
    return token


def _spend(connection: Connection, refresh_token: str) -> bool:
    """Mark the token used; of two that try at once, one succeeds."""
    unused = (refresh_tokens.c.token_hash == _hash(refresh_token)) & refresh_tokens.c.used_at.is_(None)
    return connection.execute(update(refresh_tokens).where(unused).values(used_at=int(time.time()))).rowcount == 1


def _end(connection: Connection, session_id: UUID) -> None:
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(ended_at=int(time.time())))


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
