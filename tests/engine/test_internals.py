"""Signs of a server's inside: seen in errors, and in pages only where nobody writes of them."""

from __future__ import annotations

import pytest

from ci.engine.internals import addresses, internals


@pytest.mark.parametrize(
    "body",
    [
        'Traceback (most recent call last):\n  File "/app/x.py", line 3',
        "TypeError: x\n    at handler (/var/task/api/chat.js:12:34)",
        "Error\n    at async file:///srv/app.mjs:1:2",
        "at com.shop.Cart.total(Cart.java:42)",
        "java.lang.NullPointerException: x",
        "System.NullReferenceException: Object reference",
        "<b>Fatal error</b>: Uncaught x in <b>/var/www/html/index.php</b>",
        "app.rb:12:in `call'",
        "goroutine 1 [running]:",
        "<title>Werkzeug Debugger</title>",
        "cannot open /home/deploy/app/secrets",
        "at /opt/x/node_modules/express/lib/router.js",
        '{"detail": "KeyError: \'user\'"}',
        "cannot import /app/shop/views.py",
        'psycopg2.errors.UndefinedTable: relation "users" does not exist',
    ],
)
def test_internals_are_seen(body: str) -> None:
    assert internals(body, of_error=True)


@pytest.mark.parametrize(
    "body",
    [
        "",
        '{"error": "not found", "path": "/api/home/x"}',
        "<a href='/home/'>Home</a> <a href='https://a.example/usr/about'>",
        "<p>We meet\n  at the station, at 12:30:15</p>",
        "Please log in at /login to trace back your order",
        "<p>No such page</p><script src='/app/main.js'></script>",
        '{"error": "ValidationError: email is required"}',
        '{"detail":[{"type":"json_invalid","loc":["body",12],"msg":"JSON decode error"}]}',
    ],
)
def test_innocent_errors_are_left_alone(body: str) -> None:
    assert internals(body, of_error=True) is None
    assert internals(body) is None


@pytest.mark.parametrize("part", ["\n", "-", "a.", "java.", "\n at ", "at a(", 'File "', "/a/", "in /a", " "])
def test_hostile_bodies_take_no_time(part: str) -> None:
    """With an unbounded repetition each of these would take hours."""
    assert internals(part * (200_000 // len(part)), of_error=True) is None


@pytest.mark.parametrize(
    "body",
    [
        "<p>A `java.lang.NullPointerException` means that a reference is empty.</p>",
        "<p>Never deploy with DEBUG = True.</p>",
        "<p>Copy it to /srv/shop/app, then look into /node_modules/react.</p>",
        "<p>An OperationalError comes from the driver.</p>",
    ],
)
def test_what_an_article_speaks_of_counts_in_errors_alone(body: str) -> None:
    assert internals(body) is None
    assert internals(body, of_error=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db at 10.0.3.7:5432", ["10.0.3.7"]),
        ("x-served-by: web-3.shop.internal", ["web-3.shop.internal"]),
        ("http://169.254.169.254/latest and 172.20.1.1", ["169.254.169.254", "172.20.1.1"]),
        ("version 10.0.0.1.2, 172.32.0.1, 8.8.8.8, 10.300.1.1, https://internal.example.com", []),
    ],
)
def test_internal_addresses(text: str, found: list[str]) -> None:
    assert list(addresses(text)) == found
