"""Q/DQ for CPU kernels: unsigned activations, signed weights per channel."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, TensorsData
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from calibration.ranges import Ranges
from export.qdq.first_layer import (
    first_layer,
    patches_of,
    pool_before_relu,
    with_pairs,
    with_patches,
)

# Softmax stays in float: eight bits of probability would hide what the gate looks for.
QUANTIZED_OPS = (
    "Conv",
    "Gemm",
    "MatMul",
    "Relu",
    "MaxPool",
    "Concat",
    "Reshape",
    "Transpose",
    "Split",
)

# Embedding and logits: few numbers, but in 256 steps over the range of all of them, close decisions
# turn over. On NEU's five folds of ConvNet that was most of what INT8 cost.
FLOAT_OUTPUT_OPS = ("Gemm",)

CpuEngine = Literal["onnxruntime", "openvino"]


def quantize_for_cpu(
    model: onnx.ModelProto,
    ranges: Ranges,
    *,
    keep: Collection[str] = (),
    engine: CpuEngine = "onnxruntime",
) -> onnx.ModelProto:
    """Put Q/DQ pairs into the FP32 graph, in the form that the CPU's kernels want.

    Activations are unsigned and asymmetric, weights signed and per channel: onnxruntime's kernels
    for signed activations run at a fraction of the speed. What is concatenated shares one scale,
    so that it is copied and not computed. TensorRT wants another form.

    Args:
        model: the FP32 graph; it is not changed.
        ranges: of its activations, as `collect_ranges` gives them.
        keep: names of nodes that stay in float.
        engine: the one that the file should suit best; both load it. They differ in the first
            convolution, where a pooling follows: onnxruntime is faster with both in float, OpenVINO
            with pairs of columns as channels.

    Returns:
        A checked model with the metadata of `model`.
    """
    model, ranges, in_float = _with_quick_first_layer(model, ranges, keep, engine)
    ranges = with_one_scale_per_concatenation(model, ranges)
    quantizer: Any = QDQQuantizer(
        onnx.shape_inference.infer_shapes(model),
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(
            CalibrationMethod.MinMax,
            {
                name: TensorData(lowest=np.float32(low), highest=np.float32(high))
                for name, (low, high) in ranges.items()
            },
        ),
        nodes_to_quantize=[],
        nodes_to_exclude=[*keep, *in_float, *_readers_of_answers(model)],
        op_types_to_quantize=list(QUANTIZED_OPS),
        extra_options={
            "ActivationSymmetric": False,
            "WeightSymmetric": True,
            "OpTypesToExcludeOutputQuantization": list(FLOAT_OUTPUT_OPS),
        },
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result: onnx.ModelProto = quantizer.model.model
    del result.metadata_props[:]
    result.metadata_props.extend(model.metadata_props)
    onnx.checker.check_model(result, full_check=True)
    return result


def _readers_of_answers(model: onnx.ModelProto) -> list[str]:
    """Nodes that read what the graph answers, as the head reads the embedding.

    A pair on it would round the answer, or, beside it, keep onnxruntime from computing the layer
    that gives it in eight bits; of the head there is next to nothing to gain.
    """
    answers = {output.name for output in model.graph.output}
    return [node.name for node in model.graph.node if answers.intersection(node.input)]


def with_one_scale_per_concatenation(model: onnx.ModelProto, ranges: Ranges) -> Ranges:
    """`ranges` in which a concatenation and all that goes into it have the same one."""
    shared = dict(ranges)
    groups = [
        [name for name in (*node.input, *node.output) if name in shared]
        for node in model.graph.node
        if node.op_type == "Concat"
    ]
    changed = True
    while changed:  # a concatenation may go into another one
        changed = False
        for group in groups:
            widest = (
                min((shared[name][0] for name in group), default=0.0),
                max((shared[name][1] for name in group), default=0.0),
            )
            for name in group:
                changed = changed or shared[name] != widest
                shared[name] = widest
    return shared


def _with_quick_first_layer(
    model: onnx.ModelProto, ranges: Ranges, keep: Collection[str], engine: CpuEngine
) -> tuple[onnx.ModelProto, Ranges, list[str]]:
    """The graph with another first layer, its ranges, and nodes of it that stay in float."""
    layer = first_layer(model)
    if layer is None or layer.convolution.name in keep:
        return model, ranges, []
    name = layer.convolution.input[0]
    if name not in ranges:
        return model, ranges, []
    if layer.relu is None or layer.pool is None:
        model, laid_out = with_patches(model, layer)
        low, high = ranges[name]
        # Columns and paddings of zeros.
        wider = {patches_of(layer.convolution): (min(low, 0.0), max(high, 0.0))}
        return model, {**ranges, **wider}, [laid_out] if laid_out else []
    if engine == "openvino":
        model, pairs = with_pairs(model, layer)
        return model, {**ranges, **dict.fromkeys(pairs, ranges[name])}, []
    nodes = (layer.convolution, layer.relu, layer.pool)
    return pool_before_relu(model, layer), ranges, [node.name for node in nodes]
