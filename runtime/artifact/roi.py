"""Region of interest: the part of a frame that a model sees, as the contract states it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.errors import InputError

_FORM = re.compile(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*", re.ASCII)
_EXAMPLE = "use LEFT,TOP,WIDTH,HEIGHT in pixels, for example 0,16,1600,224"


@dataclass(frozen=True)
class Roi:
    """Region of interest, in pixels of the frame as it comes from the camera.

    Args:
        left, top: of its upper left corner, from 0.
        width, height: at least 1.

    Raises:
        InputError: it is empty, or begins outside of every frame.
    """

    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.left, self.top) < 0 or min(self.width, self.height) < 1:
            raise InputError(f"the ROI {self} is empty or begins outside", hint=_EXAMPLE)

    def __str__(self) -> str:
        """Return the form that `parse_roi` takes."""
        return f"{self.left},{self.top},{self.width},{self.height}"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    def fits(self, size: tuple[int, int]) -> bool:
        """Whether a frame reaches over all of it.

        Args:
            size: (height, width) of the frame in pixels.
        """
        return self.top + self.height <= size[0] and self.left + self.width <= size[1]

    def misfit(self, size: tuple[int, int]) -> str:
        """Describe a frame that it does not fit into.

        Args:
            size: (height, width) of the frame in pixels.
        """
        return (
            f"the frame is {size[1]} wide and {size[0]} high, too small for the ROI {self}, which "
            f"ends at {self.left + self.width} and {self.top + self.height}"
        )


def parse_roi(text: str) -> Roi:
    """Read `LEFT,TOP,WIDTH,HEIGHT`.

    Raises:
        InputError: it is not that, or an empty region.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InputError(f"{text!r} is not a region of interest", hint=_EXAMPLE)
    left, top, width, height = map(int, match.groups())
    return Roi(left, top, width, height)
