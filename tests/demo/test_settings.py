"""Settings: what is wrong is found at start, all of it, and said without saying the values."""

import pytest

from demo import settings

GOOD = {"VERCEL_ENV": "production", "SECRET_KEY": "k" * 32}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def _load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> settings.Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return settings.load()


def test_development_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = _load(monkeypatch)
    assert not loaded.production
    assert (loaded.rate_limit_per_minute, loaded.login_rate_limit_per_minute) == (100, 20)
    assert loaded.database_url.get_secret_value() == "sqlite://"


def test_production_lists_everything_that_is_wrong_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(settings.SettingsError) as caught:
        _load(
            monkeypatch,
            VERCEL_ENV="production",
            CORS_ORIGINS="*",
            RATE_LIMIT_PER_MINUTE="many",
            DEMO_USER_PASSWORD="hunter2",
            DEMO_FLAWS="no-hst",
            LOG_LEVEL="loud",
            SENTRY_DSN="s3cret",
        )
    lines = str(caught.value).splitlines()
    assert lines[0] == "The application cannot start: 7 settings are wrong in the environment."
    assert [line.split(":")[0].strip(" -") for line in lines[1:]] == [
        "SECRET_KEY",
        "DEMO_USER_PASSWORD",
        "CORS_ORIGINS",
        "RATE_LIMIT_PER_MINUTE",
        "LOG_LEVEL",
        "SENTRY_DSN",
        "DEMO_FLAWS",
    ]
    assert "'no-hsts'" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SECRET_KEY", "short-secret", "at least 32 characters, has 12"),
        ("VERCEL_ENV", "live", "production"),
        ("VERCEL_URL", "https://a.example", "without scheme"),
        ("DEMO_USER_EMAIL", "nobody", "DEMO_USER_EMAIL"),
        ("CORS_ORIGINS", "http://app.example.com", "https://app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/path", "no path"),
        ("OPENAI_BASE_URL", "api.openai.com", "http"),
        ("LOGIN_RATE_LIMIT_PER_MINUTE", "0", "greater than or equal to 1"),
        ("DEMO_FLAWS_IN_PRODUCTION", "no-hsts", "VERCEL_PROJECT_PRODUCTION_URL"),
    ],
)
def test_each_rule(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    with pytest.raises(settings.SettingsError, match=message) as caught:
        _load(monkeypatch, **{**GOOD, name: value})
    assert "short-secret" not in str(caught.value)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    origins = "https://a.example, https://b.example,"
    loaded = _load(monkeypatch, **GOOD, CORS_ORIGINS=origins, DEMO_FLAWS=" no-csp ,no-hsts")
    assert loaded.allowed_origins == ("https://a.example", "https://b.example")
    assert loaded.demo_flaws == {"no-csp", "no-hsts"}


def test_own_production_origin_is_the_default_for_cors(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = _load(monkeypatch, **GOOD, VERCEL_PROJECT_PRODUCTION_URL="WWW.Example.app")
    assert loaded.allowed_origins == ("https://www.example.app",)


def test_empty_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _load(monkeypatch, **GOOD, REDIS_URL="", RATE_LIMIT_PER_MINUTE="").redis_url is None
