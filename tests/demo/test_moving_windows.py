"""Moving windows in memory: they count as a list of all hits would, and leave no work behind."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from demo.moving_windows import MovingWindows

LIMIT, EXPIRY = 3, 10
STEPS = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 40)), max_size=40)


@given(STEPS)
@settings(max_examples=60)
def test_they_count_as_a_list_of_all_hits_would(steps: list[tuple[str, float]]) -> None:
    async def count() -> None:
        now, taken = 1000.0, dict[str, list[float]](a=[], b=[])
        windows = MovingWindows(lambda: now)
        for key, pause in steps:
            now += pause
            within = [at for at in taken[key] if at >= now - EXPIRY]
            allowed = len(within) < LIMIT
            assert await windows.acquire_entry(key, LIMIT, EXPIRY) is allowed
            taken[key] = within + [now] * allowed
            assert await windows.get_moving_window(key, LIMIT, EXPIRY) == (taken[key][0], len(taken[key]))

    asyncio.run(count())


def test_a_hit_leaves_no_work_behind_and_who_stays_away_is_forgotten() -> None:
    async def visit() -> int:
        now = 1000.0
        windows = MovingWindows(lambda: now)
        for visitor in range(200):
            await windows.acquire_entry(f"visitor {visitor}", LIMIT, EXPIRY)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        now += 100
        await windows.acquire_entry("somebody", LIMIT, EXPIRY)
        return len(windows)

    assert asyncio.run(visit()) == 1
