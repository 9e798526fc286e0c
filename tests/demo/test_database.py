"""The same application on each database that it can keep its data in."""

import threading
from pathlib import Path

import httpx
import pytest
import sqlalchemy

from tests.demo.launching import EMAIL, ENVIRONMENT, PASSWORD, bearer, by_cookie, client, login, running


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'demo.db'}"


def _engine(database_url: str) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))


def test_sessions_and_rotation_survive_a_restart(database_url: str) -> None:
    with running(DATABASE_URL=database_url) as url, client(url) as http:
        account = login(http)
    with running(DATABASE_URL=database_url) as url, client(url) as http:
        assert http.get("/api/health/detailed").json()["services"]["database"]["status"] == "up"
        assert http.get("/api/user/profile", headers=bearer(account["access_token"])).json()["email"] == EMAIL
        old = {"refresh_token": account["refresh_token"]}
        assert [http.post("/api/auth/refresh", json=old).status_code for _ in range(2)] == [200, 401]
        assert http.get("/api/user/profile", headers=bearer(account["access_token"])).status_code == 401


def test_new_password_in_the_settings_replaces_the_old_one(database_url: str) -> None:
    for password in ("the first password", "the second password"):
        with running(DATABASE_URL=database_url, DEMO_USER_PASSWORD=password) as url, client(url) as http:
            answers = [
                http.post("/api/auth/login", json={"email": EMAIL, "password": attempt}).status_code
                for attempt in (password, PASSWORD)
            ]
            assert answers == [200, 401]


def test_of_many_refreshes_at_once_one_succeeds(database_url: str) -> None:
    with running(DATABASE_URL=database_url) as url, client(url) as http:
        token = {"refresh_token": login(http)["refresh_token"]}
        statuses: list[int] = []

        def refresh() -> None:
            with client(url) as own:
                statuses.append(own.post("/api/auth/refresh", json=token).status_code)

        threads = [threading.Thread(target=refresh) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] + [401] * 7


def test_expired_session_is_dead_and_forgotten_at_the_next_login(database_url: str) -> None:
    with running(DATABASE_URL=database_url) as url, client(url) as http:
        account = login(http)
        with (engine := _engine(database_url)).begin() as connection:
            connection.execute(sqlalchemy.text("UPDATE sessions SET expires_at = 1"))
        assert http.get("/api/user/profile", headers=bearer(account["access_token"])).status_code == 401
        assert http.get("/api/user/profile", headers=by_cookie(account["cookie"])).status_code == 401
        assert http.post("/api/auth/refresh", json={"refresh_token": account["refresh_token"]}).status_code == 401
        login(http)
    with engine.connect() as connection:
        for table in ("sessions", "refresh_tokens"):
            assert connection.execute(sqlalchemy.text(f"SELECT count(*) FROM {table}")).scalar_one() == 1
    engine.dispose()


def test_error_is_stored_as_reported(database_url: str) -> None:
    report = {"message": "boom", "stack": "at x", "source": "/app", "severity": "warning", "metadata": {"build": 7}}
    with running(DATABASE_URL=database_url) as url, client(url) as http:
        http.post("/api/errors/log", json=report)
    table = sqlalchemy.Table("error_logs", sqlalchemy.MetaData(), autoload_with=(engine := _engine(database_url)))
    with engine.connect() as connection:
        row = connection.execute(sqlalchemy.select(table)).mappings().one()
    engine.dispose()
    assert {name: row[name] for name in report} == report
    assert row["timestamp"] is not None
    if database_url.startswith("postgres"):
        assert isinstance(table.c.metadata.type, sqlalchemy.dialects.postgresql.JSONB)
        assert table.c.timestamp.type.timezone


def test_no_secret_of_a_user_is_stored_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "demo.db"
    with running(DATABASE_URL=f"sqlite:///{file}") as url, client(url) as http:
        account = login(http)
        assert http.get("/api/cron/backup", headers=bearer(ENVIRONMENT["CRON_SECRET"])).status_code == 200
    content = file.read_bytes()
    assert EMAIL.encode() in content
    for secret in (PASSWORD, account["cookie"], account["refresh_token"], account["access_token"]):
        assert secret.encode() not in content


def test_only_the_last_four_backups_are_kept(database_url: str) -> None:
    with running(DATABASE_URL=database_url) as url, client(url) as http:
        receipts = [http.get("/api/cron/backup", headers=bearer(ENVIRONMENT["CRON_SECRET"])).json() for _ in range(6)]
    with (engine := _engine(database_url)).connect() as connection:
        kept = connection.execute(sqlalchemy.text("SELECT sha256 FROM backups")).scalars().all()
    engine.dispose()
    assert len(kept) == 4
    assert set(kept) <= {receipt["sha256"] for receipt in receipts}


def test_two_processes_may_start_on_one_empty_database_at_once(database_url: str) -> None:
    with running(DATABASE_URL=database_url) as first, running(DATABASE_URL=database_url) as second:
        token = httpx.post(f"{first}/api/auth/login", json={"email": EMAIL, "password": PASSWORD}).json()[
            "access_token"
        ]
        assert httpx.get(f"{second}/api/user/profile", headers=bearer(token)).status_code == 200
