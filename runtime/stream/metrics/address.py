"""The address that metrics are served at, and who may read them."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from runtime.errors import InputError
from runtime.files.secret_file import read_secret
from runtime.listening import split_place

HOST, PORT = "127.0.0.1", 9464
DEFAULT = f"{HOST}:{PORT}"

TOKEN = "EDGECL_METRICS_TOKEN"
"""Variable of the environment that holds the token where no file is named."""

_TOKEN_FILE = "token-file"
_EXAMPLE = f"as in --metrics {DEFAULT}"


@dataclass(frozen=True)
class MetricsAddress:
    """Address of an endpoint.

    Args:
        host: name or number, without brackets.
        port: 0 for any that is free.
        token_file: file that holds the token; None where none is named.
    """

    host: str
    port: int
    token_file: str | None = None

    def token(self, environment: Mapping[str, str] | None = None) -> str | None:
        """Return the token that readers must send; None where none is set.

        Raises:
            InputError: its file cannot be read, or it is no token.
        """
        environment = os.environ if environment is None else environment
        hint = "write one line of letters and digits without blanks"
        if self.token_file is not None:
            text, place = read_secret(self.token_file, _TOKEN_FILE, hint), self.token_file
        else:
            text, place = environment.get(TOKEN, ""), TOKEN
            if not text:
                return None
        if not text.isascii() or not text.isprintable() or " " in text:
            raise InputError(f"--metrics: {place} holds no token", hint=hint)
        return text

    def resolved(self) -> tuple[socket.AddressFamily, tuple[str, int]]:
        """Return family and number of the host, and the port.

        Raises:
            InputError: there is no such host.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise InputError(
                f"--metrics: there is no host {self.host!r} ({getattr(error, 'strerror', error)})",
                hint="name an address of this machine",
            ) from None
        family, _, _, _, place = found[0]
        return family, (str(place[0]), self.port)


def parse_metrics(text: str) -> MetricsAddress:
    """Parse `PORT`, `HOST:PORT` or `HOST:PORT?token-file=FILE`.

    Raises:
        InputError: it is none of these.
    """
    place, mark, rest = text.partition("?")
    found = split_place(place, host=HOST)
    if found is None:
        raise InputError(f"--metrics: {place!r} is no HOST:PORT", hint=_EXAMPLE)
    options = parse_qsl(rest, keep_blank_values=True)
    if mark and ([name for name, _ in options] != [_TOKEN_FILE] or not options[0][1]):
        raise InputError(
            f"--metrics: what follows '?' is not {_TOKEN_FILE}=FILE",
            hint=f"put the token into a file, or into {TOKEN}",
        )
    return MetricsAddress(*found, options[0][1] if options else None)
