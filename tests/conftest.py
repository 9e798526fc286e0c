"""For all tests: the same examples in every run, none failed for being slow; and a database, where one can be had.

`make explore` looks for new examples.
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import a_postgres

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL that tests may write to."""
    with a_postgres() as url:
        yield url
