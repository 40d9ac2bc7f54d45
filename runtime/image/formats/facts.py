"""Facts on an image from its format's structure."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import FrameError

LARGEST_PIXELS = 1 << 30
"""Maximum number of pixels that OpenCV decodes (`CV_IO_MAX_IMAGE_PIXELS`)."""


@dataclass(frozen=True)
class Facts:
    """Fields of the image's header.

    Args:
        kind: the format's name.
        maxval: the value of white, where the file says one; None where it is 255, or where the
            file does not say how many of its 16 bits are used.
        inverted: 0 is white, which OpenCV leaves so in samples of more than 8 bits.
        orientation: EXIF's number from 1 to 8 that decoding leaves to us; 1 is upright.
        unmultiplied: a changed copy of the bytes that makes OpenCV leave the colours of
            transparent pixels as they are stored; None where it does so anyway.
    """

    kind: str
    maxval: int | None = None
    inverted: bool = False
    orientation: int = 1
    unmultiplied: bytes | None = None


def require_size(height: int, width: int, kind: str) -> None:
    """Refuse an image without pixels, or with more than OpenCV decodes.

    Raises:
        FrameError: the size cannot be decoded.
    """
    if height < 1 or width < 1:
        raise FrameError(f"the {kind} has no pixels ({width}x{height})")
    if height * width > LARGEST_PIXELS:
        raise FrameError(
            f"the {kind} has {width}x{height} pixels, more than the limit of "
            f"{LARGEST_PIXELS:,}; split it into tiles"
        )


def cut_short(kind: str, where: str = "") -> FrameError:
    """The error for an image of which the end is missing."""
    return FrameError(f"the {kind} is truncated{f' {where}' if where else ''}")
