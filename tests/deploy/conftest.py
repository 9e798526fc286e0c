"""The world of these tests."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.deploy.world import World, memory_folder, open_world, standard


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Baseline in production, `other` and `candidate` staged."""
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        async with open_world(Path(folder)) as opened:
            yield await standard(opened)
