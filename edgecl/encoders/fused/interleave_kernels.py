"""Interleaving of channels, compiled by numba. Rows are pixels, of any one type."""

from __future__ import annotations

from typing import Any

from numba import njit
from numpy.typing import NDArray

_kernel = njit(nogil=True, cache=True, error_model="numpy")


@_kernel
def interleave(left: NDArray[Any], right: NDArray[Any], out: NDArray[Any]) -> None:
    """Interleave the first C columns of an array with those of an R×C one: R×2C."""
    rows, channels = right.shape
    for row in range(rows):
        for c in range(channels):
            out[row, 2 * c] = left[row, c]
            out[row, 2 * c + 1] = right[row, c]


@_kernel
def separate(both: NDArray[Any], left: NDArray[Any], right: NDArray[Any]) -> None:
    """Undo `interleave`."""
    rows, channels = right.shape
    for row in range(rows):
        for c in range(channels):
            left[row, c] = both[row, 2 * c]
            right[row, c] = both[row, 2 * c + 1]
