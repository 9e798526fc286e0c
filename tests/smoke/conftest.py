"""A shop behind TLS with a private authority, and means to examine it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
import uvicorn

from ci.config import Config, parse_config
from ci.engine.evidence import EvidenceStore
from ci.engine.http import HttpFactory
from ci.engine.redaction import Redactor
from ci.engine.run import Run
from ci.model import Subject
from tests.smoke.examining import Examiner, Watching
from tests.smoke.shop import COMMIT, DEPLOYMENT, PASSWORD, USER, Shop, expired_token

CONFIG = """
target:
  production: {url}
  timeout: 5s
  identity: {{json: build.commit, deployment: build.deployment}}
smoke:
  health: {{detailed: /api/health/detailed}}
  openapi: /openapi.json
  api:
    - {{path: /api/tiers, type: application/json, has: [tiers.0]}}
    - {{path: /api/chat, method: POST, body: {{message: hello}}, login: true, type: application/json, has: [reply]}}
  protected: [/app]
  login:
    path: /api/login
    page: /login
    after: /app
    username: SHOP_USER
    password: SHOP_PASSWORD
    token: auth.access
    whoami: /api/me
    refresh: {{path: /api/refresh}}
    logout: /api/logout
    csrf: {{header: x-csrf, field: csrf}}
    expired_token: SHOP_EXPIRED_TOKEN
  oauth: [{{start: /oauth/start, authorize: "https://id.example.com/authorize", client_id: shop-client, \
redirect_uri: "{{target}}/oauth/callback"}}]
  webhooks: [/api/webhook]
  cron: [/api/cron/backup]
"""


@pytest.fixture(scope="session")
def served_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, str, Path]]:
    """The shop, its URL, and the file of the authority that vouches for it."""
    folder = tmp_path_factory.mktemp("authority")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    shop = Shop()
    config = uvicorn.Config(shop.app, host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="none")
    config.timeout_graceful_shutdown = 2
    config.load()
    config.ssl = ssl_of(authority)
    started = threading.Event()
    server = Announcing(config, started)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(20)
    yield shop, f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", folder / "ca.pem"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def ssl_of(authority: trustme.CA) -> object:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


class Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._announced = started

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self._announced.set()


@pytest.fixture
def shop(served_shop: tuple[Shop, str, Path]) -> Shop:
    served_shop[0].reset()
    return served_shop[0]


@pytest.fixture
def url(served_shop: tuple[Shop, str, Path]) -> str:
    return served_shop[1]


@pytest.fixture
def environ(served_shop: tuple[Shop, str, Path], tmp_path: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("VERCEL_")},
        "SSL_CERT_FILE": str(served_shop[2]),
        "SHOP_USER": USER,
        "SHOP_PASSWORD": PASSWORD,
        "SHOP_EXPIRED_TOKEN": expired_token(),
    }


@pytest.fixture
def config(url: str) -> Config:
    return parse_config(CONFIG.format(url=url))


Prepare = Callable[..., Run]


@pytest.fixture
def prepare(url: str, environ: dict[str, str], tmp_path: Path) -> Prepare:
    """Makes a run of the shop, or of another URL with another configuration."""

    def prepared(text: str = CONFIG, *, at: str = url, **more: str) -> Run:
        all_of_it = {**environ, **more}
        config = parse_config(text.format(url=at))
        redact = Redactor.of_environment(all_of_it, config.secret_variables())
        is_shop = at == url
        return Run(
            config=config,
            subject=Subject(url=at, commit=COMMIT if is_shop else None, deployment_id=DEPLOYMENT if is_shop else None),
            environ=all_of_it,
            http=HttpFactory.for_target(at, budget=config.target.request_budget, environ=all_of_it),
            store=EvidenceStore(tmp_path / "evidence", redact),
            progress=Watching(),
        )

    return prepared


@pytest.fixture
def examine(prepare: Prepare, environ: dict[str, str]) -> Examiner:
    """Runs the API checks in this process, for they are many."""
    return Examiner(prepare)
