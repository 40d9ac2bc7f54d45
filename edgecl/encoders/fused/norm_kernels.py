"""Batch norm with its ReLU in as few passes over memory as there can be, compiled by numba.

On a CPU the maps of a light encoder are wider than its caches, so what batch norm and ReLU cost is
how often memory is read and written. torch takes five passes forward and nine back; here it is
three and five: sums, then the result; sums of the gradient, then the input's gradient. The sign
that ReLU asks for is computed again from the input and never stored.

Rows are pixels: R×C, C channels side by side, as channels-last maps lie in memory. float32, or
bf16 as the uint16 that holds its bits. All arithmetic is float32 over blocks of rows, and float64
above them. NaN stays NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Rows = NDArray[np.uint16] | NDArray[np.float32]
Channels = NDArray[np.float32]

# Sums of so many rows are float32: few enough for their rounding to stay below bf16's.
BLOCK = 64
_I32 = ir.IntType(32)


@intrinsic
def _widen(context: Any, stored: Any) -> Any:
    """A stored number as float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (number,) = arguments
        if stored == types.float32:
            return number
        return builder.bitcast(builder.shl(builder.zext(number, _I32), _I32(16)), ir.FloatType())

    return types.float32(stored), generate


@intrinsic
def _narrow(context: Any, number: Any, like: Any) -> Any:
    """float32 as the type of `like`: the nearest, of two the even one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, _ = arguments
        if like == types.float32:
            return number
        bits = builder.bitcast(number, _I32)
        odd = builder.and_(builder.lshr(bits, _I32(16)), _I32(1))
        rounded = builder.add(bits, builder.add(odd, _I32(0x7FFF)))
        return builder.trunc(builder.lshr(rounded, _I32(16)), ir.IntType(16))

    return like(number, like), generate


# FMA, and nothing that would change what NaN and infinity do.
_kernel = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})


@_kernel
def sums(x: Rows, offset: Channels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σ (x − offset) and Σ (x − offset)² per channel; an offset near the mean keeps digits."""
    rows, channels = x.shape
    total = np.zeros(channels, np.float64)
    total_of_squares = np.zeros(channels, np.float64)
    first = np.empty(channels, np.float32)
    second = np.empty(channels, np.float32)
    for block in range(0, rows, BLOCK):
        first[:] = 0
        second[:] = 0
        for row in range(block, min(block + BLOCK, rows)):
            for c in range(channels):
                value = _widen(x[row, c]) - offset[c]
                first[c] += value
                second[c] += value * value
        for c in range(channels):
            total[c] += first[c]
            total_of_squares[c] += second[c]
    return total, total_of_squares


@_kernel
def normalise(floor: np.float32, x: Rows, out: Rows, scale: Channels, shift: Channels) -> None:
    """`out` = the larger of scale·x + shift and `floor`: 0 for ReLU, −∞ for none."""
    rows, channels = x.shape
    for row in range(rows):
        for c in range(channels):
            value = _widen(x[row, c]) * scale[c] + shift[c]
            out[row, c] = _narrow(floor if value < floor else value, x[row, c])


@_kernel
def gradient_sums(
    floor: np.float32, x: Rows, gradient: Rows, scale: Channels, shift: Channels, offset: Channels
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σ g and Σ g·(x − offset) per channel, g the gradient where the result was above `floor`."""
    rows, channels = x.shape
    total = np.zeros(channels, np.float64)
    total_of_products = np.zeros(channels, np.float64)
    first = np.empty(channels, np.float32)
    second = np.empty(channels, np.float32)
    for block in range(0, rows, BLOCK):
        first[:] = 0
        second[:] = 0
        for row in range(block, min(block + BLOCK, rows)):
            for c in range(channels):
                value = _widen(x[row, c])
                passed = _widen(gradient[row, c])
                if value * scale[c] + shift[c] <= floor:
                    passed = np.float32(0)
                first[c] += passed
                second[c] += passed * (value - offset[c])
        for c in range(channels):
            total[c] += first[c]
            total_of_products[c] += second[c]
    return total, total_of_products


@_kernel
def input_gradient(
    floor: np.float32,
    x: Rows,
    gradient: Rows,
    out: Rows,
    scale: Channels,
    shift: Channels,
    slope: Channels,
    constant: Channels,
) -> None:
    """`out` = scale·g + slope·x + constant, g as in `gradient_sums`."""
    rows, channels = x.shape
    for row in range(rows):
        for c in range(channels):
            value = _widen(x[row, c])
            passed = _widen(gradient[row, c])
            if value * scale[c] + shift[c] <= floor:
                passed = np.float32(0)
            out[row, c] = _narrow(scale[c] * passed + slope[c] * value + constant[c], x[row, c])
