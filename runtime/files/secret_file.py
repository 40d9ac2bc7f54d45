"""Files that hold a password or a token, and nothing else."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InputError


def read_whole(path: str | Path, what: str, hint: str) -> str:
    """Return the text of a file that holds a secret, as it is.

    Args:
        what: the option.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise InputError(f"{what} {path} cannot be read: {reason}", hint=hint) from error


def read_secret(path: str | Path, what: str, hint: str) -> str:
    """Return the text of a file that holds a secret, without the line feed at its end.

    Args:
        what: the option.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    text = read_whole(path, what, hint).rstrip("\r\n")
    if not text:
        raise InputError(f"{what} {path} is empty", hint=hint)
    return text


def read_login(path: str | Path, what: str) -> tuple[str, str]:
    """Return user and password: the two lines of a file; the password may be missing.

    Args:
        what: the option.

    Raises:
        InputError: it cannot be read, or has no two lines.
    """
    hint = "its first line is the user, its second the password"
    lines = read_secret(path, what, hint).splitlines()
    if len(lines) > 2 or not lines[0]:
        raise InputError(f"{what} {path} has not two lines", hint=hint)
    return lines[0], lines[1] if len(lines) == 2 else ""
