"""What a round looks at: everything the configuration names, in every environment."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import urlsplit

from ci.config import Config
from ci.config.shape.monitor import Name, Watched
from ci.monitor.facts import Condition, Kind, ProbeRecord, Series
from ci.monitor.probing import names, quotas, vendors, web
from ci.monitor.probing.probe import Eyes, Probe
from ci.monitor.rules import PRODUCTION

Known = Mapping[Series, ProbeRecord]
"""Of every series the record to compare with."""


def plan(config: Config, eyes: Eyes, known: Known) -> list[Probe]:
    """Every probe of a round."""
    probes = list(_elsewhere(config, eyes))
    for environment, site in sites(config).items():
        probes += _pages(config, eyes, environment, site)
        probes += _host(config, eyes, environment, site, known)
    return probes


def sites(config: Config) -> dict[str, str]:
    """The URL of every environment, production first."""
    others = {name: environment.url for name, environment in config.monitor.environments.items()}
    return {PRODUCTION: config.target.production, **others}


def watched(config: Config) -> tuple[Watched, ...]:
    """The pages and endpoints: those named, else those that the smoke stage tests without a login."""
    if config.monitor.targets:
        return config.monitor.targets
    pages = [Watched(path=path) for path in config.smoke.pages]
    api = [
        Watched(
            path=request.path,
            kind="api",
            status=request.status,
            contains=request.contains,
            has=dict.fromkeys(request.has),
        )
        for request in config.smoke.api
        if request.method == "GET" and not request.login
    ]
    return (*pages, *api)


def _pages(config: Config, eyes: Eyes, environment: str, site: str) -> Iterator[Probe]:
    """What users meet: pages, endpoints, and the application's own word on its health."""
    monitor, health = config.monitor, config.smoke.health
    mine = [one for one in watched(config) if not one.environments or environment in one.environments]
    for one in mine:
        limit = one.limit or (monitor.page_limit if one.kind == "page" else monitor.api_limit)
        series = Series(environment=environment, target=one.name or one.path, kind=Kind(one.kind))
        yield Probe(series, partial(web.look_at, eyes, environment, site, one, limit))
    if first := next((one.path for one in mine if one.kind == "page" and one.status == 200), None):
        series = Series(environment=environment, target=first, kind=Kind.HEADERS)
        look = partial(web.look_at_headers, eyes, environment, site, first, monitor.headers)
        yield Probe(series, look, silence=Condition.UNKNOWN)
    if health and health.path != health.detailed:
        series = Series(environment=environment, target=health.path, kind=Kind.HEALTH)
        yield Probe(series, partial(web.look_at_health, eyes, environment, site, health))
    if health and health.detailed:
        series = Series(environment=environment, target=health.detailed, kind=Kind.HEALTH)
        yield Probe(series, partial(web.look_at_services, eyes, environment, site, health))


def _host(config: Config, eyes: Eyes, environment: str, site: str, known: Known) -> Iterator[Probe]:
    """What stands behind the name: where it leads, its certificate, its registration."""
    monitor, parts = config.monitor, urlsplit(site)
    host = parts.hostname or ""
    if _is_name(host) and host not in {name.host for name in monitor.names}:
        series = Series(environment=environment, target=host, kind=Kind.DNS)
        yield Probe(series, partial(names.look_at_name, environment, Name(host=host), eyes.timeout_s))
    if parts.scheme == "https":
        series = Series(environment=environment, target=host, kind=Kind.CERTIFICATE)
        port, days = parts.port or 443, monitor.certificate_days
        look = partial(names.look_at_certificate, eyes, environment, host, port, days)
        yield Probe(series, look, silence=Condition.UNKNOWN)
    if monitor.rdap and names.is_ours(host):
        series = Series(environment=environment, target=host, kind=Kind.DOMAIN)
        look = partial(
            names.look_at_domain, eyes, environment, host, monitor.rdap, monitor.domain_days, known.get(series)
        )
        yield Probe(series, look, silence=Condition.UNKNOWN, again=False)


def _elsewhere(config: Config, eyes: Eyes) -> Iterator[Probe]:
    """What belongs to no environment: names, redirects, vendors, quotas."""
    monitor, quota = config.monitor, config.monitor.quotas
    for name in monitor.names:
        series = Series(environment="", target=name.host, kind=Kind.DNS)
        yield Probe(series, partial(names.look_at_name, "", name, eyes.timeout_s))
    for redirect in monitor.redirects:
        series = Series(environment="", target=redirect.start, kind=Kind.REDIRECT)
        yield Probe(series, partial(web.look_at_redirect, eyes, redirect))
    for vendor in monitor.vendors:
        series = Series(environment="", target=vendor.name, kind=Kind.VENDOR)
        yield Probe(series, partial(vendors.look_at_vendor, eyes, vendor), silence=Condition.UNKNOWN, again=False)
    looks = {
        "database size": quota.database and partial(quotas.look_at_database, eyes, quota.database, quota.warn_at),
        "Sentry errors this month": quota.sentry and partial(quotas.look_at_sentry, eyes, quota.sentry, quota.warn_at),
        "Actions minutes this month": quota.actions
        and partial(quotas.look_at_actions, eyes, quota.actions, quota.warn_at),
    }
    for name_, look in looks.items():
        if look:
            series = Series(environment="", target=name_, kind=Kind.QUOTA)
            yield Probe(series, look, silence=Condition.UNKNOWN, again=False)


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host
    return False
