"""Maps filled up with channels of zeros, so that vector kernels have no remainder.

onnxruntime's INT8 kernels for depthwise convolutions take whole vectors of 16 channels or fall back
to ones that take twice as long, and copies of whole vectors are quicker everywhere.
"""

from __future__ import annotations

import onnx

from export.rewrites.channel_order import OutOfReachError, with_channels_in_order
from export.rewrites.graph import attribute, shapes

LANES = 16


def fill_channels(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same function with maps of whole vectors, or `model` itself if nothing changes.

    Only graphs with depthwise convolutions are concerned: the others gain nothing.

    Args:
        model: any float type; it is not changed.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    known = shapes(inferred)
    ragged = any(
        node.op_type == "Conv"
        and attribute(node, "group", 1) == known[node.input[0]][1] > 1
        and known[node.input[0]][1] % LANES
        for node in inferred.graph.node
    )
    if not ragged:
        return model
    try:
        filled = with_channels_in_order(inferred, {}, lanes=LANES)
    except OutOfReachError:
        return model
    return model if _sizes(filled) == _sizes(model) else filled


def _sizes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
