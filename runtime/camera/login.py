"""Logins of network cameras that stand in a file, not in the address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit

from runtime.camera.address import CameraSource, Kind
from runtime.errors import InputError
from runtime.files.secret_file import read_login
from runtime.secrets import HIDDEN

OPTION = "--login-file"
_HINT = f"write user and password into a file, a line each, and pass {OPTION} FILE"


def logged_in(source: CameraSource, login_file: Path | None) -> CameraSource:
    """Return an address with the user and the password of a file in it, percent-encoded.

    Args:
        login_file: the user on the first line, the password on the second; None to leave the
            source as it is.

    Raises:
        InputError: the file cannot be used, the source is no address or has a login already, or
            `***` stands where its password was.
    """
    address = source.kind == Kind.ADDRESS
    scheme, _, rest = source.text.partition("://")
    user = urlsplit(source.text).netloc.rpartition("@")[0] if address else ""
    if login_file is None:
        if address and HIDDEN in source.text:
            raise InputError(
                f"camera {source.text} has {HIDDEN} in place of its password", hint=_HINT
            )
        return source
    if not address:
        raise InputError(
            f"camera {source.text} has no login", hint=f"leave out {OPTION}, or pass an address"
        )
    if user and not user.endswith(f":{HIDDEN}"):
        raise InputError(
            f"camera {source.text} has a login in its address, and {OPTION} gives another",
            hint="leave out one of them",
        )
    login = ":".join(quote(part, safe="") for part in read_login(login_file, OPTION))
    return CameraSource(Kind.ADDRESS, f"{scheme}://{login}@{rest[len(user) + 1 if user else 0 :]}")
