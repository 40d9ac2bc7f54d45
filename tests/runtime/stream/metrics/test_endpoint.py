"""The endpoint under readers who are wrong, slow, many, or mean."""

from __future__ import annotations

import http.client
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from runtime.errors import InputError
from runtime.stream.metrics import endpoint as module
from runtime.stream.metrics.address import MetricsAddress
from runtime.stream.metrics.endpoint import CONNECTIONS, MetricsEndpoint

LOCAL = MetricsAddress("127.0.0.1", 0)
PATIENCE = 20.0

Serve = Callable[..., tuple[MetricsEndpoint, int]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    opened = []

    def start(render=lambda: b"edgecl_up 1\n", token=None, **options):
        endpoint = MetricsEndpoint(LOCAL, token, **options)
        opened.append(endpoint)
        endpoint.start(render)
        return endpoint, int(endpoint.url.rpartition(":")[2].partition("/")[0])

    yield start
    for endpoint in opened:
        endpoint.close()
        endpoint.close()  # closing twice is fine


def ask(port: int, path: str = "/metrics", method: str = "GET", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_metrics_are_served_as_text(serve):
    _, port = serve()
    status, body, headers = ask(port)
    assert (status, body) == (200, b"edgecl_up 1\n")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Python" not in headers["Server"]
    assert ask(port, "/metrics?collect=all")[0] == 200
    assert ask(port, method="HEAD")[:2] == (200, b"")


def test_other_places_and_methods_are_told(serve):
    _, port = serve()
    assert ask(port, "/")[:2] == (404, b"metrics are at /metrics\n")
    assert ask(port, "/../etc/passwd")[0] == 404
    assert ask(port, method="POST")[0] == 501


def test_only_readers_with_the_token_may_read(serve):
    asked: list[int] = []

    def render() -> bytes:
        asked.append(1)
        return b"x 1\n"

    _, port = serve(render, token="geheim")
    for headers in (
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer gehei"},
        {"Authorization": "Bearer geheim2"},
        {"Authorization": "geheim"},
        {"Authorization": "Basic Z2VoZWlt"},
        {"Authorization": "Bearer gehe\xefm"},
    ):
        status, body, answered = ask(port, **headers)
        assert (status, answered["WWW-Authenticate"]) == (401, "Bearer")
        assert b"geheim" not in body
    assert not asked
    assert ask(port, Authorization="Bearer geheim")[:2] == (200, b"x 1\n")
    assert ask(port, "/elsewhere")[0] == 401  # nothing is told to strangers


def test_scrapes_in_a_row_render_once(serve, monkeypatch):
    monkeypatch.setattr(module, "FRESH_S", 3600.0)
    numbers = itertools.count(1)
    _, port = serve(lambda: f"n {next(numbers)}\n".encode())
    assert [ask(port)[1] for _ in range(5)] == [b"n 1\n"] * 5


def test_metrics_that_cannot_be_had_are_told_and_logged_once(serve, caplog):
    broken = [True]

    def render():
        if broken:
            raise RuntimeError("a sink of a package")
        return b"x 1\n"

    _, port = serve(render)
    with caplog.at_level(logging.WARNING):
        assert [ask(port)[0] for _ in range(3)] == [500] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "metrics: RuntimeError: a sink of a package"
    ]
    broken.clear()
    assert ask(port)[:2] == (200, b"x 1\n")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"\r\n" * 10,
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200,
        b"GET /metrics HTTP/1.1\r\nAuthorization: " + b"x" * 100_000,
        b"\0" * 100,
    ],
)
def test_what_is_no_request_harms_nobody(serve, garbage, capsys):
    _, port = serve()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as stranger:
        try:
            stranger.sendall(garbage)
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(65536):
                pass
        except TimeoutError:
            raise
        except OSError:
            pass  # it may hang up before all has come
    assert ask(port)[0] == 200
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_goes_away_is_no_event(serve, capsys):
    _, port = serve(lambda: b"x 1\n" * 1_000_000)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as reader:
            reader.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            reader.recv(10)
    assert ask(port)[0] == 200
    assert capsys.readouterr() == ("", "")


def test_connections_that_say_nothing_keep_nobody_out(serve):
    _, port = serve()
    before = threading.active_count()
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(3 * CONNECTIONS)]
    try:
        assert ask(port)[0] == 200
        assert threading.active_count() - before < 3 * CONNECTIONS
    finally:
        for connection in idle:
            connection.close()


def test_a_connection_that_drips_is_ended(serve, monkeypatch):
    monkeypatch.setattr(module, "CONNECTION_S", 0.05)
    _, port = serve()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        until = time.monotonic() + PATIENCE
        ended = False
        while not ended and time.monotonic() < until:
            try:
                slow.sendall(b"x")
                slow.settimeout(0.02)
                ended = slow.recv(1) == b""
            except TimeoutError:
                pass
            except OSError:
                ended = True
    assert ended


def test_a_port_in_use_is_one_line(serve):
    endpoint, port = serve()
    with pytest.raises(InputError) as caught:
        MetricsEndpoint(MetricsAddress("127.0.0.1", port), None)
    assert f"127.0.0.1:{port} is in use by another program; choose another" in str(caught.value)
    endpoint.close()
    MetricsEndpoint(MetricsAddress("127.0.0.1", port), None).close()  # it is free again


def test_an_address_of_another_machine_is_one_line():
    with pytest.raises(InputError, match=r"192\.0\.2\.1:9464 is no address of this machine"):
        MetricsEndpoint(MetricsAddress("192.0.2.1", 9464), "token")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_need_a_token(host):
    with pytest.raises(InputError) as caught:
        MetricsEndpoint(MetricsAddress(host, 0), None)
    assert f"{host} is reached by other machines, and no token is set" in str(caught.value)
    assert "token-file=FILE" in caught.value.hint


def test_a_token_on_a_network_is_not_encrypted_and_that_is_said(serve):
    told: list[str] = []
    MetricsEndpoint(MetricsAddress("0.0.0.0", 0), "t", report=told.append).close()
    (line,) = told
    assert "is not encrypted" in line
    told.clear()
    serve(token="t", report=told.append)
    assert not told
