"""Fetching, once, what the target shows to everybody: pages, API answers, an error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ci.engine.walls import login_elsewhere, password_wanted
from ci.errors import CannotRun, NotApplicable
from ci.model import ErrorKind
from ci.security.answer import Answer
from ci.security.plain import PlainHttp, ask_plainly
from ci.security.visit import Visit, gather

FOREIGN_HOST = "gonogo.invalid"
FOREIGN_ORIGIN = f"https://{FOREIGN_HOST}"
"""A site that is nobody's (RFC 2606)."""
UNLIKELY_PATH = "/gonogo-no-such-page"


@dataclass(frozen=True, slots=True)
class Surface:
    """Pages, API answers and an error answer of one target."""

    answers: tuple[Answer, ...]
    hops: tuple[Answer, ...] = ()
    """The redirects that were met on the way to them."""
    again: Answer | None = None
    """The first page once more: what must differ from answer to answer differs from the first."""
    foreign: Answer | None = None
    """The first page as another site's script would ask for it."""
    plain: PlainHttp | None = None
    """Where plain HTTP leads; None when nobody could look."""
    minimum_grade: str = "B"

    of_data: bool = False
    """Whether all pages answered, and none is HTML: an API has no page that a browser would show."""

    @property
    def pages(self) -> tuple[Answer, ...]:
        """The answers that a browser shows. Raises NotApplicable for an API without any."""
        pages = tuple(answer for answer in self.answers if answer.is_page)
        if self.of_data and not pages:
            raise NotApplicable(
                f"none of {len(self.answers)} answers is HTML, so no browser shows them as a page: if there is a page, "
                "name it in security.pages"
            )
        return pages

    @property
    def everything(self) -> tuple[Answer, ...]:
        return (*self.hops, *self.answers)


async def fetch_surface(visit: Visit) -> Surface:
    """The surface of the target, fetched when nobody has done so before.

    Raises CannotRun, LOGIN_WALL among it, and httpx errors.
    """
    if visit.known.surface is None:
        visit.known.surface = await _fetch(visit)
    return visit.known.surface


async def _fetch(visit: Visit) -> Surface:
    """Fetch the configured pages, the endpoints and health that need no login, and an unknown path."""
    config = visit.run.config
    first, *others = config.security.pages
    pages = [first, *others, *([config.smoke.login.page] if config.smoke.login and config.smoke.login.page else [])]
    endpoints = [request.path for request in config.smoke.api if request.method == "GET" and not request.login]
    if config.smoke.health:
        endpoints.append(config.smoke.health.path)
    paths = tuple(dict.fromkeys((*pages, *endpoints, UNLIKELY_PATH)))
    chains = dict(zip(paths, await gather(visit.follow(path) for path in paths), strict=True))
    _refuse_wall([chains[path][-1] for path in config.security.pages])
    protected = await gather(visit.get(path) for path in config.smoke.protected)
    reached = chains[first][-1].url
    foreign, again = await gather((visit.get(reached, headers={"origin": FOREIGN_ORIGIN}), visit.get(reached)))
    # A crash of the server is the smoke stage's business; its headers are not what users get.
    return Surface(
        answers=tuple(_sound(chain[-1] for chain in chains.values())),
        hops=tuple(_sound((*(hop for chain in chains.values() for hop in chain[:-1]), *protected))),
        again=again if again.is_page and not again.failed else None,
        foreign=foreign,
        plain=await ask_plainly(visit),
        minimum_grade=config.security.minimum_grade,
        of_data=all(chains[path][-1].succeeded and not chains[path][-1].is_page for path in config.security.pages),
    )


def _sound(answers: Iterable[Answer]) -> Iterable[Answer]:
    return (answer for answer in answers if not answer.failed)


def _refuse_wall(pages: list[Answer]) -> None:
    """Where every page asks for a password, or leads to a login elsewhere, something in front has answered."""
    if all(away := [login_elsewhere(page.location) for page in pages]):
        raise CannotRun(
            ErrorKind.LOGIN_WALL,
            f"every page leads to a login at {away[0]} in the application's place; let the checks pass it, "
            "or name public pages in security.pages",
        )
    if all(wanted := [password_wanted(page.status, page.headers) for page in pages]):
        raise CannotRun(
            ErrorKind.LOGIN_WALL,
            f"every page answers 401 (WWW-Authenticate: {wanted[0]}), so a password protection answered in the "
            "application's place; let the checks pass it, or name public pages in security.pages",
        )
