"""What all request bodies have in common."""

from typing import Annotated

from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict


def _storable(text: str) -> str:
    """JSON can carry what neither UTF-8 nor a database can hold."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be text without NUL and without lone surrogates")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class RequestBody(BaseModel):
    """A body that may hold what is declared, and nothing else."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def refuse_unknown(body: RequestBody) -> None:
    """Refuse fields that nobody has declared, for bodies that are read before it is clear whether they may hold any."""
    if body.model_extra:
        message = "Extra inputs are not permitted"
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("body", name), "msg": message} for name in body.model_extra]
        )
