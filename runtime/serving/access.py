"""Who may see the pages: a token, the cookie that stands for it, and the names of this server."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import stat
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from runtime.errors import InputError
from runtime.files.secret_file import read_secret
from runtime.listening import is_loopback
from runtime.progress import Say

SERVE_TOKEN = "EDGECL_SERVE_TOKEN"
"""Environment variable with the token, where no file has it."""

LEAST_SIGNS = 16
"""Shortest token: one that can be guessed protects nothing."""

SESSION_S = 12 * 3600
"""Time after which a browser has to log in again, in seconds: longer than a shift."""

_HINT = "write at least 16 random characters into a file, such as: openssl rand -hex 16 > token"


def read_token(path: Path | None, report: Say, environment: Mapping[str, str] | None = None) -> str:
    """Return the token from a file or else the environment; empty where there is none.

    Args:
        report: is told where others may read the file.

    Raises:
        InputError: the file cannot be read, or the token is too short or no plain text.
    """
    environment = os.environ if environment is None else environment
    if path is None:
        token, where = environment.get(SERVE_TOKEN, "").strip(), SERVE_TOKEN
        if not token:
            return ""
    else:
        token, where = read_secret(str(path), "--serve-token", _HINT).strip(), str(path)
        if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            report(f"note: other users may read the token in {path}; chmod 600 keeps it secret")
    if len(token) < LEAST_SIGNS:
        raise InputError(f"the token in {where} is shorter than {LEAST_SIGNS}", hint=_HINT)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"the token in {where} has blanks or signs beyond ASCII", hint=_HINT)
    return token


class Access:
    """Rules of access to the pages.

    Args:
        token: that has to be known; empty for none.
        names: host names that requests may name, beside numbers.
        local: whether only this machine is served, so that a number has to be its own.
        secure: whether there is TLS.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        token: str = "",
        *,
        names: Collection[str] = (),
        local: bool = True,
        secure: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._digest = hashlib.sha256(token.encode()).digest() if token else b""
        # From the token: a browser stays logged in when the stream is started again.
        self._key = hmac.digest(token.encode(), b"edgecl page", "sha256")
        self._names = frozenset(name.lower() for name in names)
        self._local = local
        self._clock = clock
        self.secure = secure

    @property
    def is_open(self) -> bool:
        """Whether no token is asked for."""
        return not self._digest

    @property
    def cookie_name(self) -> str:
        """Name of the cookie; with TLS one that browsers take from this host alone."""
        return "__Host-edgecl" if self.secure else "edgecl"

    def knows(self, token: str) -> bool:
        """Whether that is the token, in a time that tells nothing of it."""
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        return not self.is_open and hmac.compare_digest(given, self._digest)

    def new_cookie(self) -> str:
        """Return a cookie that stands for the token until it expires."""
        until = str(int(self._clock()) + SESSION_S)
        return f"{until}.{self._signed(until)}"

    def takes_cookie(self, value: str) -> bool:
        """Whether a cookie is one of these, and has not expired."""
        until, _, signature = value.partition(".")
        if self.is_open or not until.isascii() or not until.isdigit() or len(until) > 12:
            return False
        right = hmac.compare_digest(
            signature.encode("utf-8", "replace"), self._signed(until).encode()
        )
        return right and int(until) > self._clock()

    def takes_host(self, header: str) -> bool:
        """Whether a request's Host header names this server.

        A page of another site that had its own name point here would name that.
        """
        host = _host_of(header)
        if host in self._names or (self._local and host == "localhost"):
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return not self._local or is_loopback(host)

    def _signed(self, until: str) -> str:
        return hmac.new(self._key, until.encode(), "sha256").hexdigest()


def _host_of(header: str) -> str:
    """Return the host of a Host header, without its port; empty where it is none."""
    host, bracket, rest = header.lower().partition("]")
    if bracket:
        return host[1:] if host.startswith("[") and (not rest or _is_port(rest)) else ""
    host, colon, port = header.lower().partition(":")
    return host if not colon or _is_port(f":{port}") else ""


def _is_port(text: str) -> bool:
    return text[0] == ":" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6
