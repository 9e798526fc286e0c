"""The application, put together."""

import structlog
from fastapi import FastAPI
from starlette.routing import Route

from . import assets, errors, services
from .body_limit import BodyLimitMiddleware
from .context import RequestContextMiddleware
from .cross_origin import CrossOriginMiddleware
from .errors import ErrorBoundaryMiddleware
from .flaws_under_load import LoadFlawsMiddleware
from .openapi import describe
from .rate_limit import RateLimitMiddleware
from .routes import auth, health, oauth, operations, pages, user
from .security_headers import SecurityHeadersMiddleware
from .settings import Settings

_ONE_DAY_SECONDS = 86400
_ROUTERS = (health.router, auth.router, oauth.router, user.router, operations.router, pages.router)
_log = structlog.get_logger("demo")


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings, ready to answer: its database exists, its user is there."""
    app = FastAPI(title="Harbour", version="1.0.0", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services = services.build(settings)
    for router in _ROUTERS:
        app.include_router(router)
    app.add_route("/static/{name}", assets.serve, include_in_schema=False)
    app.add_route("/favicon.ico", assets.favicon, include_in_schema=False)
    errors.install(app)
    describe(app)
    _add_middleware(app, app.state.services)
    if settings.demo_flaws or settings.demo_flaws_in_production:
        _log.warning(
            "flaws", everywhere=sorted(settings.demo_flaws), in_production=sorted(settings.demo_flaws_in_production)
        )
    return app


def _add_middleware(app: FastAPI, parts: services.Services) -> None:
    """From the inside out: what is added last sees a request first and its answer last."""
    every_route = [*app.routes, *(route for router in _ROUTERS for route in router.routes)]
    endpoints = frozenset(route.path for route in every_route if isinstance(route, Route))
    app.add_middleware(LoadFlawsMiddleware)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(RateLimitMiddleware, limiter=parts.limiter, endpoints=endpoints)
    if parts.settings.allowed_origins:
        app.add_middleware(
            CrossOriginMiddleware,
            allow_origins=parts.settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE", "OPTIONS"],
            allow_headers=["authorization", "content-type", "x-csrf-token", "x-request-id"],
            expose_headers=["x-request-id", "retry-after", "ratelimit", "ratelimit-policy"],
            allow_credentials=True,
            max_age=_ONE_DAY_SECONDS,
        )
    app.add_middleware(ErrorBoundaryMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(RequestContextMiddleware, settings=parts.settings)
