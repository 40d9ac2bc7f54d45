"""Q/DQ for TensorRT: signed, symmetric, on top of the FP16 graph.

Where the pairs go follows NVIDIA's "Working with Quantized Types" and what its parser takes: the
inputs of layers with weights, not their outputs; one input of a residual sum; no bias.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, TensorsData
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from calibration.layers import WEIGHTED_OPS, weighted_layers
from calibration.ranges import Ranges
from export.rewrites.half_precision import LARGEST, SMALLEST, cast_aliases
from runtime.errors import InputError

# The first with FP16 scales.
OPSET = 19


def quantize_for_tensorrt(
    model: onnx.ModelProto, ranges: Ranges, *, keep: Collection[str] = ()
) -> onnx.ModelProto:
    """Put Q/DQ pairs into the FP16 graph, in the form that TensorRT takes.

    Weights get a pair of their own, per output channel; a bias none. Answers that leave the graph
    and layers that are kept read the tensor as it was before its pair.

    Args:
        model: the FP16 graph, from `to_onnx(..., half=True)`; it is not changed.
        ranges: of the FP32 graph's activations, as `collect_ranges` gives them. Tensors have the
            same names in both graphs; those before and after a Cast share a range.
        keep: names of nodes that stay in FP16.

    Returns:
        A checked model with the metadata of `model`.

    Raises:
        InputError: no range for a tensor that is to be quantised, or one beyond what FP16 holds.
        ValueError: `model` is not an FP16 graph of opset 19 or newer.
    """
    _require_half(model)
    layers = [layer.node for layer in weighted_layers(model) if layer.node not in keep]
    residuals = _residual_inputs(model, set(layers))
    inputs = {node.input[0]: node.name for node in model.graph.node if node.name in layers}
    scales = _scales(model, ranges, inputs | residuals)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    # To the quantiser, no nodes would mean all of them.
    if layers:
        result = _quantized(result, layers, scales, residuals)
    _read_raw(result, set(keep))
    del result.metadata_props[:]
    result.metadata_props.extend(model.metadata_props)
    onnx.checker.check_model(result, full_check=True)
    return result


def _quantized(
    model: onnx.ModelProto,
    layers: Sequence[str],
    scales: Mapping[str, NDArray[np.float16]],
    residuals: Iterable[str],
) -> onnx.ModelProto:
    quantizer: Any = QDQQuantizer(
        onnx.shape_inference.infer_shapes(model),
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8,
        # Overridden below, but wanted all the same.
        tensors_range=TensorsData(
            CalibrationMethod.MinMax,
            {tensor: TensorData(lowest=np.float16(-1), highest=np.float16(1)) for tensor in scales},
        ),
        nodes_to_quantize=list(layers),
        nodes_to_exclude=[],
        op_types_to_quantize=list(WEIGHTED_OPS),
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "AddQDQPairToWeight": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": list(WEIGHTED_OPS),
            # The quantiser's own would overflow: it takes a range's width in FP16.
            "TensorQuantOverrides": {
                tensor: [{"scale": scale, "zero_point": np.array(0, np.int8)}]
                for tensor, scale in scales.items()
            },
        },
    )
    for tensor in residuals:
        quantizer.quantize_activation_tensor(tensor)
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result: onnx.ModelProto = quantizer.model.model
    return result


def _require_half(model: onnx.ModelProto) -> None:
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < OPSET:
        raise ValueError(f"FP16 scales need opset {OPSET}, this graph has {opset}")
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in WEIGHTED_OPS and kinds.get(node.input[1]) == onnx.TensorProto.FLOAT:
            raise ValueError(f"{node.name} computes in FP32; TensorRT's Q/DQ go on the FP16 graph")


def _residual_inputs(model: onnx.ModelProto, layers: set[str]) -> dict[str, str]:
    """One input of every sum of two branches of which a quantised layer ends one, and that sum.

    TensorRT fuses the layer, the sum and the activation behind it where the other input is
    quantised. It is the branch with fewer layers: of a block, the one past it.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    depth: dict[str, int] = {}
    maker: dict[str, str] = {}
    found: dict[str, str] = {}
    for node in model.graph.node:
        reach = max((depth.get(name, 0) for name in node.input), default=0)
        for name in node.output:
            depth[name] = reach + (node.name in layers)
            maker[name] = node.name
        if node.op_type == "Add" and not constants.intersection(node.input):
            shallow, deep = sorted(node.input, key=lambda name: depth.get(name, 0))
            if maker.get(deep) in layers:
                found[shallow] = node.name
    return found


def _scales(
    model: onnx.ModelProto, ranges: Ranges, wanted: Mapping[str, str]
) -> dict[str, NDArray[np.float16]]:
    """The step of every tensor of `wanted` (tensor to the node that reads it): largest / 127."""
    aliases = cast_aliases(model)
    scales = {}
    for tensor, node in wanted.items():
        known = [ranges[name] for name in aliases.get(tensor, (tensor,)) if name in ranges]
        if not known:
            raise InputError(
                f"calibration gave no range for {tensor!r}, an input of {node!r}",
                hint="calibrate on the FP32 graph of the same network and image size",
            )
        largest = float(np.max(np.abs(known[0])))
        if not largest <= LARGEST:
            raise InputError(
                f"calibration found values up to {largest:g} in {tensor!r}, beyond the "
                "range of FP16",
                hint="keep this network in FP32, or train it with smaller activations",
            )
        # A tensor that was always zero may have any step but zero.
        step = max(largest / 127, SMALLEST) if largest else 1.0
        scales[tensor] = np.array(step, np.float16)
    return scales


def _read_raw(model: onnx.ModelProto, keep: set[str]) -> None:
    """Let kept nodes, and casts such as those of the answers, read what no pair has rounded."""
    raw = dict(_pairs(model))
    for node in model.graph.node:
        if node.name in keep or node.op_type == "Cast":
            for place, name in enumerate(node.input):
                node.input[place] = raw.get(name, name)


def _pairs(model: onnx.ModelProto) -> Iterator[tuple[str, str]]:
    """(output of a DequantizeLinear, input of the QuantizeLinear before it)."""
    quantized = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    }
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in quantized:
            yield node.output[0], quantized[node.input[0]]
