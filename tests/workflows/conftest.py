"""What the tests of the workflows share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.workflows.playing import Player


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def player(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Player]:
    """One for all scenarios of this process."""
    async with Player(tmp_path_factory.mktemp("worlds")) as made:
        yield made
