"""Address of the OPC UA server, and what stands behind it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import parse_qsl

from runtime.errors import InputError
from runtime.listening import is_loopback, place_text, split_place

HOST, PORT = "127.0.0.1", 4840

OPTIONS = ("users", "anonymous", "certificate", "key", "nodeset")

_EXAMPLE = "as in --sink opcua:127.0.0.1:4840, or 'opcua:0.0.0.0:4840?users=FILE'"


@dataclass(frozen=True)
class OpcuaAddress:
    """Address that the server listens at, and who may use it.

    Args:
        host: name or number, without brackets.
        port: 0 for any free one.
        users: file with the users who may call methods; empty for none.
        anonymous: whether clients without a user may read.
        certificate, key: files of the server's own certificate; empty for one that is made.
        nodeset: file of the Machine Vision node set; empty for names in a namespace of our own.
    """

    host: str = HOST
    port: int = PORT
    users: str = ""
    anonymous: bool = True
    certificate: str = ""
    key: str = ""
    nodeset: str = ""

    def __str__(self) -> str:
        return place_text(self.host, self.port)

    @property
    def is_local(self) -> bool:
        """Whether no other machine reaches it.

        Raises:
            InputError: the host is not known.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(
                f"--sink opcua:{self}: the host is not known ({reason})",
                hint="name an address of this machine, or 0.0.0.0 for all of them",
            ) from error
        return all(is_loopback(str(place[0])) for *_, place in found)


def parse_opcua(text: str) -> OpcuaAddress:
    """Read `[HOST:PORT][?NAME=VALUE&…]`, or `PORT` of this machine alone.

    Raises:
        InputError: it is no such address.
    """
    place, _, rest = text.partition("?")
    host, port = _place(place)
    options = _options(rest)
    anonymous = options.get("anonymous", "read" if _names_this_machine(host) else "no")
    if anonymous not in ("read", "no"):
        raise InputError(
            f"--sink opcua: anonymous={anonymous} is neither read nor no",
            hint="write anonymous=read to let clients without a user read, or anonymous=no",
        )
    if anonymous == "no" and "users" not in options and _names_this_machine(host):
        raise InputError(
            "--sink opcua: with anonymous=no and no users, nobody could connect",
            hint="name a file of users with users=FILE",
        )
    if ("certificate" in options) != ("key" in options):
        raise InputError(
            "--sink opcua: certificate and key belong together",
            hint="name both files: certificate=line.pem&key=line.key",
        )
    return OpcuaAddress(
        host,
        port,
        options.get("users", ""),
        anonymous == "read",
        options.get("certificate", ""),
        options.get("key", ""),
        options.get("nodeset", ""),
    )


def _place(text: str) -> tuple[str, int]:
    if not text:
        return HOST, PORT
    place = split_place(text, host=HOST)
    if place is None:
        raise InputError(f"--sink opcua: {text!r} is not HOST:PORT", hint=_EXAMPLE)
    return place


def _options(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    names = ", ".join(OPTIONS)
    for name, value in pairs:
        if name not in OPTIONS:
            raise InputError(
                f"--sink opcua: {name!r} is no option of its address", hint=f"use {names}"
            )
        if not value or "\0" in value:
            raise InputError(f"--sink opcua: {name} has no value", hint=f"write ?{name}=…")
    options = dict(pairs)
    if len(options) < len(pairs) or (text and not pairs):
        raise InputError(
            "--sink opcua: what follows '?' is not NAME=VALUE, each name once",
            hint=f"use {names}, with & between them",
        )
    return options


def _names_this_machine(host: str) -> bool:
    return host == "localhost" or is_loopback(host)
