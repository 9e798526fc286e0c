"""The checks of the smoke stage as pytest functions, each declared where it stands."""

from __future__ import annotations

from types import ModuleType


def api() -> tuple[ModuleType, ...]:
    """The suites that need no browser, in the order in which they run: the shared session is ended last."""
    from ci.smoke.suite import (
        test_calls,
        test_errors,
        test_health,
        test_login,
        test_logout,
        test_oauth,
        test_openapi,
        test_protection,
        test_refresh,
        test_tokens,
    )

    return (
        test_health,
        test_errors,
        test_openapi,
        test_login,
        test_tokens,
        test_protection,
        test_oauth,
        test_calls,
        test_logout,
        test_refresh,
    )


def browser() -> tuple[ModuleType, ...]:
    """The suites that look at pages in a browser."""
    from ci.smoke.suite import test_journey, test_pages

    return test_pages, test_journey
