"""Address that pages are served at, and the socket that listens there."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from dataclasses import dataclass

from runtime.errors import InputError

SERVE_DEFAULT = "127.0.0.1:8080"
BACKLOG = 64
"""Connections that may wait to be accepted."""

SEND_BUFFER = 256 * 1024
"""Bytes that the system holds for a viewer that reads slowly."""

_PORT = re.compile(r"\d{1,5}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,252}", re.ASCII)
_EXAMPLE = f"as in --serve {SERVE_DEFAULT}, or --serve [::1]:8080"


@dataclass(frozen=True)
class ServeAddress:
    """Address that is listened at.

    Args:
        host: name or number, without brackets.
        port: 0 for any free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_serve(text: str) -> ServeAddress:
    """Read `HOST:PORT`, `[IPV6]:PORT`, or `PORT` of this machine alone.

    Raises:
        InputError: it is no such address.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        host = SERVE_DEFAULT.rpartition(":")[0]
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    fits = bool(host) and not re.search(r"[\s/@\[\]\x00-\x1f\x7f]", host)
    if not fits or not _PORT.fullmatch(port) or int(port) > 65535:
        raise InputError(f"{text!r} is not HOST:PORT", hint=_EXAMPLE)
    return ServeAddress(host, int(port))


def parse_name(text: str) -> str:
    """Read a host's name, as requests have it.

    Raises:
        InputError: it is no such name.
    """
    if not _NAME.fullmatch(text):
        raise InputError(
            f"{text!r} is not a host's name", hint="as in --serve-name line-3.plant, without a port"
        )
    return text.lower()


def is_loopback(host: str) -> bool:
    """Whether a numeric address is this machine's own, which no other machine reaches."""
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(number, "ipv4_mapped", None)
    return bool((mapped or number).is_loopback)


def resolved(address: ServeAddress) -> tuple[int, tuple[str | int, ...]]:
    """Return the socket family and the numeric address of a host, its first.

    Raises:
        InputError: the host is not known.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"--serve {address}: the host is not known ({reason})",
            hint="name an address of this machine, or 0.0.0.0 for all of them",
        ) from error
    family, _, _, _, place = found[0]
    return family, tuple(part for part in place if isinstance(part, (str, int)))


def listen(address: ServeAddress) -> socket.socket:
    """Listen at an address.

    Raises:
        InputError: another program has the port, or the system refuses it.
    """
    family, place = resolved(address)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listening.bind(place)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _refused(address, error) from error
    listening.setblocking(False)
    return listening


def _refused(address: ServeAddress, error: OSError) -> InputError:
    if error.errno == errno.EADDRINUSE:
        return InputError(
            f"--serve {address}: another program has port {address.port}",
            hint="end it, or choose another port",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return InputError(
            f"--serve {address}: the system keeps port {address.port} for privileged programs",
            hint="choose a port from 1024 on",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return InputError(
            f"--serve {address}: this machine does not have that address",
            hint="name one that it has, or 0.0.0.0 for all of them",
        )
    return InputError(
        f"--serve {address}: {error.strerror or error}", hint="choose another address"
    )
