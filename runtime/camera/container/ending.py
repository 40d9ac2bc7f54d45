"""Ending of a container file, and reading at any place of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Ending:
    """Ending of a file.

    Args:
        known: whether its container tells.
        missing: what was announced and is not there, in words; empty for a whole file.
        partial: the bytes of the last frame may be there in part.
    """

    known: bool = True
    missing: str = ""
    partial: bool = False


WHOLE = Ending()


def cut(what: str, end: int, size: int, *, partial: bool = False) -> Ending:
    """A file of `size` bytes in which `what` ends at the byte `end`."""
    return Ending(missing=f"{what} ends at byte {end:,}, the file at {size:,}", partial=partial)


def read_at(file: BinaryIO, at: int, count: int) -> bytes:
    """Bytes at a place, which in a damaged file may be no place at all."""
    if at >= os.fstat(file.fileno()).st_size:
        return b""
    file.seek(at)
    return file.read(count)
