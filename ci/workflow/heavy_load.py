"""The nightly load: another profile than the one that every release goes through."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from ci.config import Config
from ci.config.shape.load import Profile
from ci.errors import ConfigError

NOT_LINKED = (
    "not configured: rehearsal only. There is neither GONOGO_URL nor deploy.staging, so the load goes to the "
    "application started here"
)


def with_profile(config: Config, profile: str | None) -> Config:
    """The same configuration with another load profile. Raises ConfigError for one that there is not."""
    if profile is None:
        return config
    try:
        known: Profile = TypeAdapter(Profile).validate_python(profile)
    except ValidationError as error:
        raise ConfigError(f"GONOGO_PROFILE: {error.errors()[0]['msg']}") from None
    return config.model_copy(update={"load": config.load.model_copy(update={"profile": known})})
