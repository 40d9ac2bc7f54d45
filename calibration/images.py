"""Calibration images as a set: its identity, and what it must not contain."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from runtime.errors import InputError


def set_digest(hashes: Sequence[str]) -> str:
    """SHA-256, in hexadecimal, of a set of images, whatever their order."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def require_untested(files: Sequence[str], hashes: Sequence[str], tested: Collection[str]) -> None:
    """Refuse calibration images from the test part.

    Args:
        files: of the calibration images.
        hashes: SHA-256 of each.
        tested: those of the test part.

    Raises:
        InputError: an image is in both; the message names it.
    """
    held_out = set(tested)
    shared = [file for file, digest in zip(files, hashes, strict=True) if digest in held_out]
    if shared:
        raise InputError(
            f"{len(shared)} of {len(files)} calibration images are in the test part "
            f"(first: {shared[0]}), which would make test figures too good",
            hint="calibrate on images from the train part",
        )
