"""Secrets that open nothing, of many kinds, and texts that look like secrets and are none.

They are put together when a test runs, so that no file of this repository holds one.
"""

from __future__ import annotations

import base64
import random
import string

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_CHANCE = random.Random(20260101)
_ALNUM = string.ascii_letters + string.digits
_LOWER = string.ascii_lowercase + string.digits
_UPPER = string.ascii_uppercase + string.digits
_HEX = "0123456789abcdef"


def _of(alphabet: str, length: int) -> str:
    return "".join(_CHANCE.choice(alphabet) for _ in range(length))


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _jwt() -> str:
    parts = ['{"alg":"HS256","typ":"JWT"}', '{"sub":"' + _of(_ALNUM, 20) + '","admin":true}']
    head = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{_of(_ALNUM, 43)}"


def secrets() -> dict[str, tuple[str, str]]:
    """For each kind the secret itself, and a text as it stands in a file."""
    made = {
        "aws-access-key": ("AKIA" + _of(string.ascii_uppercase + "234567", 16), 'id = "{}"'),
        "aws-secret-key": (_of(_ALNUM, 40), 'aws_secret_access_key = "{}"'),
        "github-token": ("ghp_" + _of(_ALNUM, 36), 'token = "{}"'),
        "github-fine-grained": ("github_pat_" + _of(_ALNUM, 22) + "_" + _of(_ALNUM, 59), "{}"),
        "gitlab-token": ("glpat-" + _of(_ALNUM, 20), 'GITLAB = "{}"'),
        "slack-bot": (f"xoxb-{_of(string.digits, 12)}-{_of(string.digits, 13)}-{_of(_ALNUM, 24)}", "SLACK={}"),
        "slack-webhook": (
            f"https://hooks.slack.com/services/T{_of(_UPPER, 8)}/B{_of(_UPPER, 8)}/{_of(_ALNUM, 24)}",
            "{}",
        ),
        "stripe-live": ("sk_live_" + _of(_ALNUM, 24), 'stripe.api_key = "{}"'),
        "stripe-restricted": ("rk_live_" + _of(_ALNUM, 24), 'key = "{}"'),
        "openai": ("sk-" + _of(_ALNUM, 20) + "T3BlbkFJ" + _of(_ALNUM, 20), 'OPENAI_API_KEY="{}"'),
        "anthropic": ("sk-ant-api03-" + _of(_ALNUM, 93) + "AA", 'key = "{}"'),
        "sendgrid": (f"SG.{_of(_ALNUM, 22)}.{_of(_ALNUM, 43)}", "SENDGRID={}"),
        "mailchimp": (_of(_HEX, 32) + "-us12", 'mailchimp = "{}"'),
        "twilio": ("SK" + _of(_HEX, 32), 'twilio_key = "{}"'),
        "npm": ("npm_" + _of(_ALNUM, 36), "//registry.example/:_authToken={}"),
        "pypi": ("pypi-AgEIcHlwaS5vcmc" + _of(_ALNUM, 70), "password = {}"),
        "google-api": ("AIza" + _of(_ALNUM, 35), 'maps = "{}"'),
        "discord-bot": (f"M{_of(_ALNUM, 23)}.{_of(_ALNUM, 6)}.{_of(_ALNUM, 27)}", 'discord_token = "{}"'),
        "telegram-bot": (f"{_of('123456789', 10)}:AA{_of(_ALNUM, 33)}", 'telegram_token = "{}"'),
        "azure-storage": (base64.b64encode(_CHANCE.randbytes(64)).decode(), "AccountName=shop;AccountKey={}"),
        "square": ("sq0csp-" + _of(_ALNUM, 43), 'square = "{}"'),
        "digitalocean": ("dop_v1_" + _of(_HEX, 64), 'token = "{}"'),
        "shopify": ("shpat_" + _of(_HEX, 32), 'token = "{}"'),
        "huggingface": ("hf_" + _of(string.ascii_letters, 34), 'HF_TOKEN = "{}"'),
        "jwt": (_jwt(), 'bearer = "{}"'),
        "url-password": (_of(_ALNUM, 18), 'DATABASE = "postgres://shop:{}@db.internal:5432/shop"'),
        "password": (_of(_ALNUM, 16) + "!", 'password = "{}"'),
        "rsa-key": (_pem(rsa.generate_private_key(65537, 2048), PrivateFormat.TraditionalOpenSSL), "{}"),
        "ec-key": (_pem(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.PKCS8), "{}"),
        "linear": ("lin_api_" + _of(_ALNUM, 40), 'linear = "{}"'),
    }
    return {kind: (secret, text.format(secret)) for kind, (secret, text) in made.items()}


def look_alikes() -> dict[str, str]:
    """Files that hold nothing secret, by name."""
    return {
        "sha1.txt": f"commit {_of(_HEX, 40)}\n",
        "sha256.py": f'DIGEST = "{_of(_HEX, 64)}"\n',
        "md5.json": f'{{"etag": "{_of(_HEX, 32)}"}}\n',
        "uuid.py": 'ORDER = "3f2b8c1e-7d4a-4b6f-9e21-5a8c7d6e4f10"\n',
        "package-lock.json": '{"lockfileVersion": 3, "packages": {"node_modules/a": {"integrity": "sha512-'
        + base64.b64encode(_CHANCE.randbytes(64)).decode()
        + '"}}}\n',
        "poetry.lock": f'files = [{{file = "a.whl", hash = "sha256:{_of(_HEX, 64)}"}}]\n',
        "locked.txt": f"requests==2.32.3 \\\n    --hash=sha256:{_of(_HEX, 64)}\n",
        ".env.example": "STRIPE_SECRET_KEY=\nDATABASE_PASSWORD=<your password>\nAPI_TOKEN=${API_TOKEN}\n",
        "settings.py": 'password = os.environ["PASSWORD"]\nsecret_key = config.secret_key\n',
        "page.html": f'<script integrity="sha384-{base64.b64encode(_CHANCE.randbytes(48)).decode()}"></script>\n',
        "workflow.yml": "env:\n  TOKEN: ${{ secrets.VERCEL_TOKEN }}\n",
        "README.md": "Set `VERCEL_TOKEN` to the token that Vercel shows once.\n",
        "compose.yml": "environment:\n  POSTGRES_PASSWORD: postgres\n  SESSION_SECRET: change-me\n",
        "form.tsx": "if (typeof password !== 'string') throw 0;\nconst labels = {password: 'Password'};\n"
        "const fill = {password: 'current-password'}, routes = {resetPassword: '/reset-password'};\n",
        "stripe.ts": 'const key = "pk_test_your_publishable_key";\n',
    }
