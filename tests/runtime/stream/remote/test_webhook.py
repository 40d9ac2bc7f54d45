"""Verdicts to a web server that fails, stalls, refuses and comes back."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace

import pytest

from runtime.errors import InputError
from runtime.files.document import parse_document
from runtime.stream.sinks.remote.messages import VerdictMessage
from tests.runtime.stream.remote.broker import free_port
from tests.runtime.stream.remote.certificates import make_certificates
from tests.runtime.stream.remote.receivers import frames, verdict
from tests.runtime.stream.remote.web_server import WebServer
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def quick_tries(monkeypatch):
    monkeypatch.setattr("runtime.stream.sinks.remote.delivery.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("runtime.stream.sinks.remote.delivery.LONGEST_PAUSE_S", 0.01)


@pytest.fixture
def server() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()


def address(server: WebServer, options: str = "") -> str:
    return f"webhook:http://127.0.0.1:{server.port}/verdicts?line=3{options}"


def test_a_request_per_verdict_signed_and_with_its_id(server, open_remote, tmp_path, said):
    (tmp_path / "secret").write_text("geheim\n")
    sink = open_remote(address(server, f"#secret-file={tmp_path / 'secret'}"))
    for number in range(20):
        sink.emit(verdict(number))
    wait_until(lambda: sink.delivered == 20, "20 verdicts")
    assert frames(server.bodies) == list(range(20))
    assert len(server.requests) == 20
    path, headers, body = server.requests[7]
    assert path == "/verdicts?line=3"
    assert headers["Idempotency-Key"] == "run/7"
    assert headers["Content-Type"] == "application/json"
    digest = hmac.new(b"geheim", body, hashlib.sha256).hexdigest()
    assert headers["Edgecl-Signature"] == f"sha256={digest}"
    assert parse_document(json.loads(body), VerdictMessage, where="body").id == "run/7"
    assert (sink.lost, sink.problem, said) == (0, "", [])


def test_several_cameras_have_ids_of_their_own(server, open_remote):
    sink = open_remote(address(server))
    for camera in ("left", "före\n"):
        sink.emit(replace(verdict(0), camera=camera))
    wait_until(lambda: sink.delivered == 2, "2 verdicts")
    bodies = [json.loads(body) for _, _, body in server.requests]
    assert [body["id"] for body in bodies] == ["run/left/0", "run/före\n/0"]
    assert [body["camera"] for body in bodies] == ["left", "före\n"]
    assert server.requests[1][1]["Idempotency-Key"] == "run/f%C3%B6re%0A/0"


def test_the_secret_may_stand_in_the_environment_or_nowhere(server, open_remote, monkeypatch):
    open_remote(address(server), spool=None).emit(verdict(0))
    wait_until(lambda: len(server.requests) == 1, "a request")
    assert "Edgecl-Signature" not in server.requests[0][1]
    monkeypatch.setenv("EDGECL_WEBHOOK_SECRET", "geheim")
    open_remote(f"{address(server)}&again").emit(verdict(1))
    wait_until(lambda: len(server.requests) == 2, "another one")
    assert server.requests[1][1]["Edgecl-Signature"].startswith("sha256=")


def test_a_server_that_fails_stalls_and_hangs_up_gets_all_in_order(
    server, open_remote, monkeypatch, said
):
    monkeypatch.setattr("runtime.stream.sinks.remote.webhook.TIMEOUT_S", 0.2)
    server.answers = [200, 500, 503, "stall", "hang-up", "hang-up", 429, "junk", 408, 200, 502]
    sink = open_remote(address(server))
    for number in range(20):
        sink.emit(verdict(number))
    wait_until(lambda: sink.delivered == 20, "20 verdicts")
    server.released.set()
    assert frames(server.bodies) == list(range(20))
    assert len(server.bodies) == 20
    assert (sink.lost, sink.waiting) == (0, 0)
    assert "HTTP 500 Internal Server Error; verdicts wait in the spool" in said[0]
    assert "delivers again" in said[-1]


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_what_a_server_refuses_is_tried_thrice_dropped_and_counted(
    server, open_remote, said, status
):
    server.answers = [200, status, status, status]
    sink = open_remote(address(server))
    for number in range(5):
        sink.emit(verdict(number))
    wait_until(lambda: sink.delivered == 4, "4 verdicts")
    assert frames(server.bodies) == [0, 2, 3, 4]
    assert sink.lost == 1
    assert len(said) == 1
    assert f"HTTP {status}" in said[0]
    assert "refused 3 times and dropped" in said[0]
    assert {path for path, _, _ in server.requests} == {"/verdicts?line=3"}


def test_a_server_that_comes_and_goes(open_remote, said):
    port = free_port()
    sink = open_remote(f"webhook:http://127.0.0.1:{port}/verdicts")
    for number in range(5):
        sink.emit(verdict(number))
    wait_until(lambda: sink.waiting == 5, "5 in the spool")
    first = WebServer(port=port)
    wait_until(lambda: sink.delivered == 5, "5 verdicts")
    first.close()
    for number in range(5, 9):
        sink.emit(verdict(number))
    # The connection that was kept is served until it ends.
    second = WebServer(port=port)
    wait_until(lambda: sink.delivered == 9, "9 verdicts")
    second.close()
    assert frames(first.bodies + second.bodies) == list(range(9))
    assert "Connection refused; verdicts wait in" in said[0]


def test_tls_is_verified(open_remote, tmp_path, said):
    good, other = make_certificates(tmp_path / "good"), make_certificates(tmp_path / "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(good.certificate, good.key)
    server = WebServer(context)
    try:
        text = f"webhook:https://localhost:{server.port}/verdicts"
        sink = open_remote(f"{text}#ca={good.authority}")
        sink.emit(verdict(0))
        wait_until(lambda: sink.delivered == 1, "a verdict")
        sink.close()
        for options in (f"#ca={other.authority}", ""):
            with pytest.raises(InputError, match="its certificate is not trusted"):
                open_remote(text + options)
    finally:
        server.close()
    assert said == []
