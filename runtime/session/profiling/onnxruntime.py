"""Layers in onnxruntime: the JSON that it writes when a session is profiled."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES
from runtime.errors import InputError
from runtime.session.onnxruntime import first_line, session_options
from runtime.session.profiling.layers import LayerTime, convolution_macs, median_ms

_KERNEL = "_kernel_time"
# What onnxruntime appends to the names of nodes that it changes: conv_3_token_10, relu_1_nchwc.
_APPENDED = re.compile(r"(_token_\d+|_nchwc|_nhwc|_quant)+$")
_PRODUCT = re.compile(r"conv|gemm|matmul|fusedmm", re.IGNORECASE)
_NO_PRODUCT = frozenset({"ConvertLinear"})
_SIZES = {"float": 4, "double": 8, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "uint32": 4}


def profile_onnxruntime(
    path: Path, batch: NDArray[np.uint8], *, threads: int, runs: int, warmup: int
) -> list[LayerTime]:
    """Profile a graph; see `runtime.session.profiling.profile_layers`.

    Raises:
        InputError: onnxruntime cannot load the file.
    """
    options = session_options(threads)
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "layers")
        try:
            session: Any = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes share no base below Exception
            raise InputError(
                f"{path} cannot be profiled by onnxruntime ({first_line(error)})",
                hint="use a file written by 'edgecl export'",
            ) from error
        for _ in range(warmup + runs):
            session.run(list(OUTPUT_NAMES), {INPUT_NAME: batch})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return layers_of_events(events, runs=runs)


def layers_of_events(events: Sequence[Mapping[str, Any]], *, runs: int) -> list[LayerTime]:
    """Return the layers of a profiling file.

    Args:
        events: the file, parsed.
        runs: how many of each layer's last runs count; those before were to warm up.
    """
    found: dict[tuple[str, Any], list[Mapping[str, Any]]] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith(_KERNEL):
            key = (event["name"], event.get("args", {}).get("node_index"))
            found.setdefault(key, []).append(event)
    return [_layer(name, own[-runs:]) for (name, _), own in found.items()]


def _layer(event_name: str, events: Sequence[Mapping[str, Any]]) -> LayerTime:
    facts = events[-1].get("args", {})
    name = event_name.removesuffix(_KERNEL)
    operator = str(facts.get("op_name", "")) or name
    product = bool(_PRODUCT.search(operator)) and operator not in _NO_PRODUCT
    inputs, outputs = _shapes(facts, "input_type_shape"), _shapes(facts, "output_type_shape")
    return LayerTime(
        name=name,
        operator=operator,
        ms=median_ms([event["dur"] / 1000 for event in events]),
        nodes=(_APPENDED.sub("", name),),
        product=product,
        macs=_macs(operator, inputs, outputs) if product else 0,
        bytes=sum(_size(kind) * math.prod(shape) for kind, shape in (*inputs, *outputs)),
    )


def _macs(
    operator: str,
    inputs: Sequence[tuple[str, Sequence[int]]],
    outputs: Sequence[tuple[str, Sequence[int]]],
) -> int | None:
    """Multiply-accumulates, where weights are among the inputs; packed ones are not."""
    shapes = [shape for _, shape in inputs]
    if not outputs or len(shapes) < 2:
        return None
    result = outputs[0][1]
    weights = next((shape for shape in shapes[1:] if len(shape) >= 2), None)
    if weights is None:
        return None
    if "conv" in operator.lower():
        # A transposed convolution does its weights' work once per pixel of its input.
        if "Transpose" in operator or len(weights) < 3:
            return None
        return convolution_macs(weights, result)
    return math.prod(result) * shapes[0][-1]


def _shapes(facts: Mapping[str, Any], key: str) -> list[tuple[str, Sequence[int]]]:
    return [(kind, shape) for entry in facts.get(key, ()) for kind, shape in entry.items()]


def _size(kind: str) -> int:
    return _SIZES.get(kind, 1)
