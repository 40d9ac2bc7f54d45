"""Response of a web server: its head, and the body of a stored file."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Answer:
    """Response of a server.

    Args:
        status: its number; 200 is well.
        content: the content's type; empty where none was named.
        live: it is of a kind that goes on for ever, such as Motion JPEG in parts.
        length: bytes of a stored file; None where none was named, and of live streams.
        body: to be read, while the answer is open; None where there was an error.
    """

    status: int
    content: str = ""
    live: bool = False
    length: int | None = None
    body: Any = None


@contextmanager
def ask_http(address: str) -> Iterator[Answer]:
    """Ask for `address`, with the user and the password in it.

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
    opener = urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )
    try:
        reply = opener.open(bare, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            yield Answer(error.code)
        return
    except http.client.HTTPException as error:
        raise ValueError("the response is not from a web server") from error
    with reply:
        content = reply.headers.get_content_type()
        live = content.startswith("multipart/") or "mpegurl" in content or "dash" in content
        named = reply.headers.get("Content-Length", "")
        length = int(named) if named.isdigit() and not live else None
        yield Answer(reply.status, content, live, length, reply)
