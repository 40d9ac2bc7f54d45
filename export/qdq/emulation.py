"""Emulation of TensorRT's INT8 file without TensorRT: slow, for the gate and for tests."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES
from runtime.session.base import Outputs

BATCH = 32


def emulate(model: onnx.ModelProto, images: NDArray[np.uint8], *, threads: int = 1) -> Outputs:
    """Answer with every Q/DQ pair computed as it stands: rounded, and back to floating point.

    onnxruntime's own fusions of Q/DQ are off: with FP16 scales they change the answers (of
    ShuffleNet's embedding a quarter, in 1.32), and it has no kernels that would gain by them.

    Args:
        model: a graph with Q/DQ pairs, from `quantize_for_tensorrt`.
        images: uint8, N×H×W.
        threads: inside one operator.

    Returns:
        float32 probabilities N×C and embedding N×D.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    answers = [
        session.run(list(OUTPUT_NAMES), {INPUT_NAME: images[start : start + BATCH, None]})
        for start in range(0, len(images), BATCH)
    ]
    probabilities, embedding = (np.concatenate(part) for part in zip(*answers, strict=True))
    return Outputs(probabilities, embedding)
