"""A web server on loopback that misbehaves as it is told, connection by connection."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"

Behaviour = Callable[[socket.socket], None]


class RawServer:
    """Answers the first connection by the first behaviour, and so on; further ones by the last."""

    def __init__(self, behaviours: list[Behaviour], context: ssl.SSLContext | None = None) -> None:
        self._behaviours = behaviours
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.done = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening, and let behaviours that wait for `done` end."""
        self.done.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            behave = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
            threading.Thread(target=self._talk, args=(link, behave), daemon=True).start()

    def _talk(self, link: socket.socket, behave: Behaviour) -> None:
        with suppress(OSError), link:
            if self._context is not None:
                link = self._context.wrap_socket(link, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request:
                request += link.recv(4096)
            self.requests.append(request)
            behave(link)


@contextmanager
def misbehaving(
    *behaviours: Behaviour, context: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    """Serve until the block ends."""
    server = RawServer(list(behaviours), context)
    try:
        yield server
    finally:
        server.close()


def part(image: bytes, content: bytes = b"image/jpeg") -> bytes:
    """One part, as most cameras send it."""
    head = b"--frame\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (content, len(image)) + image + b"\r\n"


def chunked(data: bytes, size: int) -> bytes:
    """Data in HTTP's chunked encoding, without its end."""
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in blocks)
