"""`python -m tests.workflows [WORD...]`: plays the scenarios, all or those whose name holds a word; prints a table."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.workflows.playing import Played, Player
from tests.workflows.scenarios import SCENARIOS

AT_ONCE = 2
MARKS = {"success": "", "failure": "✗", "cancelled": "!"}
ROW = "{:<56} {:<60} {:<7} {:<10} {:>7}"


async def main(words: list[str], keep: Path | None) -> int:
    """Play and print. Returns 0 when everything came as it must, 1 when not, 2 when there is nothing to play."""
    chosen = [item for item in SCENARIOS if not words or any(word in item.name for word in words)]
    if not chosen:
        print(f"no scenario's name holds {' or '.join(words)}; there are: {', '.join(item.name for item in SCENARIOS)}")
        return 2
    print(ROW.format("scenario", "jobs (✗ failed)", "verdict", "serving", "seconds"))
    waiting = deque(enumerate(chosen))
    played: list[Played] = []

    async def some(folder: Path) -> None:
        async with Player(folder) as player:
            while waiting:
                place, scenario = waiting.popleft()
                for item in await player.play(scenario, folder / f"{place:02}"):
                    played.append(item)
                    print("\n    ✗ ".join([_row(item), *item.problems]), flush=True)

    with _folder(keep) as folder:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some(folder))
    wrong = sum(bool(item.problems) for item in played)
    print(f"{len(played)} runs, {f'{wrong} not as they must be' if wrong else 'all as they must be'}")
    return 1 if wrong else 0


def _row(played: Played) -> str:
    jobs = " ".join(f"{job}{MARKS.get(result, '?')}" for job, result in sorted(played.run.ran.items()))
    return ROW.format(played.scenario.name, jobs, played.verdict or "-", played.serving, f"{played.run.seconds:.1f}")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="workflows-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.workflows", description=__doc__)
    parser.add_argument("--keep", type=Path, help="a new folder for all that the runs leave behind")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    raise SystemExit(asyncio.run(main(given.words, given.keep)))
