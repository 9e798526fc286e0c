"""What all request bodies have in common."""

from typing import Annotated

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
