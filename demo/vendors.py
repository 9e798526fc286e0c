"""A stand-in for the outside services that detailed health asks about, for machines without a network."""

import json

from starlette.types import Receive, Scope, Send

_ANSWERS = {
    "/models": {"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]},
    "/v1/balance": {"object": "balance", "livemode": False, "available": []},
    "/auth/v1/health": {"name": "GoTrue", "version": "v2"},
    "/health": {"status": "ok"},
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the addresses that are asked, as OpenAI, Stripe, Supabase and a vector store do; 404 for all others."""
    assert scope["type"] == "http"
    content = _ANSWERS.get(scope["path"])
    body = json.dumps(content if content else {"error": "not found"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200 if content else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})
