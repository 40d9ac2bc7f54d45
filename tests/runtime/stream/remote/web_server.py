"""A web server that fails, stalls, redirects or hangs up as a test says."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import PATIENCE


class WebServer:
    """Answers each POST with the next of `answers`, then with 200.

    Args:
        tls: of the server; None for plain HTTP.

    Attributes:
        answers: a status; `stall` for silence; `hang-up` for a connection that ends; `junk` for
            what is no HTTP.
        bodies: of the requests that got a 2xx.
        requests: path, headers and body of all.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.answers: list[int | str] = []
        self.bodies: list[bytes] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.path, dict(self.headers), body))
                answer = server.answers.pop(0) if server.answers else 200
                if answer == "stall":
                    server.released.wait(PATIENCE)
                if answer == "junk":
                    self.wfile.write(b"220 mail.plant ESMTP\r\n\r\n")
                if isinstance(answer, str):
                    self.close_connection = True
                    return
                if 200 <= answer < 300:
                    server.bodies.append(body)
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", f"http://127.0.0.1:{server.port}/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
