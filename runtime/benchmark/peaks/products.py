"""Graphs of one large product, as ONNX: written here, since the runtime has no onnx.

The format is Protocol Buffers' wire format; the numbers are those of the fields in onnx.proto.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INPUT, OUTPUT = "x", "y"
_TYPES = {"float32": 1, "uint8": 2, "int8": 3}
_OPSET, _IR = 13, 8


@dataclass(frozen=True)
class Product:
    """One product as a graph.

    Args:
        name: in words.
        graph: ONNX.
        batch: what it takes.
        macs: multiply-accumulates per run.
    """

    name: str
    graph: bytes
    batch: NDArray[np.float32] | NDArray[np.uint8]
    macs: int


def matrix_product(size: int, *, quantised: bool) -> Product:
    """A product of two square matrices."""
    shape = (size, size)
    return Product(
        f"product of {size}×{size} matrices",
        _graph("MatMul", shape, shape, shape, quantised=quantised),
        _batch(shape, quantised=quantised),
        size**3,
    )


def convolution(channels: int, size: int, *, quantised: bool) -> Product:
    """A convolution of 3×3 pixels, with as many channels in as out."""
    image, weights = (1, channels, size, size), (channels, channels, 3, 3)
    return Product(
        f"3×3 convolution of {channels} channels of {size}×{size} pixels",
        _graph("Conv", image, weights, image, quantised=quantised),
        _batch(image, quantised=quantised),
        math.prod(image) * channels * 9,
    )


def _batch(shape: Sequence[int], *, quantised: bool) -> NDArray[np.float32] | NDArray[np.uint8]:
    values = np.random.default_rng(0).integers(0, 255, tuple(shape), np.uint8)
    return values if quantised else values.astype(np.float32) / np.float32(255)


def _graph(
    operator: str,
    image: Sequence[int],
    weights: Sequence[int],
    result: Sequence[int],
    *,
    quantised: bool,
) -> bytes:
    values = np.random.default_rng(1).integers(-127, 127, tuple(weights)).astype(np.int8)
    attributes = [_integers("pads", [1, 1, 1, 1])] if operator == "Conv" else []
    if quantised:
        kind = "uint8"
        nodes = [
            _node("DequantizeLinear", [INPUT, "scale", "zero"], "image"),
            _node("DequantizeLinear", ["weights", "scale", "weight_zero"], "kernel"),
            _node(operator, ["image", "kernel"], "sum", attributes),
            _node("QuantizeLinear", ["sum", "large", "zero"], OUTPUT),
        ]
        stored = [
            _tensor("weights", values),
            _tensor("scale", np.array(0.01, np.float32)),
            _tensor("large", np.array(0.5, np.float32)),
            _tensor("zero", np.array(128, np.uint8)),
            _tensor("weight_zero", np.array(0, np.int8)),
        ]
    else:
        kind = "float32"
        nodes = [_node(operator, [INPUT, "weights"], OUTPUT, attributes)]
        stored = [_tensor("weights", values.astype(np.float32) / 127)]
    graph = b"".join(
        (
            *(_bytes(1, node) for node in nodes),
            _text(2, "product"),
            *(_bytes(5, tensor) for tensor in stored),
            _bytes(11, _value(INPUT, kind, image)),
            _bytes(12, _value(OUTPUT, kind, result)),
        )
    )
    opset = _bytes(8, _text(1, "") + _number(2, _OPSET))
    return _number(1, _IR) + _bytes(7, graph) + opset


def _node(
    operator: str, inputs: Sequence[str], output: str, attributes: Sequence[bytes] = ()
) -> bytes:
    names = b"".join(_text(1, name) for name in inputs)
    more = b"".join(_bytes(5, attribute) for attribute in attributes)
    return names + _text(2, output) + _text(3, output) + _text(4, operator) + more


def _integers(name: str, values: Sequence[int]) -> bytes:
    return _text(1, name) + b"".join(_number(8, value) for value in values) + _number(20, 7)


def _tensor(name: str, values: NDArray[np.generic]) -> bytes:
    shape = b"".join(_number(1, size) for size in values.shape)
    kind = _number(2, _TYPES[values.dtype.name])
    return shape + kind + _text(8, name) + _bytes(9, values.tobytes())


def _value(name: str, kind: str, shape: Sequence[int]) -> bytes:
    sizes = b"".join(_bytes(1, _number(1, size)) for size in shape)
    tensor = _number(1, _TYPES[kind]) + _bytes(2, sizes)
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Seven bits per byte, the lowest first; the eighth bit says that more follow."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
