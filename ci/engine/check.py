"""Declaring checks, once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, TypeVar

from ci.model import CheckSpec, Evidence, Finding, Location, Severity

E = TypeVar("E", contravariant=True)
F = TypeVar("F", bound=Callable[..., Any])

SPEC_ATTRIBUTE = "__gonogo_check__"
"""Where `declare` leaves the declaration of a pytest function."""


@dataclass(frozen=True, slots=True)
class Check(Generic[E]):
    """A declaration and a pure judgement of evidence `E`.

    The judgement yields an `Evidence` for everything it examined and a `Finding` for everything that
    is wrong. One that yields nothing has examined nothing: the runner makes that an ERROR.
    """

    spec: CheckSpec
    judge: Callable[[E], Iterable[Evidence | Finding]]


def check(spec: CheckSpec) -> Callable[[Callable[[E], Iterable[Evidence | Finding]]], Check[E]]:
    """Make a `Check` of a judging function. Nothing is registered at import time."""
    return lambda judge: Check(spec, judge)


def declare(spec: CheckSpec) -> Callable[[F], F]:
    """Attach a declaration to a pytest function, which stays a plain function."""

    def attach(function: F) -> F:
        setattr(function, SPEC_ATTRIBUTE, spec)
        return function

    return attach


def finding(
    spec: CheckSpec,
    message: str,
    *,
    at: Location = Location(),
    evidence: tuple[Evidence, ...] = (),
    severity: Severity | None = None,
    key: str = "",
) -> Finding:
    """A finding of the check that `spec` declares."""
    return Finding(
        check_id=spec.id,
        message=message,
        severity=severity or spec.severity,
        location=at,
        evidence=evidence,
        key=key,
    )


def collect(*modules: ModuleType) -> tuple[Check[Any], ...]:
    """The checks of these modules in the order of their definition.

    Raises ValueError when two of them share an id.
    """
    found: dict[str, Check[Any]] = {}
    for value in _values(modules):
        if isinstance(value, Check) and found.setdefault(value.spec.id, value) is not value:
            raise ValueError(f"two checks are called {value.spec.id}")
    return tuple(found.values())


def declared(*modules: ModuleType) -> tuple[CheckSpec, ...]:
    """The declarations in these modules, of checks and of pytest functions, in their order.

    Raises ValueError when two of them share an id.
    """
    found: dict[str, CheckSpec] = {}
    for value in _values(modules):
        spec = value.spec if isinstance(value, Check) else getattr(value, SPEC_ATTRIBUTE, None)
        if isinstance(spec, CheckSpec) and found.setdefault(spec.id, spec) is not spec:
            raise ValueError(f"two checks are called {spec.id}")
    return tuple(found.values())


def _values(modules: tuple[ModuleType, ...]) -> Iterator[object]:
    for module in modules:
        yield from vars(module).values()
