"""Addresses of this machine that something listens at: `HOST:PORT`, and who reaches them."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket

from runtime.errors import InputError

_PORT = re.compile(r"\d{1,5}", re.ASCII)
_UNFIT = re.compile(r"[\s/?#@\[\]\x00-\x1f\x7f]")


def split_place(text: str, *, host: str) -> tuple[str, int] | None:
    """Read `HOST:PORT`, `[IPV6]:PORT`, or `PORT` alone.

    Args:
        host: where a port stands alone.

    Returns:
        The host without brackets, and the port, 0 for any free one; None where it is neither.
    """
    found, colon, port = text.rpartition(":")
    if not colon:
        found = host
    elif found.startswith("[") and found.endswith("]"):
        found = found[1:-1]
    elif ":" in found:
        return None
    if not found or _UNFIT.search(found) or not _PORT.fullmatch(port) or int(port) > 65535:
        return None
    return found, int(port)


def place_text(host: str, port: int) -> str:
    """Return the form that `split_place` reads."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a numeric address is this machine's own, which no other machine reaches."""
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(number, "ipv4_mapped", None)
    return bool((mapped or number).is_loopback)


def try_place(host: str, port: int) -> None:
    """Take a place for a moment, to learn whether a server could listen there.

    Raises:
        OSError: it could not.
    """
    kind = socket.SOCK_STREAM
    missing: OSError | None = None
    taken = 0
    for family, *_, place in socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE):
        with socket.socket(family, kind) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                tried.bind(place)
                taken += 1
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:  # a name may have one that is not here
                    raise
                missing = error
    if missing is not None and not taken:
        raise missing


def listening_refused(option: str, host: str, port: int, error: OSError) -> InputError:
    """Return why nothing can listen at a place.

    Args:
        option: of the command line, as far as the place.
        error: what the system said.
    """
    place = option + place_text(host, port)
    if error.errno == errno.EADDRINUSE:
        return InputError(
            f"{place}: another program has port {port}", hint="end it, or choose another port"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return InputError(
            f"{place}: the system keeps port {port} for privileged programs",
            hint="choose a port from 1024 on",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return InputError(
            f"{place}: this machine does not have that address",
            hint="name one that it has, or 0.0.0.0 for all of them",
        )
    return InputError(f"{place}: {error.strerror or error}", hint="choose another address")
