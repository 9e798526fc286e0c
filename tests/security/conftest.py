"""Foreign servers behind TLS, and runs against them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from ci.engine.run import Run
from tests.runs import run_on
from tests.security.foreign import CONFIG, PASSWORD, USER, Shop
from tests.servers import serving


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """A private authority, and its file."""
    made = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    return made, path


@pytest.fixture
def tls(authority: tuple[trustme.CA, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def running_on(authority: tuple[trustme.CA, Path], tmp_path: Path) -> Callable[..., Run]:
    """A run against a URL that trusts the private authority and knows the shop's user."""

    def make(url: str, environ: dict[str, str] | None = None, **config: Any) -> Run:
        known = {"SSL_CERT_FILE": str(authority[1]), "SHOP_USER": USER, "SHOP_PASSWORD": PASSWORD}
        return run_on(url, tmp_path, environ={**known, **(environ or {})}, **config)

    return make


Opened = Callable[[str], AbstractAsyncContextManager[tuple[Shop, Run]]]


@pytest.fixture
def shop(tls: ssl.SSLContext, running_on: Callable[..., Run]) -> Opened:
    """Open a shop with a fault; yields it and a run against it."""

    @asynccontextmanager
    async def open_(fault: str = "", **config: Any) -> AsyncIterator[tuple[Shop, Run]]:
        made = Shop(fault)
        async with serving({"*": made.handle}, tls=tls) as url:
            yield made, running_on(url, **{**CONFIG, **config})

    return open_
