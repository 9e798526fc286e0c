"""Paths where things lie that were never meant to be served, and how each proves that it is the real thing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ci.security.answer import Answer

_ENV = re.compile(r"(?m)^\s*(?:export\s+)?[A-Z][A-Z0-9_]{2,}\s*=\s*\S")
_SETTINGS = re.compile(
    r"(?im)^\W{0,8}\w{0,30}(?:secret|password|passwd|private_?key|database_url)\w{0,30}\W{1,5}\s{0,5}\S{3}"
)
_PHP_SETTINGS = re.compile(r"(?i)<\?php[\s\S]{0,5000}(?:password|secret|auth_key)")
_LOG = re.compile(
    r"(?m)^(?:\S{1,40} )?\[?(?:\d{4}-\d\d-\d\d|(?:DEBUG|INFO|WARN|WARNING|ERROR)\b|Traceback|\d+ verbose)"
)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_SQL = re.compile(r"(?i)\b(?:CREATE TABLE|INSERT INTO|PostgreSQL database dump|MySQL dump)\b")
_PHP_INFO = re.compile(r"<title>phpinfo\(\)|PHP Version [\d.]+")
_LISTING = re.compile(
    r"(?i)<(?:title|h1)[^>]{0,100}>\s*"
    r"(?:(?:Index of|Directory (?:listing|index) (?:for|of)|listing directory)\s*/|Files within\s)"
)
"""As Apache, nginx, Python, serve-index, Vercel's own `serve`, http-server and Jetty write it."""
_METRICS = re.compile(r"(?m)^# (?:HELP|TYPE) \w+")
_DOCS = re.compile(r"(?i)swagger-ui|redoc|rapidoc|scalar/api-reference|\"openapi\"\s*:\s*\"3|\"swagger\"\s*:\s*\"2")
_ENVIRONMENT = re.compile(r"(?i)\"?(?:environ|env_vars|process\.env|DATABASE_URL|SECRET_KEY)\"?\s*[:=]")
_ZIP, _GZIP, _SQLITE, _DS_STORE = b"PK\x03\x04", b"\x1f\x8b", b"SQLite format 3\0", b"\0\0\0\1Bud1"


@dataclass(frozen=True, slots=True)
class Grant:
    """The sign of a door that gives whoever knocks a cookie."""

    cookie: str

    def shows_in(self, answer: Answer) -> bool:
        given = [line.partition(";")[0].partition("=") for line in answer.headers.get_list("set-cookie")]
        return any(name.strip() == self.cookie and value.strip() for name, _, value in given)


@dataclass(frozen=True, slots=True)
class Lair:
    """A path, and the sign by which the real thing is known: a page for everything does not have it."""

    path: str
    kind: str
    sign: re.Pattern[str] | bytes | Grant
    is_text: bool = False
    """Whether it is never a page: a page may well speak of passwords and show a log."""

    def shows_in(self, answer: Answer) -> bool:
        if isinstance(self.sign, Grant):
            return self.sign.shows_in(answer)
        if not answer.succeeded or (self.is_text and answer.is_page):
            return False
        if isinstance(self.sign, bytes):
            return answer.body.startswith(self.sign)
        return self.sign.search(answer.text) is not None


def _lairs(kind: str, sign: re.Pattern[str] | str | bytes | Grant, *paths: str) -> tuple[Lair, ...]:
    made = re.compile(sign) if isinstance(sign, str) else sign
    return tuple(Lair(path, kind, made, is_text=sign in (_SETTINGS, _LOG)) for path in paths)


FILES = (
    *_lairs(
        "settings with secrets",
        _ENV,
        *("/.env", "/.env.local", "/.env.production", "/.env.backup", "/.env.development", "/.env.bak", "/.env.old"),
        *("/.env.save", "/api/.env", "/app/.env", "/backend/.env"),
    ),
    *_lairs(
        "settings with secrets",
        _SETTINGS,
        "/config.yml",
        "/config.json",
        "/settings.py",
        "/config.py",
        "/local_settings.py",
    ),
    *_lairs("settings with secrets", _PHP_SETTINGS, "/wp-config.php.bak", "/wp-config.php~", "/config.php.bak"),
    *_lairs(
        "an editor's access to the server",
        r'"(?:password|privateKeyPath)"\s*:',
        "/.vscode/sftp.json",
        "/sftp-config.json",
    ),
    *_lairs("what an editor left", b"b0VIM", "/.env.swp", "/index.php.swp", "/.index.php.swp"),
    *_lairs("a private key", _KEY, "/id_rsa", "/.ssh/id_rsa", "/server.key", "/privkey.pem"),
    *_lairs("cloud credentials", r"(?i)aws_secret_access_key", "/.aws/credentials"),
    *_lairs("package registry credentials", r"(?i)_authToken|_password", "/.npmrc"),
    *_lairs("Vercel's project settings", r'"(?:projectId|orgId)"', "/.vercel/project.json"),
    *_lairs(
        "the application's source",
        r"(?m)^(?:import|from|const|def|FROM)\b",
        "/api/index.py",
        "/app.py",
        "/main.py",
        "/Dockerfile",
    ),
    *_lairs(
        "the plan of the services",
        r"(?m)^services:\s*$",
        "/docker-compose.yml",
        "/docker-compose.yaml",
        "/compose.yaml",
    ),
    *_lairs("a log", _LOG, "/debug.log", "/error.log", "/app.log", "/logs/app.log", "/npm-debug.log"),
    *_lairs("passwords", r"(?m)^[\w.-]+:\$?[\w./$]{10,}", "/.htpasswd"),
)
REPOSITORY = (
    *_lairs("a Git repository", r"^(?:ref: refs/|[0-9a-f]{40}\s*$)", "/.git/HEAD"),
    *_lairs("a Git repository", r"(?m)^\[core\]", "/.git/config"),
    *_lairs("a Subversion repository", _SQLITE, "/.svn/wc.db"),
    *_lairs("a Mercurial repository", r"(?m)^(?:revlogv1|store|fncache)$", "/.hg/requires"),
)
BACKUPS = (
    *_lairs("a database dump", _SQL, "/dump.sql", "/backup.sql", "/db.sql", "/database.sql"),
    *_lairs("an archive", _ZIP, "/backup.zip", "/www.zip", "/site.zip"),
    *_lairs("an archive", _GZIP, "/backup.tar.gz", "/dump.sql.gz"),
    *_lairs("a database", _SQLITE, "/db.sqlite3", "/database.sqlite", "/app.db", "/instance/app.db", "/data.db"),
    *_lairs("a folder's file names", _DS_STORE, "/.DS_Store"),
)
DEBUG = (
    *_lairs("phpinfo()", _PHP_INFO, "/phpinfo.php", "/info.php"),
    *_lairs("Spring's actuator", r'"(?:propertySources|activeProfiles|_links)"', "/actuator", "/actuator/env"),
    *_lairs(
        "Apache's status", r"(?i)Apache Server Status|(?m:^Total Accesses: \d)", "/server-status", "/server-status?auto"
    ),
    *_lairs("nginx's status", r"(?m)^Active connections: \d", "/nginx_status", "/status", "/stub_status"),
    *_lairs("a process's variables", r'"memstats"\s*:', "/debug/vars"),
    *_lairs("metrics", _METRICS, "/metrics", "/api/metrics"),
    *_lairs(
        "a profiler", r"(?i)Symfony Profiler|Types of profiles available|__debug__/", "/_profiler", "/debug/pprof/"
    ),
    *_lairs("a console", r"(?i)Werkzeug Debugger|Interactive Console", "/console"),
    *_lairs("a way into draft mode", Grant("__prerender_bypass"), "/api/draft", "/api/preview", "/api/enable-draft"),
    *_lairs("debug information", _ENVIRONMENT, "/debug", "/api/debug"),
)
LISTINGS = _lairs(
    "a directory listing",
    _LISTING,
    *(
        "/static/",
        "/assets/",
        "/public/",
        "/uploads/",
        "/files/",
        "/images/",
        "/media/",
        "/backup/",
        "/logs/",
        "/dist/",
    ),
    *("/_next/", "/_next/static/", "/_next/static/chunks/"),
)
DOCUMENTS = _lairs(
    "API documentation",
    _DOCS,
    *("/docs", "/redoc", "/swagger", "/swagger-ui/", "/swagger.json", "/openapi.json", "/api/docs", "/api-docs"),
)
EVERYTHING = (*FILES, *REPOSITORY, *BACKUPS, *DEBUG, *LISTINGS, *DOCUMENTS)
