"""Counts in messages: the noun in the number that the count asks for."""

from __future__ import annotations


def noun(count: int, singular: str, plural: str = "") -> str:
    """Return `file` for 1, else `files`.

    Args:
        plural: where it is not the singular with an s.
    """
    return singular if count == 1 else plural or f"{singular}s"


def counted(count: int, singular: str, plural: str = "") -> str:
    """Return `1 file`, `2 files`.

    Args:
        plural: where it is not the singular with an s.
    """
    return f"{count} {noun(count, singular, plural)}"
