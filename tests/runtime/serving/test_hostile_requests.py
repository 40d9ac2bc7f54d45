"""Requests that no browser of a user sends, answered by the real server on loopback."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("starlette", reason="needs pip install 'edgecl[serve]'")
pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")

from runtime.serving import connection
from runtime.serving.guard import MOST_BODY, SAFE_HEADERS
from runtime.serving.live import part
from runtime.serving.process import LARGEST_HEAD
from tests.runtime.serving.lines import ServedLine, next_event, read_all, served
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def line() -> Iterator[ServedLine]:
    with served() as running:
        yield running


@pytest.mark.parametrize("path", ["/live/", "/login", "/static/live.js", "/nothing", "/live/x"])
def test_every_answer_has_strict_headers(line, path):
    _, headers, _ = line.get(path)
    assert {name: headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "server" not in headers


def test_refusals_have_them_too(line):
    for status, headers, _ in (
        line.get("/live/", "DELETE"),
        line.get("/live/", Host="evil.example"),
        line.get("/live/", "POST", b"x" * (MOST_BODY + 1)),
    ):
        assert status >= 400
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil", "[::2]", "", "x]"],
)
def test_another_host_is_refused(line, host):
    assert line.get("/live/", Host=host)[0] == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9000", "127.0.0.1:1", "[::1]:8080", "127.8.8.8"]
)
def test_this_machine_by_its_names_is_served(line, host):
    assert line.get("/live/", Host=host)[0] == 200


def test_two_hosts_or_none_are_refused(line):
    assert b" 421 " in line.raw(b"GET / HTTP/1.0\r\n\r\n")
    twice = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert line.raw(twice).split(b"\r\n")[0].split()[1] in (b"400", b"421")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../secret",
        "/static/..%2f..%2fprocess.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/static/login.html",
        "/static/",
        "//etc/passwd",
        "/live/0/map/../../../etc/passwd",
        "/live/0/image/-1.jpg",
        "/live/9/image/99.jpg",
        "/live/0/held/99.jpg",
        "/live/0/image/99999999999999999999999999.jpg",
        "/live/0/image/%00.jpg",
    ],
)
def test_no_path_leads_to_the_disk(line, path):
    assert line.get(path)[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X"])
def test_other_methods_are_refused(line, method):
    assert line.get("/live/", method)[0] == 405


def test_nothing_is_uploaded(line):
    assert line.get("/live/", "POST", b"x" * (MOST_BODY + 1))[0] == 413
    assert line.get("/live/", "POST", b"x")[0] == 405
    chunked = (
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n"
    )
    assert line.raw(chunked).startswith(b"HTTP/1.1 413")


def test_a_head_that_never_ends_is_cut(line):
    answer = line.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (LARGEST_HEAD + 100))
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_and_closed(line, data):
    assert line.raw(data + b"\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert line.get("/live/")[0] == 200


def test_other_sites_get_nothing_but_a_link_works(line):
    assert line.get("/live/0/image/99.jpg", Sec_Fetch_Site="cross-site")[0] == 403
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert line.get("/live/", **link, Sec_Fetch_Dest="document")[0] == 200
    assert line.get("/live/", **link, Sec_Fetch_Dest="iframe")[0] == 403
    assert line.get("/login", "POST", b"token=x", Origin="http://evil.example")[0] == 403


def test_a_websocket_is_not_opened(line):
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Key": "x" * 16}
    assert line.get("/live/", **upgrade)[0] == 200


def test_a_request_that_never_comes_is_cut(monkeypatch):
    monkeypatch.setattr(connection, "REQUEST_S", 0.3)
    with served() as line:
        for begun in (
            b"",
            b"GET / HT",
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nto",
        ):
            with socket.create_connection(("127.0.0.1", line.port), 30) as client:
                client.sendall(begun)
                with contextlib.suppress(ConnectionResetError):
                    assert not read_all(client).startswith(b"HTTP/1.1 2")
        assert line.get("/live/")[0] == 200


def test_a_viewer_that_does_not_read_is_cut_and_others_go_on(monkeypatch):
    monkeypatch.setattr(connection, "STALL_S", 0.5)
    monkeypatch.setattr(part, "PERIOD_S", 0.001)
    with served() as line:
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", line.port))
        lazy.sendall(b"GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with line.events() as other:
            until = time.monotonic() + 120
            while line.part.viewers > 1:
                next_event(other)
                assert time.monotonic() < until, "the viewer was not cut"
            next_event(other)
        lazy.close()


def test_too_many_viewers_are_turned_away_and_room_comes_back(monkeypatch):
    monkeypatch.setattr(part, "MOST_VIEWERS", 2)
    with served() as line:
        first, second = line.events(), line.events()
        next_event(first)
        next_event(second)
        assert line.get("/live/events")[0] == 503
        first.close()
        until = time.monotonic() + 60
        while line.get("/live/events", "HEAD")[0] == 503:
            assert time.monotonic() < until
            time.sleep(0.05)
        second.close()


def test_of_those_who_come_at_once_none_is_too_many(monkeypatch):
    monkeypatch.setattr(part, "MOST_VIEWERS", 3)
    with served() as line:
        clients = [socket.create_connection(("127.0.0.1", line.port), 60) for _ in range(10)]
        for client in clients:
            client.sendall(b"GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        codes = [client.makefile("rb").readline().split()[1] for client in clients]
        assert sorted(codes) == [b"200"] * 3 + [b"503"] * 7
        assert line.part.viewers == 3
        for client in clients:
            client.shutdown(socket.SHUT_RDWR)
            client.close()
        wait_until(lambda: line.part.viewers == 0)


def test_too_many_connections_are_answered_with_503(monkeypatch):
    from runtime.serving import process

    monkeypatch.setattr(process, "MOST_CONNECTIONS", 5)
    with served() as line:
        held = [socket.create_connection(("127.0.0.1", line.port), 30) for _ in range(8)]
        time.sleep(0.2)
        assert line.get("/live/")[0] == 503
        for client in held:
            client.close()
        until = time.monotonic() + 60
        while line.get("/live/")[0] == 503:
            assert time.monotonic() < until
            time.sleep(0.05)
