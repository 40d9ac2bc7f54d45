"""The web server that Prometheus scrapes: small, bounded, and in nobody's way."""

from __future__ import annotations

import contextlib
import errno
import hmac
import logging
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer, ThreadingTCPServer
from typing import Any

from runtime.errors import InputError
from runtime.listening import is_loopback
from runtime.progress import Say
from runtime.realtime import give_way
from runtime.stream.metrics.address import TOKEN, MetricsAddress

LOG = logging.getLogger("edgecl.metrics")

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CONNECTIONS = 8
"""Connections that may be open at a time. One more ends the oldest of them."""

CONNECTION_S = 5.0
"""Time that a connection may last, in seconds."""

FRESH_S = 0.2
"""Age up to which metrics serve again, in seconds: scrapes in a row cost the stream nothing."""

Render = Callable[[], bytes]


class MetricsEndpoint:
    """Serves metrics to readers with the token. Its port is taken at once.

    Args:
        address: where.
        token: that readers must send as a bearer token; None for any reader.
        report: is told of a token that goes over a network without encryption.

    Raises:
        InputError: the port is in use, the host is not this machine's, or others than this machine
            could read the metrics without a token.
    """

    def __init__(
        self,
        address: MetricsAddress,
        token: str | None,
        *,
        report: Say = lambda text: None,
    ) -> None:
        family, (host, port) = address.resolved()
        local = is_loopback(host)
        if token is None and not local:
            raise InputError(
                f"--metrics: {host} is reached by other machines, and no token is set",
                hint=f"pass {host}:{port}?token-file=FILE, set {TOKEN}, or serve on 127.0.0.1",
            )
        self._answers = _Answers(token)
        self._server = _Server(family, host, port, self._answers)
        self._thread: threading.Thread | None = None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}{PATH}"
        if token is not None and not local:
            report(f"note: {self.url} is not encrypted: whoever sees the network sees the token")

    def start(self, render: Render) -> None:
        """Begin to answer; until then readers wait.

        Args:
            render: returns metrics in the text format; called from threads of the endpoint.
        """
        self._answers.render = render
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the port back. Closing twice is fine."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def _run(self) -> None:
        give_way()
        self._server.serve_forever(poll_interval=0.2)


class _Answers:
    """Answers to readers; metrics are rendered once for all who ask within `FRESH_S`."""

    def __init__(self, token: str | None) -> None:
        self._expected = None if token is None else f"Bearer {token}".encode()
        self.render: Render = bytes
        self._rendering = threading.Lock()
        self._body = b""
        self._until = 0.0
        self._problem = ""

    def admits(self, authorization: str) -> bool:
        """Whether a header `Authorization` is that of a reader who may read."""
        if self._expected is None:
            return True
        return hmac.compare_digest(authorization.encode("latin-1", "replace"), self._expected)

    def body(self) -> bytes | None:
        """The metrics; None where they cannot be had."""
        with self._rendering:
            if time.monotonic() >= self._until:
                try:
                    self._body = self.render()
                except Exception as error:  # a camera or sink of a package may raise anything
                    problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                    if problem != self._problem:  # each scrape would fill the log
                        LOG.warning("metrics: %s", problem)
                    self._problem = problem
                    return None
                self._until = time.monotonic() + FRESH_S
            return self._body


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self, family: socket.AddressFamily, host: str, port: int, answers: _Answers
    ) -> None:
        self.address_family = family
        self.answers = answers
        self._open: dict[socket.socket, float] = {}
        self._opening = threading.Lock()
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise InputError(f"--metrics: {_reason(error, shown)}", hint=_hint(error)) from error

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._opening:
            while len(self._open) >= CONNECTIONS:
                _end(self._oldest())
            self._open[request] = time.monotonic() + CONNECTION_S
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        give_way()
        super().process_request_thread(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._opening:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End connections whose time is up: each byte of a slow one would give it more."""
        now = time.monotonic()
        with self._opening:
            for request in [held for held, until in self._open.items() if until < now]:
                self._open.pop(request)
                _end(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a reader that breaks off is no event of the line's."""

    def _oldest(self) -> socket.socket:
        oldest = next(iter(self._open))
        self._open.pop(oldest)
        return oldest


class _Handler(BaseHTTPRequestHandler):
    timeout = CONNECTION_S
    server_version, sys_version = "edgecl", ""
    server: BaseServer

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        if not server.answers.admits(self.headers.get("Authorization", "")):
            self._answer(HTTPStatus.UNAUTHORIZED, b"a bearer token is needed\n")
        elif self.path.partition("?")[0] != PATH:
            self._answer(HTTPStatus.NOT_FOUND, f"metrics are at {PATH}\n".encode())
        elif (body := server.answers.body()) is None:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"no metrics; the log says why\n")
        else:
            self._answer(HTTPStatus.OK, body, CONTENT_TYPE)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(
        self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _end(request: socket.socket) -> None:
    """End a connection under its thread, which then gives it back."""
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _reason(error: OSError, place: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{place} is in use by another program"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{place} is no address of this machine"
    return f"{place} cannot be served ({error.strerror or error})"


def _hint(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "choose another port, as in --metrics 9465; each stream needs its own"
    if error.errno == errno.EACCES:
        return "choose a port above 1023"
    return "name an address of this machine, and a free port"
