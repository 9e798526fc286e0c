"""What others send is taken apart carefully: forwarding headers, local paths, signatures."""

import time
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from demo.context import _host, _last_address, _read
from demo.routes.operations import _event, _signed
from demo.routes.pages import _LOCAL_PATH

FORWARDED = {
    "host": "127.0.0.1:8000",
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "www.example.app",
    "x-request-id": "from-the-edge",
}


def _scope(peer: str) -> dict[str, object]:
    headers = [(name.encode(), value.encode()) for name, value in FORWARDED.items()]
    return {"type": "http", "scheme": "http", "client": (peer, 1234), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "vercel"), [("127.0.0.1", False), ("::1", False), ("10.1.2.3", False), ("8.8.8.8", True)]
)
def test_edge_is_believed(peer: str, vercel: bool) -> None:
    context = _read(_scope(peer), trust_any_peer=vercel)
    assert (context.client_ip, context.scheme, context.host) == ("203.0.113.7", "https", "www.example.app")
    assert context.request_id == "from-the-edge"


@pytest.mark.parametrize("peer", ["8.8.8.8", "2606:4700::1111", "testclient", ""])
def test_strangers_are_not_believed(peer: str) -> None:
    context = _read(_scope(peer), trust_any_peer=False)
    assert (context.client_ip, context.scheme, context.host) == (peer, "http", "127.0.0.1:8000")
    assert context.request_id != "from-the-edge"


@given(st.text(), st.ip_addresses())
def test_the_last_address_counts_whatever_stands_before_it(invented: str, real: object) -> None:
    assert _last_address(f"{invented},{real}") == str(real)


@given(st.text())
def test_only_addresses_are_taken_for_addresses(text: str) -> None:
    found = _last_address(text)
    assert found is None or str(ip_address(found)) == found


@given(st.text())
def test_host_holds_nothing_that_could_leave_it(text: str) -> None:
    host = _host(text)
    assert host == "" or urlsplit(f"https://{host}/").netloc == host
    assert not set(host) & set("/\\@?#<>\"' \r\n")


@given(st.from_regex(_LOCAL_PATH, fullmatch=True) | st.text(alphabet="/\\.:@?#%aA\t\n ").map(lambda rest: f"/{rest}"))
def test_local_path_stays_on_this_host(path: str) -> None:
    if _LOCAL_PATH.fullmatch(path):
        assert urlsplit(urljoin("https://here.example/login", path)).netloc == "here.example"
        assert "\\" not in path


@given(
    st.binary(max_size=50), st.text(max_size=50) | st.builds("t={},v1={}".format, st.integers(), st.text(max_size=64))
)
def test_guessed_signatures_fail_and_never_raise(body: bytes, header: str) -> None:
    assert not _signed(body, header, SecretStr("secret"))
    assert not _signed(body, f"t={int(time.time())},{header}", SecretStr("secret"))


@given(st.binary(max_size=200) | st.just(b"[" * 100_000) | st.just(b'{"id": 5, "type": ["x"]}'))
def test_any_signed_body_is_an_event(body: bytes) -> None:
    event = _event(body)
    assert event["id"] and event["type"]
