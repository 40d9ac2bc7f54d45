"""Small networks for tests on a GPU: made with onnx alone, for a Jetson has no torch."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES, InputContract, ModelContract
from runtime.session.base import Outputs

LABELS = ("dark", "middle", "bright")
SIZE = (128, 800)
WIDTHS = (1, 16, 32, 64)
EMBEDDING = 128


def convolutions(*, half: bool) -> bytes:
    """Three strided convolutions, a mean over the image, two matrix products, softmax.

    Args:
        half: compute in FP16; input and outputs stay as the contract says.
    """
    kind = np.float16 if half else np.float32
    random = np.random.default_rng(7)
    constants: dict[str, NDArray[np.generic]] = {
        "white": np.array(1 / 255, kind),
        "to_embedding": random.normal(0, 0.25, (WIDTHS[-1], EMBEDDING)).astype(kind),
        "to_logits": random.normal(0, 0.25, (EMBEDDING, len(LABELS))).astype(kind),
        "axes": np.array([2, 3], np.int64),
    }
    to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", [INPUT_NAME], ["pixels"], to=to, name="pixels"),
        helper.make_node("Mul", ["pixels", "white"], ["x0"], name="scale"),
    ]
    for place, (before, after) in enumerate(itertools.pairwise(WIDTHS)):
        scale = np.sqrt(2 / (9 * before))
        constants[f"w{place}"] = random.normal(0, scale, (after, before, 3, 3)).astype(kind)
        nodes += [
            helper.make_node(
                "Conv",
                [f"x{place}", f"w{place}"],
                [f"c{place}"],
                name=f"conv_{place}",
                strides=[2, 2],
                pads=[1, 1, 1, 1],
            ),
            helper.make_node("Relu", [f"c{place}"], [f"x{place + 1}"], name=f"relu_{place}"),
        ]
    nodes += [
        helper.make_node("ReduceMean", [f"x{len(WIDTHS) - 1}", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "to_embedding"], ["features"], name="embed"),
        helper.make_node("MatMul", ["features", "to_logits"], ["logits"], name="classify"),
        helper.make_node("Softmax", ["logits"], ["shares"], axis=1, name="softmax"),
        helper.make_node("Cast", ["shares"], [OUTPUT_NAMES[0]], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["features"], [OUTPUT_NAMES[1]], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", 1, *SIZE])],
        [
            helper.make_tensor_value_info(OUTPUT_NAMES[0], TensorProto.FLOAT, ["N", len(LABELS)]),
            helper.make_tensor_value_info(OUTPUT_NAMES[1], TensorProto.FLOAT, ["N", EMBEDDING]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    helper.set_model_props(model, contract().to_metadata())
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def int8() -> bytes:
    """The FP16 network with Q/DQ pairs, calibrated on the images of `images`."""
    from calibration.ranges import collect_ranges
    from export.qdq.tensorrt import quantize_for_tensorrt

    full = onnx.load_from_string(convolutions(half=False))
    ranges = collect_ranges(full, images(8)[:, 0])
    model = quantize_for_tensorrt(onnx.load_from_string(convolutions(half=True)), ranges)
    return bytes(model.SerializeToString())


def contract() -> ModelContract:
    """Of these networks."""
    return ModelContract(InputContract(*SIZE), LABELS, ("bright",))


def images(count: int) -> NDArray[np.uint8]:
    """Images to judge: uint8, N×1×H×W, of different brightness, with noise."""
    random = np.random.default_rng(3)
    means = np.linspace(20, 230, count)[:, None, None, None]
    return np.clip(random.normal(means, 20, (count, 1, *SIZE)), 0, 255).astype(np.uint8)


def on_the_cpu(model: Path, batch: NDArray[np.uint8]) -> Outputs:
    """What onnxruntime answers, on the CPU, for the same file."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    probabilities, embedding = session.run(list(OUTPUT_NAMES), {INPUT_NAME: batch})
    return Outputs(probabilities, embedding)
