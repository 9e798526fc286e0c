"""Secrets that are planted in a served bundle are found and never repeated; look-alikes are left alone."""

from __future__ import annotations

import base64
import json
import random
import string

import pytest

from ci.model import Outcome
from ci.security import live
from ci.security.secret_patterns import own_values, secrets_in, server_keys_in
from tests.security.conftest import Opened

_DICE = random.Random(7)


def made(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_DICE.choice(alphabet) for _ in range(length))


HEX, UPPER, DIGITS = "0123456789abcdef", string.ascii_uppercase + string.digits, string.digits


def token(role: str) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"iss": "supabase", "role": role, "ref": made(12)})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, made(43)])


# Put together here, so that no scanner takes this file for a leak.
PLANTED = {
    "Stripe live": "sk_" + "live_" + made(24),
    "Stripe restricted": "rk_" + "live_" + made(24),
    "Stripe test": "sk_" + "test_" + made(24),
    "Stripe webhook": "wh" + "sec_" + made(32),
    "OpenAI": "sk-" + "proj-" + made(48),
    "Anthropic": "sk-" + "ant-" + "api03-" + made(90),
    "AWS id": "AK" + "IA" + made(16, UPPER),
    "AWS secret": "aws_secret_" + 'access_key="' + made(40) + '"',
    "AWS secret of a client": "secret" + 'AccessKey:"' + made(40) + '"',
    "GitHub": "gh" + "p_" + made(36),
    "GitHub fine-grained": "github_" + "pat_" + made(82),
    "GitLab": "gl" + "pat-" + made(20),
    "Slack": "xo" + "xb-" + made(12, DIGITS) + "-" + made(24),
    "Slack webhook": "https://hooks.slack.com/" + f"services/T{made(8, UPPER)}/B{made(8, UPPER)}/{made(24)}",
    "Discord webhook": "https://discord.com/api/" + f"webhooks/{made(18, DIGITS)}/{made(68)}",
    "SendGrid": "S" + f"G.{made(22)}.{made(43)}",
    "Mailgun": "key" + "-" + made(32, HEX),
    "Twilio": "S" + "K" + made(32, HEX),
    "Telegram": made(9, "123456789") + ":" + "AA" + made(33),
    "npm": "np" + "m_" + made(36),
    "Supabase key": "sb_" + "secret_" + made(30),
    "Supabase token": "sb" + "p_" + made(40, HEX),
    "Supabase service role": token("service_role"),
    "DigitalOcean": "do" + "p_v1_" + made(64, HEX),
    "Shopify": "shp" + "at_" + made(32, HEX),
    "Google OAuth": "GOC" + "SPX-" + made(28),
    "Hugging Face": "h" + "f_" + made(34, string.ascii_letters),
    "Linear": "lin_" + "api_" + made(40),
    "Notion": "secret" + "_" + made(43),
    "private key": "-----BEGIN " + "RSA PRIVATE KEY-----\\n" + made(120),
    "bcrypt": "$2" + "b$12$" + made(53),
    "database": "postgres" + f"://app:{made(16)}@db.shop.net/app",
}
LOOK_ALIKES = {
    "SHA-256": made(64, HEX),
    "SHA-1": made(40, HEX),
    "UUID": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "lock entry": '"integrity": "sha512-' + made(86) + '=="',
    "publishable Stripe key": "pk_" + "live_" + made(24),
    "anonymous Supabase token": token("anon"),
    "placeholder": "sk_" + "live_" + "x" * 24,
    "example database": "postgres://user:password@example.com/db",
    "public certificate": "-----BEGIN CERTIFICATE-----\\n" + made(120),
    "Google browser key": "AI" + "za" + made(35),
    "class name": "sk-button sk-card-container-with-a-long-name",
    "templated address": "postgres://${user}:${password}@${host}/db",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_secret_is_found_and_not_repeated(kind: str) -> None:
    secret = PLANTED[kind]
    found = secrets_in(f'const a=1;const b="{secret}";console.log(b)')
    assert found, kind
    assert all(secret not in item.masked for item in found)


@pytest.mark.parametrize("kind", LOOK_ALIKES)
def test_a_look_alike_is_left_alone(kind: str) -> None:
    text = f'const a=1;const b="{LOOK_ALIKES[kind]}";console.log(b)'
    assert secrets_in(text) == []
    assert server_keys_in(text) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{STRIPE_SECRET_KEY:"abcdefgh1234"}', "STRIPE_SECRET_KEY"),
        ('{"DATABASE_URL":"mysql-at-home-1"}', "DATABASE_URL"),
        ("SUPABASE_SERVICE_ROLE_KEY='abcdefgh1234'", "SUPABASE_SERVICE_ROLE_KEY"),
        ("{JWT_SECRET:`abcdefgh1234`}", "JWT_SECRET"),
        ('{NEXT_PUBLIC_ACCESS_TOKEN:"abcdefgh1234"}', ""),
        ('{NEXT_PUBLIC_MAPBOX_ACCESS_TOKEN:"abcdefgh1234"}', ""),
        ('{VITE_API_SECRET:"abcdefgh1234"}', "VITE_API_SECRET"),
        ('{"NEXT_PUBLIC_STRIPE_SECRET_KEY":"abcdefgh1234"}', "NEXT_PUBLIC_STRIPE_SECRET_KEY"),
        ('{VITE_SUPABASE_SERVICE_ROLE_KEY:"abcdefgh1234"}', "VITE_SUPABASE_SERVICE_ROLE_KEY"),
        ('{VITE_SUPABASE_ANON_KEY:"abcdefgh1234"}', ""),
        ("{SECRET_KEY:process.env.SECRET_KEY}", ""),
        ('{SECRET_KEY:"your-secret-here"}', ""),
        ('{FORGOT_PASSWORD:"FORGOT_PASSWORD"}', ""),
        ('{SECRET_KEY:""}', ""),
    ],
)
def test_server_only_settings(text: str, name: str) -> None:
    assert [found.what for found in server_keys_in(text)] == ([name] if name else [])


def test_short_values_of_the_environment_are_not_looked_for() -> None:
    assert own_values({"A": "short", "B": "long enough"}, ["A", "B", "C"]) == ("long enough",)


def test_each_secret_has_a_key_of_its_own_and_the_same_one_in_every_build() -> None:
    one, other = PLANTED["GitHub"], "gh" + "p_" + made(36)
    first, second = secrets_in(f"a='{one}';b='{other}';c='{one}'")
    assert first.key != second.key
    assert [found.key for found in secrets_in(f"/* newer */ x = '{other}'")] == [second.key]


async def test_all_of_them_in_one_served_bundle(shop: Opened) -> None:
    async with shop() as (served, run):
        planted = served.routes["/bundle.js"]

        def bundle(request: object) -> object:
            answer = planted(request)  # type: ignore[arg-type]
            answer.text += "".join(f"\nlet a{n} = '{secret}';" for n, secret in enumerate(PLANTED.values()))
            answer.text += f"\nlet mine = '{run.environ['SHOP_PASSWORD']}';"
            return answer

        served.routes["/bundle.js"] = bundle
        (result,) = await live.results(run, ["security/bundle-secrets"])
    assert result.outcome is Outcome.FAIL
    assert len(result.findings) >= 25
    assert any("this run's environment" in finding.message for finding in result.findings)
    written = result.model_dump_json()
    assert [kind for kind, secret in PLANTED.items() if secret in written] == []
    assert run.environ["SHOP_PASSWORD"] not in written
