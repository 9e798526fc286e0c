"""The Content-Security-Policy of pages and of everything else (CSP Level 3, a "strict" policy)."""

from starlette.requests import HTTPConnection

from . import context, flaws

_FOR_DATA = "default-src 'none'; base-uri 'none'; form-action 'none'"


def page_policy(request: HTTPConnection) -> str:
    """Scripts and styles run only with this answer's nonce."""
    nonce = f"'nonce-{context.of(request).nonce}'"
    directives = {
        "default-src": "'self'",
        "script-src": f"{nonce} 'strict-dynamic'",
        "style-src": nonce,
        "img-src": "'self'",
        "connect-src": "'self'",
        "frame-src": "'none'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "upgrade-insecure-requests": "",
    }
    _weaken(request, directives)
    return "; ".join(f"{name} {sources}".strip() for name, sources in directives.items())


def data_policy(request: HTTPConnection) -> str:
    """Data is not to be rendered at all."""
    return _FOR_DATA if flaws.active(request, "frameable") else f"{_FOR_DATA}; frame-ancestors 'none'"


def _weaken(request: HTTPConnection, directives: dict[str, str]) -> None:
    """What the flaws make of the policy of pages."""
    if flaws.active(request, "mixed-content"):
        del directives["upgrade-insecure-requests"]
        directives["img-src"] = "'self' http:"
    if flaws.active(request, "frameable"):
        del directives["frame-ancestors"]
    if flaws.active(request, "csp-unsafe-inline"):
        directives["script-src"] = "'self' 'unsafe-inline'"
    if flaws.active(request, "csp-unsafe-eval"):
        directives["script-src"] += " 'unsafe-eval'"
    if flaws.active(request, "csp-any-host"):
        directives["script-src"] = "https:"
    if flaws.active(request, "csp-open-objects"):
        del directives["object-src"], directives["default-src"]
    if flaws.active(request, "csp-no-base-uri"):
        del directives["base-uri"]
    if flaws.active(request, "csp-no-form-action"):
        del directives["form-action"]
