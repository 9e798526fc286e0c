"""For all tests: no example is failed for being slow on a shared machine; and a database, where one can be had."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import a_postgres

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL that tests may write to."""
    with a_postgres() as url:
        yield url
