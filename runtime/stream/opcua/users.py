"""Users who may call methods: read from a file, compared without telling how far a guess was."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from runtime.errors import InputError
from runtime.files.secret_file import read_secret
from runtime.progress import Say

LEAST_SIGNS = 8
"""Shortest password: one that can be guessed protects nothing."""

_HINT = "write a line NAME:PASSWORD for each user, as in operator:correct-horse-battery"


def read_users(path: str, report: Say) -> dict[str, str]:
    """Return password by user, from a file with a line NAME:PASSWORD for each.

    Args:
        report: is told where others may read the file.

    Raises:
        InputError: it cannot be read, a line is no such thing, or a password is too short.
    """
    users: dict[str, str] = {}
    lines = read_secret(path, "users", _HINT).splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.partition(":")
        if not colon or not name.strip() or not name.isprintable():
            raise InputError(f"{path}:{number} is not NAME:PASSWORD", hint=_HINT)
        if len(password) < LEAST_SIGNS:
            raise InputError(
                f"{path}:{number}: the password of {name!r} is shorter than {LEAST_SIGNS}",
                hint="choose a longer one; nobody is asked for it but machines",
            )
        if name in users:
            raise InputError(f"{path}:{number}: the user {name!r} is there twice", hint=_HINT)
        users[name] = password
    if not users:
        raise InputError(f"{path} has no users", hint=_HINT)
    if Path(path).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        report(f"note: other users may read the passwords in {path}; chmod 600 keeps them secret")
    return users


class Logins:
    """Compares passwords.

    Args:
        users: password by user.

    Attributes:
        refused: logins that were refused.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        self.refused = 0
        self._salt = secrets.token_bytes(16)
        self._digests = {name: self._digest(password) for name, password in users.items()}
        self._nobody = self._digest(secrets.token_hex(16))

    def fits(self, name: str, password: str) -> bool:
        """Whether a user has that password; an unknown one takes as long as a known one."""
        known = self._digests.get(name, self._nobody)
        right = hmac.compare_digest(known, self._digest(password)) and name in self._digests
        self.refused += not right
        return right

    def _digest(self, password: str) -> bytes:
        return hashlib.sha256(self._salt + password.encode("utf-8", "surrogatepass")).digest()
