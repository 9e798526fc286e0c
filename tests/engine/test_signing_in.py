"""The login as a form: what a browser would send along, and nothing of other forms."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.config.shape.smoke import Login
from ci.engine.signing_in import Form, form_to, forms_of, login_form, login_request

PAGE = """<form action="/find"><input type=hidden name=lang value=en><input name=q></form>
<form method=post action="enter?x=1"><input type="HIDDEN" name="csrf" value="a&amp;b"><input name=email>
<input type=password name=password><input type=hidden name=next></form>"""
URL = "https://app.example.com"


def test_hidden_fields_of_the_form_that_asks_for_a_password_go_along() -> None:
    login = Login(path="/enter", page="/login", form=True, body={"remember": 1})
    sent = login_request(login, "ada", "p&w", url=URL, cookies={"pre": "1", "x": "2"}, page=PAGE)
    assert parse_qs(sent.content.decode(), keep_blank_values=True) == {
        "csrf": ["a&b"],
        "next": [""],
        "remember": ["1"],
        "email": ["ada"],
        "password": ["p&w"],
    }
    assert sent.headers == {
        "cookie": "pre=1; x=2",
        "content-type": "application/x-www-form-urlencoded",
        "origin": URL,
        "referer": f"{URL}/login",
    }


def test_a_login_by_json_is_as_it_was() -> None:
    sent = login_request(Login(body={"tenant": "a"}), "ada", "pw", url=URL)
    assert json.loads(sent.content) == {"tenant": "a", "email": "ada", "password": "pw"}
    assert sent.headers == {"content-type": "application/json"}


@pytest.mark.parametrize("wanted", ["/find", "/find/", "https://app.example.com/find?x"])
def test_a_form_is_known_by_where_it_is_sent(wanted: str) -> None:
    assert form_to(PAGE, f"{URL}/", wanted) == Form("/find", {"lang": "en"})
    assert form_to(PAGE, f"{URL}/deep/page", f"{URL}/deep/enter") == login_form(PAGE)
    assert form_to(PAGE, f"{URL}/", "/logout") is None


@given(st.text(alphabet="<>/=\"'![]-formhidenputypaswrd \n&;", max_size=200))
def test_any_page_can_be_read(page: str) -> None:
    assert all(isinstance(form, Form) for form in forms_of(page))
    assert not login_form("<form>" + page.replace("password", "")).asks_password
