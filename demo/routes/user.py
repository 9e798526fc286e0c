"""What a signed-in user can do."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from .. import flaws, services
from ..authentication import SignedIn, SignedInForProfile, SignedInForUpdate
from ..errors import declared
from ..inputs import RequestBody, Text, refuse_unknown
from .auth import Profile

router = APIRouter(prefix="/api", tags=["user"])


class ProfileChange(RequestBody):
    """What a user may change; what is left out stays as it is."""

    name: Annotated[Text | None, Field(min_length=1, max_length=100)] = None


class ChatRequest(RequestBody):
    """A message to the assistant."""

    model_config = ConfigDict(str_strip_whitespace=True, extra="allow")

    message: Annotated[Text, Field(min_length=1, max_length=2000)]


class ChatResponse(BaseModel):
    """The assistant's answer."""

    id: UUID
    reply: str
    words: Annotated[int, Field(description="Words in the message, which is what is billed.")]


@router.get("/user/profile", responses=declared(401))
async def profile(session: SignedInForProfile) -> Profile:
    """Show the user who is signed in."""
    return Profile.of(session.user)


@router.put("/user/profile", responses=declared(400, 401, 403, 413))
async def change_profile(request: Request, body: ProfileChange, session: SignedInForUpdate) -> Profile:
    """Change what is given, and show the user afterwards."""
    if body.name is None:
        return Profile.of(session.user)
    return Profile.of(await run_in_threadpool(services.of(request).accounts.rename, session.user, body.name))


@router.post("/chat", responses=declared(400, 401, 403, 413))
async def chat(request: Request, body: ChatRequest, session: SignedIn) -> ChatResponse:
    """Answer a message."""
    if not flaws.active(request, "unknown-fields"):
        refuse_unknown(body)
    if flaws.active(request, "chat-broken"):
        raise RuntimeError("flaw: chat-broken")
    return ChatResponse(id=uuid4(), reply=_reply(body.message, session.user.name), words=len(body.message.split()))


def _reply(message: str, name: str) -> str:
    """A short answer without a model behind it, so that rehearsals are free and repeatable."""
    if message.endswith("?"):
        return f"Good question, {name}. I will have it in your next briefing."
    return f"Noted, {name}: {message}"
