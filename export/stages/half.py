"""Range of FP16 against the values that calibration saw in the FP32 graph."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.ranges import Ranges, collect_ranges
from calibration.selection import order_stratified
from export.rewrites.half_precision import LARGEST, cast_aliases

MASKED = float(np.finfo(np.float32).max)
"""Stands for infinity where attention is masked; the FP16 graph has its own such number."""

IMAGES_FOR_OVERFLOW = 32


def overflowing(model: onnx.ModelProto, ranges: Ranges) -> dict[str, float]:
    """Find FP16 tensors whose values exceed FP16's range, and by how much.

    onnxruntime computes FP16 convolutions in FP32 on a CPU and so answers well where a GPU would
    answer NaN: comparing answers does not show it.

    Args:
        model: the FP16 graph.
        ranges: of the FP32 graph's activations.

    Returns:
        The largest magnitude by tensor, in graph order; empty where all is well.
    """
    aliases = cast_aliases(model)
    found = {}
    for value in onnx.shape_inference.infer_shapes(model).graph.value_info:
        if value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT16:
            continue
        for name in aliases.get(value.name, [value.name]):
            ends = [abs(end) for end in ranges.get(name, ()) if abs(end) != MASKED]
            if ends and not (largest := float(np.max(ends))) <= LARGEST:
                found[value.name] = largest
    return found


def expected_ranges(
    fp32: onnx.ModelProto, images: NDArray[np.uint8], targets: NDArray[np.int64], seed: int
) -> Ranges:
    """Estimate the largest values of activations, also where nothing is calibrated.

    Args:
        images: uint8, N×H×W, those that calibration may choose from.
        targets: int64, N; -1 for an image without a label.
    """
    rows = order_stratified(targets, np.random.default_rng(seed))
    return collect_ranges(fp32, images[rows[:IMAGES_FOR_OVERFLOW]])


def reason_of_overflow(half: onnx.ModelProto, ranges: Ranges) -> str:
    """Explain why an FP16 graph may not ship whatever it answers on a CPU; empty where it may.

    Args:
        half: the FP16 graph.
        ranges: of the FP32 graph's activations.
    """
    beyond = overflowing(half, ranges)
    if not beyond:
        return ""
    tensor = max(beyond, key=beyond.__getitem__)
    return (
        f"{len(beyond)} activations exceed FP16's maximum of 65,504 ({tensor} reaches "
        f"{beyond[tensor]:,.0f}), which gives NaN on a GPU"
    )


def rounded_once(half: onnx.ModelProto, fp32: onnx.ModelProto) -> onnx.ModelProto:
    """The FP16 graph with the FP32 graph's weights, rounded.

    The exporter folds batch norm in the network's own type: in FP16 every factor is rounded, and
    the product once more, which doubles what FP16 costs ShuffleNet's answers.

    Args:
        half: the FP16 graph; it is not changed.
        fp32: the FP32 graph of the same network, from the same exporter.
    """
    exact = {tensor.name: tensor for tensor in fp32.graph.initializer}
    result = onnx.ModelProto()
    result.CopyFrom(half)
    for tensor in result.graph.initializer:
        source = exact.get(tensor.name)
        if (
            source is None
            or (tensor.data_type, source.data_type)
            != (onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT)
            or list(source.dims) != list(tensor.dims)
        ):
            continue
        with np.errstate(over="ignore"):
            rounded = onnx.numpy_helper.to_array(source).astype(np.float16)
        # What masks attention is the least number of either type, and must stay one.
        own = onnx.numpy_helper.to_array(tensor)
        rounded = np.where(np.isfinite(rounded), rounded, own)
        tensor.CopyFrom(onnx.numpy_helper.from_array(rounded, tensor.name))
    return result
