"""The JavaScript that the target really serves: what is in it that only the server may know?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ci.engine.check import check
from ci.engine.http import origin
from ci.errors import CannotRun
from ci.model import CheckSpec, ErrorKind, Evidence, Severity
from ci.security.answer import Answer, absolute
from ci.security.judging import Judged, seen, wrong
from ci.security.markup import markup_of
from ci.security.secret_patterns import Found, own_values, secrets_in, server_keys_in
from ci.security.surface import fetch_surface
from ci.security.visit import Visit, gather

MOST_SCRIPTS = 40
SCRIPT_LIMIT = 3_000_000
"""Bytes of one script that are read."""

_MAP = re.compile(rb"[#@] ?sourceMappingURL=([^\s'\"*]{1,500})")
_CHUNK = re.compile(r"[\"'](?:\./)?(/?(?:(?:_next/)?static/(?:chunks|js)|assets)/[\w./~%()\[\]-]{1,200}\.js)[\"']")
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
    first = await _fetch(visit, list(wanted)[:MOST_SCRIPTS])
    chunks = {
        absolute(visit.url + "/", _placed(name)): None for script in first for name in _CHUNK.findall(script.text)
    }
    more = [url for url in chunks if url not in wanted]
    room = MOST_SCRIPTS - len(first)
    scripts = (*first, *await _fetch(visit, more[:room]))
    if wanted and not scripts:
        raise CannotRun(ErrorKind.NO_DATA, f"none of the {len(wanted)} scripts that the pages load could be read")
    maps = await gather(visit.ask_boldly("GET", _map_of(script)) for script in scripts)
    return Bundle(
        pages=pages,
        scripts=scripts,
        maps=tuple(answer for answer in maps if answer is not None),
        own_secrets=own_values(visit.run.environ, visit.run.config.secret_variables()),
        left_out=max(0, len(wanted) + len(more) - MOST_SCRIPTS),
    )


def _scripts_of(page: Answer) -> tuple[str, ...]:
    """The scripts that a page loads, and those that it has loaded beforehand."""
    markup = markup_of(page)
    early = (url for element, url in markup.loads if element == "link" and urlsplit(url).path.endswith((".js", ".mjs")))
    return (*(script.url for script in markup.scripts), *early)


async def _fetch(visit: Visit, urls: list[str]) -> tuple[Answer, ...]:
    answers = await gather(visit.ask_boldly("GET", url, limit=SCRIPT_LIMIT) for url in urls)
    return tuple(a for a in answers if a is not None and a.succeeded and _JAVASCRIPT.search(a.media_type))


def _placed(name: str) -> str:
    """Next.js names its chunks without the folder that it serves them from."""
    return f"/_next/{name}" if name.startswith("static/chunks/") else name


def _map_of(script: Answer) -> str:
    """Where the script says that its map is, or where it usually is."""
    told = _MAP.findall(script.body)
    name = told[-1].decode("ascii", "replace") if told else ""
    found = (
        absolute(script.url, name) if name and not name.startswith("data:") else script.url.partition("?")[0] + ".map"
    )
    return found if origin(found) == origin(script.url) else script.url.partition("?")[0] + ".map"


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
        title="The source of the scripts is not served beside them",
        severity=Severity.MEDIUM,
        why="A source map with its sources is the application's code, comments included.",
        remediation="Build without public source maps, or send them to the error tracker and delete them "
        "(Next.js: `productionBrowserSourceMaps: false`; Vite: `build.sourcemap: 'hidden'`).",
        references=("CWE-540", "https://tc39.es/ecma426/", "OWASP WSTG-INFO-05"),
    )
)
def source_maps(bundle: Bundle) -> Judged:
    for answer in bundle.maps:
        if count := _sources_in(answer):
            told = f"{answer.url} serves the source of {count} files"
            yield wrong(source_maps.spec, answer, told)
        else:
            yield seen(answer, "no map with sources")
    inline = [script for script in bundle.scripts if b"sourceMappingURL=data:" in script.body]
    for script in inline:
        yield wrong(source_maps.spec, script, f"{script.url} carries its source map within itself", key="inline")
    yield from _count(bundle)


def _sources_in(answer: Answer) -> int:
    """How many files' sources a map holds. A map that is longer than what was read is known by its beginning."""
    if not answer.succeeded:
        return 0
    data = answer.json
    if isinstance(data, dict):
        held = data.get("sourcesContent")
        return sum(1 for source in held if isinstance(source, str) and source) if isinstance(held, list) else 0
    head = answer.text[:2_000]
    return (
        1 if head.lstrip().startswith("{") and '"mappings"' in answer.text and '"sourcesContent"' in answer.text else 0
    )


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
