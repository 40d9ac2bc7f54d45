"""Address of an inference server, and the secrets that stand elsewhere."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from runtime.errors import InputError
from runtime.files.secret_file import read_whole
from runtime.secrets import redact

TOKEN = "EDGECL_SERVER_TOKEN"
"""Environment variable that holds the token, or the header."""

PORTS: Mapping[str, int] = {"http": 8000, "https": 443, "grpc": 8001, "grpcs": 443}
"""Port of each scheme, where the address names none; those without TLS are Triton's."""

ENCRYPTED = frozenset({"https", "grpcs"})
_EXAMPLE = "as in http://server:8000 or grpc://server:8001"
_HEADER = re.compile(r"([A-Za-z0-9-]+):[ \t]+(.+)", re.ASCII)
_OWN_HEADERS = frozenset({"host", "connection", "content-length", "content-type", "te"}) | {
    "transfer-encoding",
    "inference-header-content-length",
}
_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True)
class ServerAddress:
    """Address of a server.

    Args:
        scheme: of `PORTS`.
        host: name or number, without brackets.
        port: given, or the scheme's.
        path: what stands before `/v2`, without a slash at its end.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection has TLS."""
        return self.scheme in ENCRYPTED

    @property
    def is_grpc(self) -> bool:
        """Whether it speaks gRPC rather than HTTP."""
        return self.scheme.startswith("grpc")

    @property
    def place(self) -> str:
        """HOST:PORT, with brackets where the host is a number of IPv6."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return redact(f"{self.scheme}://{self.place}{self.path}")


def parse_server(text: str) -> ServerAddress:
    """Read `http://HOST:8000` or `grpc://HOST:8001`, or the same with TLS: https, grpcs.

    Raises:
        InputError: it is no such address, or it holds a password.
    """
    if "@" in text:
        raise InputError(
            "a user or password must not stand in a server's address, which is kept and shown",
            hint=f"put a token or header into a file for --server-token, or into {TOKEN}",
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    blank = any(ord(sign) <= 32 or ord(sign) == 127 for sign in text)
    if parts.scheme not in PORTS or not host or blank or port == 0:
        raise InputError(
            f"{redact(text)!r} is no address of an inference server "
            f"({', '.join(f'{scheme}://' for scheme in PORTS)})",
            hint=_EXAMPLE,
        )
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise InputError(
            f"{redact(text)!r} has more than scheme, host, port and path",
            hint=f"{_EXAMPLE}; a token stands in a file for --server-token",
        )
    address = ServerAddress(parts.scheme, host, PORTS[parts.scheme] if port is None else port, path)
    if address.is_grpc and path:
        raise InputError(f"gRPC has no path, but {address} names one", hint=_EXAMPLE)
    if re.search(r"/v\d+(/|$)", path):
        raise InputError(f"{address} has a version in it", hint="leave out /v2 and what follows")
    return address


def read_header(
    token_file: Path | None, environment: Mapping[str, str] | None = None
) -> tuple[str, str] | None:
    """Return the header that each request carries, from a file or the environment.

    The text is a token, which is sent as `Authorization: Bearer`, or a header, `NAME: VALUE`.

    Returns:
        Name and value; None where there is none.

    Raises:
        InputError: the file cannot be read, is empty, or holds more than one line.
    """
    environment = os.environ if environment is None else environment
    if token_file is None:
        where, text = TOKEN, environment.get(TOKEN, "")
        if not text.strip():
            return None
    else:
        where = f"--server-token {token_file}"
        text = read_whole(token_file, "--server-token", "it holds the token alone")
    text = text.strip()
    if not _PLAIN.fullmatch(text):
        raise InputError(
            f"{where} is empty" if not text else f"{where} is not one line of plain characters",
            hint="write the token alone, or one header as NAME: VALUE",
        )
    found = _HEADER.fullmatch(text)
    if found and found[1].lower() in _OWN_HEADERS:
        raise InputError(f"{where} sets {found[1]}, which each request sets itself", hint="omit it")
    return (found[1], found[2]) if found else ("Authorization", f"Bearer {text}")


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """Return TLS that verifies the server's certificate and name.

    Args:
        ca: PEM file of the authority; None for those that the system trusts.

    Raises:
        InputError: the file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except ssl.SSLError:
        reason = "no certificate in it"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise InputError(
        f"--server-ca {ca} cannot be read: {reason}",
        hint="name the PEM file of the authority that signed the server's certificate",
    )
