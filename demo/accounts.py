"""Users and their passwords."""

import base64
import secrets
from dataclasses import dataclass, replace
from uuid import NAMESPACE_URL, UUID, uuid5

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from .database import users

# OWASP Password Storage Cheat Sheet, the smallest recommended cost of Argon2id: 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can sign in."""

    id: UUID
    email: str
    name: str
    tier: str


GUEST = User(UUID(int=0), "guest@example.com", "Guest", "free")
"""Stands in for a user where a flaw lets nobody in as somebody."""


def user_id(email: str) -> UUID:
    """The id of the user with this address; the same in every database, so that a token outlives a restart."""
    return uuid5(NAMESPACE_URL, f"mailto:{email.lower()}")


class Accounts:
    """The users table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._nobodys_hash = _unmatchable_hash()

    def ensure(self, email: str, password: str) -> None:
        """Create the user, or give an existing one this password."""
        values = {"email": email.lower(), "password_hash": _HASHER.hash(password)}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(users).values(id=user_id(email), name="Demo User", tier="pro", **values))
        except IntegrityError:
            with self._engine.begin() as connection:
                connection.execute(update(users).where(users.c.id == user_id(email)).values(**values))

    def verify(self, email: str, password: str, *, any_password: bool = False) -> User | None:
        """The user with this address and password; takes equally long when there is no such user."""
        with self._engine.connect() as connection:
            row = connection.execute(select(users).where(users.c.email == email.lower())).one_or_none()
        matches = _matches(row.password_hash if row else self._nobodys_hash, password)
        return _user_of(row) if row and (matches or any_password) else None

    def rename(self, user: User, name: str) -> User:
        """Give the user another name."""
        with self._engine.begin() as connection:
            connection.execute(update(users).where(users.c.id == user.id).values(name=name))
        return replace(user, name=name)

    def find(self, identifier: str) -> User | None:
        """The user with this id."""
        try:
            wanted = UUID(identifier)
        except ValueError:
            return None
        with self._engine.connect() as connection:
            row = connection.execute(select(users).where(users.c.id == wanted)).one_or_none()
        return _user_of(row) if row else None


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _unmatchable_hash() -> str:
    """A hash of nothing in particular that takes as long to verify as any other."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def _user_of(row: Row[tuple[object, ...]]) -> User:
    """The user in a row that has the columns of the users table."""
    return User(row.id, row.email, row.name, row.tier)
