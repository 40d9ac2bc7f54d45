"""A camera with a web server, on loopback: Motion JPEG as parts, files, passwords, and errors."""

from __future__ import annotations

import base64
import http.server
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

USER, PASSWORD = "admin", "p@ss#w%rd/?:"
WRITTEN = "p%40ss%23w%25rd%2F%3F%3A"


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves `parts` at /stream (for ever) and `files` by their names."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, parts: list[bytes], files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.parts = parts
        self.files = files
        self.asked: list[str] = []
        self.close_after = 0

    @property
    def at(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer by path."""
        self.server.asked.append(self.path)
        with suppress(BrokenPipeError, ConnectionResetError):
            self._answer(self.path.partition("?")[0])

    def _answer(self, path: str) -> None:
        if path in self.server.files:
            self._file(path, "video/x-msvideo" if path.endswith("avi") else "text/html")
        elif path.startswith("/nolength/"):
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.end_headers()
            self.wfile.write(self.server.files[path.removeprefix("/nolength")])
        elif path.startswith("/drop/"):
            data = self.server.files[path.removeprefix("/drop")]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) * 3 // 5])
        elif path == "/locked":
            wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if self.headers.get("Authorization") == f"Basic {wanted}":
                self._stream()
                return
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/busy":
            self.send_error(503)
        elif path == "/stream":
            self._stream()
        else:
            self.send_error(404)

    def _file(self, path: str, kind: str) -> None:
        data = self.server.files[path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        while True:
            part = self.server.parts[number % len(self.server.parts)]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
            self.wfile.write(head.encode() + part + b"\r\n")
            number += 1
            if number == self.server.close_after:
                return
            time.sleep(0.01)


@contextmanager
def serving(parts: list[bytes], files: dict[str, bytes] | None = None) -> Iterator[Server]:
    """Serve until the block ends."""
    server = Server(parts, files or {})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
