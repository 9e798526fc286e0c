"""The JavaScript that the target really serves: what is in it that only the server may know?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ci.engine.check import check
from ci.engine.http import origin
from ci.errors import CannotRun
from ci.model import CheckSpec, ErrorKind, Evidence, Severity
from ci.security.answer import Answer, absolute
from ci.security.judging import Judged, seen, wrong
from ci.security.maps import addresses_of_maps, sources_in
from ci.security.markup import markup_of
from ci.security.secret_patterns import Found, own_values, secrets_in, server_keys_in
from ci.security.surface import fetch_surface
from ci.security.visit import Visit, gather

MOST_SCRIPTS = 40
MOST_STYLES = 10
SCRIPT_LIMIT = 3_000_000
"""Bytes of one script that are read."""

_CHUNK = re.compile(r"[\"'](?:\./)?(/?(?:(?:_next/)?static/(?:chunks|js)|assets)/[\w./~%()\[\]-]{1,200}\.js)[\"']")
_BESIDE = re.compile(r"\b(?:import\s*\(\s*|from\s*|import\s*)[\"'`](\.{1,2}/[\w./~%-]{1,200}\.m?js)[\"'`]")
"""What a module loads from its own folder (ECMA-262, section 16.2.2), as Vite writes it."""
MOST_ROUNDS = 4
"""How often scripts that scripts name are looked for in turn."""
_JAVASCRIPT = re.compile(r"(?i)javascript|ecmascript|^text/plain$|^application/octet-stream$|^$")


@dataclass(frozen=True, slots=True)
class Bundle:
    """The pages and the scripts of the target itself that they load, and the scripts' source maps."""

    pages: tuple[Answer, ...]
    scripts: tuple[Answer, ...]
    maps: tuple[Answer, ...]
    own_secrets: tuple[str, ...]
    """Secret values of this run's environment: the target must not serve them."""
    left_out: int

    @property
    def texts(self) -> tuple[Answer, ...]:
        return (*self.scripts, *self.pages, *(answer for answer in self.maps if answer.succeeded))


async def unpack(visit: Visit) -> Bundle:
    """Fetch what the pages load from the target itself, and what those scripts name in turn."""
    surface = await fetch_surface(visit)
    pages = tuple(page for page in surface.pages if page.succeeded)
    if not pages:
        raise CannotRun(ErrorKind.NO_DATA, "no page answered with HTML, so there is nothing that it would load")
    wanted = dict.fromkeys(
        url.partition("#")[0] for page in pages for url in _scripts_of(page) if origin(url) == origin(visit.url)
    )
    scripts: list[Answer] = []
    asked: set[str] = set()
    for _ in range(MOST_ROUNDS):
        batch = [url for url in wanted if url not in asked][: MOST_SCRIPTS - len(asked)]
        asked.update(batch)
        fetched = await _fetch(visit, batch)
        scripts += fetched
        wanted |= {url: None for script in fetched for url in _named_in(script, visit.url)}
    if wanted and not scripts:
        raise CannotRun(ErrorKind.NO_DATA, f"none of the {len(wanted)} scripts that the pages load could be read")
    styles = dict.fromkeys(url for page in pages for url in _styles_of(page) if origin(url) == origin(visit.url))
    dressed = await gather(visit.ask_boldly("GET", url) for url in list(styles)[:MOST_STYLES])
    mapped = (*scripts, *(answer for answer in dressed if answer is not None and answer.succeeded))
    maps = await gather(
        visit.ask_boldly("GET", url, limit=SCRIPT_LIMIT) for answer in mapped for url in addresses_of_maps(answer)
    )
    return Bundle(
        pages=pages,
        scripts=tuple(scripts),
        maps=tuple(answer for answer in maps if answer is not None),
        own_secrets=own_values(visit.run.environ, visit.run.config.secret_variables()),
        left_out=len(wanted) - len(asked),
    )


def _scripts_of(page: Answer) -> tuple[str, ...]:
    """The scripts that a page loads, and those that it has loaded beforehand."""
    markup = markup_of(page)
    early = (url for element, url in markup.loads if element == "link" and urlsplit(url).path.endswith((".js", ".mjs")))
    return (*(script.url for script in markup.scripts), *early)


def _styles_of(page: Answer) -> tuple[str, ...]:
    loads = markup_of(page).loads
    return tuple(url for element, url in loads if element == "link" and urlsplit(url).path.endswith(".css"))


def _named_in(script: Answer, target: str) -> Iterator[str]:
    """The target's own scripts that a script loads when they are needed."""
    for name in _CHUNK.findall(script.text):
        yield absolute(target + "/", _placed(name))
    for name in _BESIDE.findall(script.text):
        if origin(url := absolute(script.url, name)) == origin(target):
            yield url


async def _fetch(visit: Visit, urls: list[str]) -> tuple[Answer, ...]:
    answers = await gather(visit.ask_boldly("GET", url, limit=SCRIPT_LIMIT) for url in urls)
    return tuple(a for a in answers if a is not None and a.succeeded and _JAVASCRIPT.search(a.media_type))


def _placed(name: str) -> str:
    """Next.js names its chunks without the folder that it serves them from."""
    return f"/_next/{name}" if name.startswith("static/chunks/") else name


@check(
    CheckSpec(
        id="security/bundle-secrets",
        title="No secret is in what browsers are sent",
        severity=Severity.CRITICAL,
        why="Whatever a browser is sent everybody has: with a secret key they pay, read and delete in your name.",
        remediation="Revoke the key first. Then keep it on the server, behind an endpoint of your own.",
        references=("OWASP Top 10 A02:2021", "CWE-798", "CWE-312", "OWASP WSTG-INFO-05"),
    )
)
def bundle_secrets(bundle: Bundle) -> Judged:
    for answer in bundle.texts:
        found = secrets_in(answer.text, bundle.own_secrets)
        yield from _judge(bundle_secrets.spec, answer, found, "serves")
    yield from _count(bundle)


@check(
    CheckSpec(
        id="security/bundle-server-keys",
        title="No server-only setting is built into what browsers are sent",
        severity=Severity.HIGH,
        why="A build that copies server settings into the bundle publishes them, and the next secret with them.",
        remediation="Read it on the server alone, and give only harmless settings a public prefix "
        "(NEXT_PUBLIC_, VITE_, PUBLIC_).",
        references=("CWE-200", "CWE-526", "https://nextjs.org/docs/app/guides/environment-variables"),
    )
)
def bundle_server_keys(bundle: Bundle) -> Judged:
    for answer in bundle.texts:
        yield from _judge(bundle_server_keys.spec, answer, server_keys_in(answer.text), "has the server-only setting")
    yield from _count(bundle)


@check(
    CheckSpec(
        id="security/source-maps",
        title="The source of scripts and style sheets is not served beside them",
        severity=Severity.MEDIUM,
        why="A source map with its sources is the application's code, comments included.",
        remediation="Build without public source maps, or send them to the error tracker and delete them "
        "(Next.js: `productionBrowserSourceMaps: false`; Vite: `build.sourcemap: 'hidden'`).",
        references=("CWE-540", "https://tc39.es/ecma426/", "OWASP WSTG-INFO-05"),
    )
)
def source_maps(bundle: Bundle) -> Judged:
    for answer in bundle.maps:
        if count := sources_in(answer):
            told = f"{answer.url} serves the source of {count} files"
            yield wrong(source_maps.spec, answer, told)
        else:
            yield seen(answer, "no map with sources")
    inline = [script for script in bundle.scripts if b"sourceMappingURL=data:" in script.body]
    for script in inline:
        yield wrong(source_maps.spec, script, f"{script.url} carries its source map within itself", key="inline")
    yield from _count(bundle)


def _judge(spec: CheckSpec, answer: Answer, found: list[Found], does: str) -> Judged:
    for item in found:
        told = f"{answer.url} {does} {item.what}: {item.masked}"
        yield wrong(spec, answer, told, key=item.key)
    if not found:
        yield seen(answer, f"{len(answer.body)} bytes, nothing secret")


def _count(bundle: Bundle) -> Judged:
    if not bundle.pages:
        return
    left = f"; {bundle.left_out} more were left out" if bundle.left_out else ""
    yield Evidence(summary=f"{len(bundle.scripts)} scripts of {len(bundle.pages)} pages were read{left}")
