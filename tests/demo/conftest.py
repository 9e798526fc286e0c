"""One healthy application for all tests that do not need their own."""

from collections.abc import Iterator

import httpx
import pytest

from tests.demo import launching


@pytest.fixture(scope="session")
def healthy_url() -> Iterator[str]:
    """The URL of an application without flaws."""
    with launching.running() as url:
        yield url


@pytest.fixture
def http(healthy_url: str) -> Iterator[httpx.Client]:
    """A client of the application without flaws."""
    with launching.client(healthy_url) as client:
        yield client
