"""Static files under names that contain a hash of their content, so that they may be cached for ever."""

import mimetypes
import secrets
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from . import flaws

PUBLIC_FOLDER = Path(__file__).parent / "public"
_FOLDER = Path(__file__).parent / "static"
# Made up at every start, for the flaws that put a secret into a script.
_PAYMENT_KEY = "_".join(["sk", "live", secrets.token_hex(12)])
_SESSION_SECRET = secrets.token_hex(16)
_IMMUTABLE = "public, max-age=31536000, immutable"


def _hashed_name(file: Path) -> str:
    return f"{file.stem}.{sha256(file.read_bytes()).hexdigest()[:12]}{file.suffix}"


_NAMES = {file.name: _hashed_name(file) for file in sorted(_FOLDER.iterdir())}
_CONTENT = {hashed: (_FOLDER / name).read_bytes() for name, hashed in _NAMES.items()}


def address(name: str) -> str:
    """Where the static file ``name`` is served."""
    return f"/static/{_NAMES[name]}"


async def serve(request: Request) -> Response:
    """Answer with the file of this hashed name."""
    name = request.path_params["name"]
    if name not in _CONTENT:
        raise HTTPException(404)
    media_type = mimetypes.guess_type(name)[0]
    content = _CONTENT[name]
    if name.endswith(".js") and flaws.active(request, "bundle-secret"):
        content += f'\nconst payments = "{_PAYMENT_KEY}";\n'.encode()
    if name.endswith(".js") and flaws.active(request, "bundle-server-key"):
        content += f'\nconst settings = {{SESSION_SECRET: "{_SESSION_SECRET}"}};\n'.encode()
    return Response(content, media_type=media_type, headers={"cache-control": _IMMUTABLE})


async def favicon(request: Request) -> Response:
    """Browsers ask for this name whatever the page says."""
    return RedirectResponse(address("favicon.svg"), 301)
