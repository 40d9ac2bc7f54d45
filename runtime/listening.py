"""Addresses of this machine that something listens at: `HOST:PORT`, and who reaches them."""

from __future__ import annotations

import ipaddress
import re

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
