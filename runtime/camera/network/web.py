"""Response of a web server: its head, and the body of a stored file or of a live stream."""

from __future__ import annotations

import http.client
import select
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

TIMEOUT_S = 5.0
"""Seconds that connecting may take."""

READ_TIMEOUT_S = 5.0
"""Seconds without a byte after which a connection has stalled."""


@dataclass(frozen=True)
class Answer:
    """Response of a server.

    Args:
        status: its number; 200 is well.
        content: the content's type; empty where none was named.
        live: it is of a kind that goes on for ever, such as Motion JPEG in parts.
        length: bytes of a stored file; None where none was named, and of live streams.
        body: to be read, while the answer is open; None where there was an error.
        link: the connection; None where there was an error.
    """

    status: int
    content: str = ""
    live: bool = False
    length: int | None = None
    body: Any = None
    link: socket.socket | None = None

    @property
    def in_parts(self) -> bool:
        """Return whether the body is a sequence of images, one part each."""
        return self.status == 200 and self.content.startswith("multipart/")

    def ready(self) -> bool:
        """Return whether there is something to read at once."""
        if self.link is None or self.link.fileno() < 0:
            return False
        waiter = select.poll()
        waiter.register(self.link, select.POLLIN)
        return bool(waiter.poll(0))

    def shut(self) -> None:
        """End a read in another thread."""
        if self.link is not None:
            with suppress(OSError):
                self.link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        if self.body is not None:
            self.body.close()


def ask(address: str) -> Answer:
    """Ask for `address`, with the user and the password in it. Close the answer.

    Raises:
        OSError: the server cannot be reached.
        ValueError: the address cannot be used, or the answer is none of the web's.
    """
    parts = urlsplit(address)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, bare, user, password)
    links: list[socket.socket] = []
    opener = urllib.request.build_opener(
        _Plain(links),
        _Encrypted(links),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )
    try:
        reply = opener.open(bare, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        return Answer(error.code)
    except http.client.HTTPException as error:
        raise ValueError("the response is not from a web server") from error
    content = reply.headers.get_content_type()
    live = content.startswith("multipart/") or "mpegurl" in content or "dash" in content
    named = reply.headers.get("Content-Length", "")
    length = int(named) if named.isdigit() and not live else None
    return Answer(reply.status, content, live, length, reply, links[-1] if links else None)


@contextmanager
def ask_http(address: str) -> Iterator[Answer]:
    """Ask as `ask` does, and close the answer in the end."""
    answer = ask(address)
    try:
        yield answer
    finally:
        answer.close()


class _Plain(urllib.request.HTTPHandler):
    """Opens connections that have a time-out of their own for reads."""

    def __init__(self, links: list[socket.socket]) -> None:
        super().__init__()
        self._links = links

    def http_open(self, req: urllib.request.Request) -> Any:
        """Open `http:`."""
        return self.do_open(_keeping(http.client.HTTPConnection, self._links), req)


class _Encrypted(urllib.request.HTTPSHandler):
    """Opens encrypted connections likewise; certificates are checked."""

    def __init__(self, links: list[socket.socket]) -> None:
        super().__init__()
        self._links = links

    def https_open(self, req: urllib.request.Request) -> Any:
        """Open `https:`."""
        return self.do_open(_keeping(http.client.HTTPSConnection, self._links), req)


def _keeping(kind: type[http.client.HTTPConnection], links: list[socket.socket]) -> Any:
    """A kind of connection whose sockets are kept, so that a read can be ended from outside."""

    class Connection(kind):  # type: ignore[misc, valid-type]
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(READ_TIMEOUT_S)
            links.append(self.sock)

    return Connection
