"""Q/DQ for onnxruntime's CPU kernels: unsigned activations, signed weights per channel."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, TensorsData
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from calibration.ranges import Ranges

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


def quantize_for_cpu(
    model: onnx.ModelProto, ranges: Ranges, *, keep: Collection[str] = ()
) -> onnx.ModelProto:
    """Put Q/DQ pairs into the FP32 graph, in the form that onnxruntime's CPU kernels want.

    Activations are unsigned and asymmetric, weights signed and per channel: the kernels for
    signed activations run at a fraction of the speed. TensorRT wants another form.

    Args:
        model: the FP32 graph; it is not changed.
        ranges: of its activations, as `collect_ranges` gives them.
        keep: names of nodes that stay in float.

    Returns:
        A checked model with the metadata of `model`.
    """
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
        nodes_to_exclude=list(keep),
        op_types_to_quantize=list(QUANTIZED_OPS),
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result: onnx.ModelProto = quantizer.model.model
    del result.metadata_props[:]
    result.metadata_props.extend(model.metadata_props)
    onnx.checker.check_model(result, full_check=True)
    return result
