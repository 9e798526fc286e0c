"""Signs of a server's inside in what it answers. Every repetition has a bound: the text is somebody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ANYWHERE = (
    ("a Python stack trace", r"Traceback \(most recent call last\)|File \"[^\"\n]{1,300}\", line \d"),
    (
        "a JavaScript stack trace",
        r"\n[ \t]{1,20}at (?:async )?(?:[\w.<>$ \[\]]{1,200} \()?(?:file://|node:|/)[^\s()]{1,300}:\d{1,7}:\d",
    ),
    ("a Java stack trace", r"\bat [\w$.]{1,300}\([\w$]{1,100}\.(?:java|kt|scala):\d"),
    (".NET internals", r"\bat [\w.`<>]{1,200}\([^)\n]{0,300}\) in [A-Z]:\\|System\.\w{1,100}Exception:"),
    ("a PHP error", r"(?:Fatal error|Parse error)(?:</b>)?:.{0,300}\bin (?:<b>)?/[\w./-]{1,300}"),
    ("a Ruby stack trace", r"\.rb:\d{1,7}:in [`']"),
    ("a Go stack trace", r"goroutine \d{1,9} \[running\]"),
    (
        "a framework's debug page",
        r"Werkzeug Debugger|You.{1,6}re seeing this error because you have <code>DEBUG = True",
    ),
    (
        "an SQL error",
        r"SQLSTATE\[|psycopg\d?\.errors|ORA-\d{5}:|near \"[^\"]{0,40}\": syntax error|syntax error at or near",
    ),
    (
        "a path on the server",
        r"(?<![\w/.:-])/(?:var/task|usr/src/app|usr/lib/python\d|vercel/path\d|home/\w{1,50})/[\w.@/-]{2}",
    ),
    ("a path on the server", r"/(?:node_modules|site-packages)/[\w@.-]{1,100}/[\w./-]{0,200}\.(?:js|py|ts):?\d"),
)
"""What no page shows on purpose."""
_IN_ERRORS = (
    ("a Java exception", r"\b(?:java|jakarta|org\.springframework)\.[\w.]{1,150}Exception\b"),
    ("a PHP error", r"(?:Warning|Notice)(?:</b>)?:.{0,300}\bin (?:<b>)?/[\w./-]{1,300}"),
    ("a framework's debug page", r"DEBUG = True|django\.core\.|Whoops, looks like something|Illuminate\\"),
    ("a path on the server", r"(?<![\w/.:-])/(?:srv/\w{1,50}|root)/[\w.@-]|/(?:node_modules|site-packages)/[\w@.-]"),
    (
        "a path on the server",
        r"(?<![\w/.:-])/(?:app|opt|srv|code|workspace|usr/src|home)/[\w./@-]{1,200}\.(?:py|rb|go|java|kt|cs)\b",
    ),
    (
        "an exception's name",
        r"\b(?:Key|Value|Type|Attribute|Index|Name|Import|ModuleNotFound|FileNotFound|ZeroDivision|Overflow|Recursion"
        r"|UnicodeDecode|UnicodeEncode|JSONDecode|Integrity|Programming|Data|Reference|Range|Syntax)Error: \S",
    ),
    ("an SQL error", r"(?i)OperationalError|ORA-\d{5}|SQLSTATE|syntax error at or near"),
)
"""What an article may well speak of, but no error answer."""
_PATTERNS = tuple((what, re.compile(pattern)) for what, pattern in _ANYWHERE)
_ERROR_PATTERNS = (*_PATTERNS, *((what, re.compile(pattern)) for what, pattern in _IN_ERRORS))
_ADDRESSES = re.compile(
    r"(?<![\w.])(?:"
    r"10\.(?:\d{1,3}\.){2}\d{1,3}|192\.168\.\d{1,3}\.\d{1,3}|172\.(?:1[6-9]|2\d|3[01])\.\d{1,3}\.\d{1,3}"
    r"|169\.254\.\d{1,3}\.\d{1,3}"
    r"|[\w-]{1,63}(?:\.[\w-]{1,63}){0,5}\.(?:internal|svc\.cluster\.local|lan|corp|intranet))(?![\w.-])"
)


def internals(text: str, *, of_error: bool = False) -> str | None:
    """What a text gives away of the server's inside (CWE-209), or None; more counts in an answer to an error."""
    patterns = _ERROR_PATTERNS if of_error else _PATTERNS
    return next((what for what, pattern in patterns if pattern.search(text)), None)


def addresses(text: str) -> Iterator[str]:
    """Private addresses (RFC 1918, RFC 3927) and names of internal machines in a text."""
    for match in _ADDRESSES.finditer(text):
        numbers = match[0].split(".")
        if all(not number.isdigit() or int(number) <= 255 for number in numbers):
            yield match[0]
