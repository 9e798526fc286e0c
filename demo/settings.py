"""Everything the environment decides, validated once at start: production does not start half configured."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from . import flaws

MIN_SECRET_LENGTH = 32
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class SettingsError(Exception):
    """The environment is not fit to start with; the message lists every reason."""


class Settings(BaseSettings):
    """The environment variables of this application, named as Vercel and the vendors name them."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, hide_input_in_errors=True, extra="ignore")

    # Declared first: the rules for production below read it.
    vercel_env: Literal["production", "preview", "development"] = "development"
    vercel: bool = False
    vercel_git_commit_sha: str = "unknown"
    vercel_deployment_id: str = "unknown"
    vercel_url: str | None = None
    vercel_project_production_url: str | None = None

    secret_key: SecretStr | None = Field(default=None, validate_default=True)
    demo_user_email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)
    demo_user_password: SecretStr | None = Field(default=None, validate_default=True)

    google_client_id: str | None = None
    microsoft_client_id: str | None = None
    stripe_webhook_secret: SecretStr | None = None
    cron_secret: SecretStr | None = None

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    rate_limit_enabled: bool = True
    rate_limit_per_minute: int = Field(default=100, ge=1)
    login_rate_limit_per_minute: int = Field(default=20, ge=1)
    report_rate_limit: int = Field(default=20, ge=1)
    report_rate_limit_window_seconds: int = Field(default=60, ge=1)

    database_url: SecretStr = SecretStr("sqlite://")
    redis_url: SecretStr | None = None
    openai_base_url: str | None = None
    stripe_base_url: str | None = None
    supabase_url: str | None = None
    vector_store_url: str | None = None

    log_level: str = "INFO"
    sentry_dsn: SecretStr | None = None

    demo_flaws: Annotated[frozenset[str], NoDecode] = frozenset()
    demo_flaws_in_production: Annotated[frozenset[str], NoDecode] = frozenset()

    @property
    def production(self) -> bool:
        """Whether this process serves, or is about to serve, real users."""
        return self.vercel_env == "production"

    @property
    def public_hosts(self) -> tuple[str, ...]:
        """The host names by which the outside world may know this deployment, its own first."""
        return tuple(host for host in (self.vercel_url, self.vercel_project_production_url) if host)

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """The origins whose pages may call the API: those configured, else the application's own production origin."""
        if self.cors_origins or self.vercel_project_production_url is None:
            return self.cors_origins
        return (f"https://{self.vercel_project_production_url}",)

    @field_validator("vercel_url", "vercel_project_production_url")
    @classmethod
    def _bare_host(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if "/" in value or "@" in value:
            raise ValueError("must be a host name without scheme or path, for example app.example.com")
        return value.lower()

    @field_validator("secret_key")
    @classmethod
    def _long_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None and info.data.get("vercel_env") == "production":
            raise ValueError("is required in production: set at least 32 random characters")
        if value is not None and len(value.get_secret_value()) < MIN_SECRET_LENGTH:
            raise ValueError(f"must have at least {MIN_SECRET_LENGTH} characters, has {len(value.get_secret_value())}")
        return value

    @field_validator("demo_user_password")
    @classmethod
    def _password_with_email(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("demo_user_email") is None):
            raise ValueError("must be set together with a valid DEMO_USER_EMAIL, or not at all")
        return value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _list_of_origins(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        schemes = ("https",) if info.data.get("vercel_env") == "production" else ("https", "http")
        for origin in value:
            parts = urlsplit(origin)
            if parts.scheme not in schemes or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(f"{origin!r} is not an exact origin such as https://app.example.com (no path, no *)")
        return value

    @field_validator("openai_base_url", "stripe_base_url", "supabase_url", "vector_store_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
            raise ValueError("must be an http:// or https:// address")
        return value

    @field_validator("sentry_dsn")
    @classmethod
    def _sentry_address(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value()) if value else None
        if parts and not (parts.scheme in ("http", "https") and parts.username and parts.path.strip("/").isdigit()):
            raise ValueError("must look like https://<key>@<host>/<project number>")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if str(value).upper() not in LOG_LEVELS:
            raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
        return str(value).upper()

    @field_validator("demo_flaws", "demo_flaws_in_production", mode="before")
    @classmethod
    def _known_flaws(cls, value: Any) -> Any:
        return flaws.parse(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _flaws_need_their_host(self) -> "Settings":
        if self.demo_flaws_in_production and self.vercel_project_production_url is None:
            raise ValueError("DEMO_FLAWS_IN_PRODUCTION needs VERCEL_PROJECT_PRODUCTION_URL to know that host")
        return self


def load() -> Settings:
    """Read the environment; raises ``SettingsError`` with every problem on a line of its own, values never included."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [_sentence(dict(problem)) for problem in error.errors(include_input=False, include_url=False)]
    lines = "\n".join(f"  - {problem}" for problem in problems)
    count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
    raise SettingsError(f"The application cannot start: {count} wrong in the environment.\n{lines}")


def _sentence(problem: dict[str, Any]) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    return ": ".join([*(str(part).upper() for part in problem["loc"]), message])
