"""The token: by form, by cookie, by header, and not at all."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest

pytest.importorskip("starlette", reason="needs pip install 'edgecl[serve]'")
pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")

from runtime.serving import app
from runtime.serving.access import SESSION_S, Access
from tests.runtime.serving.lines import TOKEN, ServedLine, next_event, served
from tests.runtime.stream.remote.certificates import make_certificates

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def line() -> Iterator[ServedLine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "WRONG_S", 0.2)
        with served(token=TOKEN) as running:
            yield running


@pytest.mark.parametrize(
    "path", ["/", "/live/", "/live/events", "/live/0/image/99.jpg", "/nothing"]
)
def test_without_the_token_nothing_is_shown(line, path):
    status, headers, body = line.get(path)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN.encode() not in body
    assert line.get(path, Cookie="edgecl=1.2")[0] == 401
    assert line.get(path, Authorization="Bearer wrong")[0] == 401
    assert line.get(path, Authorization=f"Basic {TOKEN}")[0] == 401


def test_a_browser_is_led_to_the_form(line):
    status, headers, _ = line.get("/live/", Accept="text/html,*/*")
    assert (status, headers["location"]) == (303, "/login")
    status, _, body = line.get("/login")
    assert status == 200
    assert b'type="password"' in body
    assert line.get("/static/page.css")[0] == 200
    assert line.get("/static/live.js")[0] == 401


def test_the_header_is_enough(line):
    assert line.get("/live/", Authorization=f"Bearer {TOKEN}")[0] == 200
    with line.events(Authorization=f"bearer {TOKEN}") as events:
        assert TOKEN.encode() not in next_event(events)


def test_the_form_gives_a_cookie_and_the_button_takes_it_away(line):
    status, headers, _ = line.get("/login", "POST", f"token={TOKEN}".encode(), **FORM)
    assert (status, headers["location"]) == (303, "/")
    cookie = SimpleCookie(headers["set-cookie"])["edgecl"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
    assert cookie["max-age"] == str(SESSION_S)
    assert TOKEN not in headers["set-cookie"]
    logged_in = f"a=b; edgecl={cookie.value}"
    status, _, body = line.get("/live/", Cookie=logged_in)
    assert status == 200
    assert b"Log out" in body
    status, headers, _ = line.get("/logout", "POST", b"", Cookie=logged_in)
    assert status == 303
    assert "Max-Age=0" in headers["set-cookie"]


@pytest.mark.parametrize(
    "body",
    [
        b"token=wrong",
        b"",
        b"token=",
        b"\xff\xfe",
        b"&".join([b"a=b"] * 50),
        b"token=" + b"x" * 4000,
    ],
)
def test_a_wrong_token_is_refused(line, body):
    status, headers, page = line.get("/login", "POST", body, **FORM)
    assert status == 401
    assert "set-cookie" not in headers
    assert b"That is not the token." in page


def test_many_wrong_tokens_do_not_wait_together(monkeypatch):
    monkeypatch.setattr(app, "MOST_WRONG", 0)
    with served(token=TOKEN) as line:
        assert line.get("/login", "POST", b"token=wrong", **FORM)[0] == 429
        assert line.get("/login", "POST", f"token={TOKEN}".encode(), **FORM)[0] == 303


def test_a_cookie_expires_and_cannot_be_prolonged():
    now = [1000.0]
    access = Access(TOKEN, clock=lambda: now[0])
    cookie = access.new_cookie()
    assert access.takes_cookie(cookie)
    until, _, signature = cookie.partition(".")
    assert not access.takes_cookie(f"{int(until) + 1}.{signature}")
    assert not access.takes_cookie(f"{until}.{signature[:-1]}")
    assert not access.takes_cookie(f"{until}")
    assert not access.takes_cookie(f"-{until}.{signature}")
    assert not Access("another token that is long").takes_cookie(cookie)
    now[0] += SESSION_S
    assert not access.takes_cookie(cookie)


def test_with_tls_the_cookie_is_of_this_host_alone(tmp_path):
    made = make_certificates(tmp_path / "tls")
    certificate, key = str(made.certificate), str(made.key)
    with served(token=TOKEN, certificate=certificate, key=key) as line:
        trusting = ssl.create_default_context(cafile=made.authority)
        client = http.client.HTTPSConnection("localhost", line.port, timeout=30, context=trusting)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        client.request("POST", "/login", f"token={TOKEN}", form)
        answer = client.getresponse()
        answer.read()
        cookie = SimpleCookie(answer.getheader("set-cookie"))["__Host-edgecl"]
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        client.request("GET", "/live/", headers={"Cookie": f"__Host-edgecl={cookie.value}"})
        assert client.getresponse().status == 200
        client.close()
        with pytest.raises(http.client.HTTPException):
            line.get("/live/")  # without TLS


def test_without_a_token_no_cookie_counts():
    access = Access("")
    assert access.is_open
    assert not access.knows("")
    assert not access.takes_cookie(access.new_cookie())
