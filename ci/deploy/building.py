"""Waiting for a build at Vercel to end."""

from __future__ import annotations

from ci.deploy.answers import Deployment
from ci.deploy.context import Context
from ci.deploy.judgement import build_ended_badly
from ci.deploy.transitions import Phase

BUILD_PAUSES = (1, 5, 15, 30)
"""Pauses between two looks at a build, in units of `deploy.build_interval`; the last one repeats."""


async def built(ctx: Context, candidate: Deployment) -> tuple[Deployment, bool]:
    """The deployment when its build has ended, and whether that was within `deploy.build_timeout`. Raises ApiError."""
    settings = ctx.config.deploy
    unit = settings.build_interval.total_seconds()
    deadline = ctx.clock() + settings.build_timeout.total_seconds()
    looks = 0
    while not (candidate.ready or build_ended_badly(candidate)):
        left = deadline - ctx.clock()
        if left <= 0:
            return candidate, False
        ctx.progress.say(f"{Phase.STAGE}: {candidate.id} is {candidate.ready_state or 'in an unknown state'}")
        await ctx.pause(min(left, unit * BUILD_PAUSES[min(looks, len(BUILD_PAUSES) - 1)]))
        candidate = await ctx.vercel.deployment(candidate.id)
        looks += 1
    return candidate, True
