"""Pages from templates; every value is escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection

from . import assets, context, flaws

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)


def render(request: HTTPConnection, template: str, **values: object) -> str:
    """The page as text; templates may ask for ``asset(name)``, ``flaw(name)`` and the ``nonce`` of the answer."""
    return _ENVIRONMENT.get_template(template).render(
        asset=assets.address,
        flaw=lambda name: flaws.active(request, name),
        nonce=context.of(request).nonce,
        **values,
    )
