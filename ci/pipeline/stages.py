"""The table of stages: each with its checks and the way to run it, its libraries loaded only when it is used."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ci import preflight
from ci.config import Config
from ci.model import CheckSpec, StageReport


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, its libraries loaded only when it is used."""

    name: str
    specs: Callable[[Config], tuple[CheckSpec, ...]]
    run: Callable[..., Coroutine[Any, Any, StageReport]]
    timeout_s: Callable[[Config], float]


def smoke() -> Stage:
    from ci.smoke import stage

    return Stage("smoke", stage.specs, stage.run, lambda c: c.smoke.timeout.total_seconds())


def security() -> Stage:
    from ci.security import stage

    return Stage("security", stage.specs, stage.run, stage.time_limit_s)


def load() -> Stage:
    from ci.load import stage

    return Stage("load", stage.specs, stage.run, stage.time_limit_s)


STAGES: dict[str, Callable[[], Stage]] = {"smoke": smoke, "security": security, "load": load}


def in_front() -> frozenset[str]:
    """Ids of the checks that can be made although no connection is trusted: they say why."""
    from ci.security import transport

    return frozenset(check.spec.id for check in transport.HANDSHAKE_CHECKS)


SIDE_BY_SIDE = ("smoke", "security")
"""Stages that do not disturb each other."""
ALONE = ("load",)
"""Stages that disturb the others, and for which a broken application is not worth the traffic."""


def stage_names() -> tuple[str, ...]:
    return tuple(STAGES)


def demanded_stages(config: Config) -> tuple[str, ...]:
    """The stages that the policy demands, in the order of the table."""
    demanded = {entry.partition("/")[0] for entry in config.gate.required}
    return tuple(name for name in STAGES if name in demanded)


def catalogue() -> tuple[CheckSpec, ...]:
    """Every check there is, in the order of the stages."""
    defaults = Config.model_validate({"target": {"production": "https://app.example.com"}})
    return preflight.specs() + tuple(spec for make in STAGES.values() for spec in make().specs(defaults))
