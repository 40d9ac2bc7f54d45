"""Observation of every activation on the calibration images, in one pass over the FP32 graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from calibration.histogram import Histogram, histogram_of, merged
from runtime.artifact.contract import INPUT_NAME
from runtime.errors import InputError
from runtime.progress import CountProgress
from runtime.session.opening import default_threads

# Activations held at a time; it decides how many images go through the graph together.
BATCH_BYTES = 1 << 24

# They move values and change none.
_MOVING_OPS = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity")


@dataclass(frozen=True)
class Observation:
    """Values of a graph's activations on one set of images.

    Args:
        histograms: by tensor name, of every float activation.
        images: how many were seen.
    """

    histograms: Mapping[str, Histogram]
    images: int


def observe(
    model: onnx.ModelProto, images: NDArray[np.uint8], report: CountProgress | None = None
) -> Observation:
    """Run `model` on `images`, a few at a time, and count the values of every float activation.

    Where the values of a tensor are those of others, moved or joined, nothing is counted twice.

    Args:
        model: the FP32 graph, with the uint8 input of the contract; it is not changed.
        images: uint8, N×H×W.
        report: called as images are done.

    Raises:
        InputError: no images, or an activation that is not finite.
    """
    return next(observe_blocks(model, images, max(1, len(images)), report))


def observe_blocks(
    model: onnx.ModelProto,
    images: NDArray[np.uint8],
    size: int,
    report: CountProgress | None = None,
) -> Iterator[Observation]:
    """Yield an observation for every `size` images in turn; the last may have fewer."""
    if not len(images):
        raise InputError(
            "the calibration set is empty",
            hint="calibrate on 64 to 512 images",
        )
    plan = _plan(model)
    counted = [name for name, sources in plan.items() if not sources]
    session = _session(model, counted)
    # The first image alone tells how much an image takes.
    batch = 1
    for start in range(0, len(images), size):
        done, end = start, min(start + size, len(images))
        histograms: dict[str, Histogram] = {}
        while done < end:
            stop = min(done + batch, end)
            values = session.run(counted, {INPUT_NAME: images[done:stop, None]})
            for name, value in zip(counted, values, strict=True):
                if value.size:
                    found = _count(name, value)
                    known = histograms.get(name)
                    histograms[name] = found if known is None else merged(known, found)
            if batch == 1:
                batch = max(1, BATCH_BYTES // max(1, sum(value.nbytes for value in values)))
            done = stop
            if report is not None:
                report(done, len(images))
        yield Observation(_joined(plan, histograms), end - start)


def merged_observations(one: Observation, other: Observation) -> Observation:
    """Merge the observations of two sets of images that were run through one graph."""
    found: dict[tuple[int, int], Histogram] = {}
    histograms = {}
    for name, histogram in one.histograms.items():
        partner = other.histograms[name]
        # Tensors that hold the same values go on sharing one histogram.
        key = id(histogram), id(partner)
        if key not in found:
            found[key] = merged(histogram, partner)
        histograms[name] = found[key]
    return Observation(histograms, one.images + other.images)


def float_activations(model: onnx.ModelProto) -> list[str]:
    """Names of the tensors that nodes of the graph compute in FP32, in graph order."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    floats = {
        value.name
        for value in (*inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    return [name for node in model.graph.node for name in node.output if name in floats]


def _plan(model: onnx.ModelProto) -> dict[str, tuple[str, ...]]:
    """Map every float activation to those whose values it holds; to none where it is counted."""
    wanted = set(float_activations(model))
    plan: dict[str, tuple[str, ...]] = {}
    for node in model.graph.node:
        sources: tuple[str, ...] = ()
        if node.op_type in _MOVING_OPS:
            sources = (node.input[0],)
        elif node.op_type == "Concat":
            sources = tuple(node.input)
        if not all(source in plan for source in sources):
            sources = ()
        for name in node.output:
            if name in wanted:
                plan[name] = sources
    return plan


def _joined(
    plan: Mapping[str, tuple[str, ...]], counted: Mapping[str, Histogram]
) -> dict[str, Histogram]:
    histograms: dict[str, Histogram] = {}
    for name, sources in plan.items():
        if not sources:
            if name in counted:
                histograms[name] = counted[name]
        elif all(source in histograms for source in sources):
            histograms[name] = reduce(merged, (histograms[source] for source in sources))
    return histograms


def _session(model: onnx.ModelProto, names: list[str]) -> Any:
    augmented = onnx.ModelProto()
    augmented.CopyFrom(model)
    known = {output.name for output in augmented.graph.output}
    augmented.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
        if name not in known
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = default_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(
        augmented.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _count(name: str, value: NDArray[np.float32]) -> Histogram:
    try:
        return histogram_of(value)
    except ValueError as error:
        raise InputError(
            f"the network produces NaN or infinite values in {name}",
            hint="its weights are damaged or training diverged; train it again",
        ) from error
