"""Address that pages are served at, and the socket that listens there."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from runtime.errors import InputError
from runtime.listening import listening_refused, place_text, split_place

SERVE_DEFAULT = "127.0.0.1:8080"
BACKLOG = 64
"""Connections that may wait to be accepted."""

SEND_BUFFER = 256 * 1024
"""Bytes that the system holds for a viewer that reads slowly."""

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
        return place_text(self.host, self.port)


def parse_serve(text: str) -> ServeAddress:
    """Read `HOST:PORT`, `[IPV6]:PORT`, or `PORT` of this machine alone.

    Raises:
        InputError: it is no such address.
    """
    place = split_place(text, host=SERVE_DEFAULT.rpartition(":")[0])
    if place is None:
        raise InputError(f"{text!r} is not HOST:PORT", hint=_EXAMPLE)
    return ServeAddress(*place)


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
        raise listening_refused("--serve ", address.host, address.port, error) from error
    listening.setblocking(False)
    return listening
