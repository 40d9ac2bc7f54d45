"""Layers in OpenVINO: its performance counters, beside the graph that it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.session.openvino import compile_options, shared_core, telling_line
from runtime.session.profiling.layers import LayerTime, convolution_macs

COUNTED_AT = (1, 2, 4, 8, 16)
"""Runs after which the counters are read; the first is for setting up."""


def profile_openvino(
    path: Path, batch: NDArray[np.uint8], *, threads: int, runs: int, warmup: int
) -> list[LayerTime]:
    """Profile a graph; see `runtime.session.profiling.profile_layers`.

    Raises:
        InputError: OpenVINO cannot load the file.
    """
    core = shared_core()
    windows: dict[str, list[float]] = {}
    kinds: dict[str, str] = {}
    facts: dict[str, Mapping[str, Any]] = {}
    try:
        model = core.read_model(str(path))
        shape = model.input(0).partial_shape
        shape[0] = len(batch)
        model.reshape(shape)
        options = {**compile_options(threads), "PERF_COUNT": True}
        # The counters begin anew with each compilation alone.
        for _ in range(max(1, -(-runs // COUNTED_AT[-1]))):
            compiled = core.compile_model(model, "CPU", options)
            facts = {one.get_friendly_name(): _facts(one) for one in _operations(compiled)}
            counted = _count(compiled, batch)
            for name, (kind, means) in counted.items():
                windows.setdefault(name, []).extend(window_means(COUNTED_AT, means))
                kinds[name] = kind
    except RuntimeError as error:
        raise InputError(
            f"{path} cannot be profiled by OpenVINO ({telling_line(str(error))})",
            hint="use a file written by 'edgecl export'",
        ) from error
    return [_layer(name, kinds[name], own, facts.get(name, {})) for name, own in windows.items()]


def window_means(counts: Sequence[int], means_ms: Sequence[float]) -> list[float]:
    """Return the mean time of the runs between one count and the next.

    OpenVINO tells the mean of all runs so far, in whole microseconds, and the first run, which
    sets layers up, never leaves it. Counts that double keep the rounding below two microseconds.

    Args:
        counts: runs so far, at each look.
        means_ms: mean of all of them.
    """
    totals = [count * mean for count, mean in zip(counts, means_ms, strict=True)]
    return [
        max(0.0, (later - earlier) / (after - before))
        for (before, after), (earlier, later) in zip(
            pairwise(counts), pairwise(totals), strict=True
        )
    ]


def _count(compiled: Any, batch: NDArray[np.uint8]) -> dict[str, tuple[str, list[float]]]:
    """Run, and return each layer's kind and its means at `COUNTED_AT`, in milliseconds."""
    request = compiled.create_infer_request()
    found: dict[str, tuple[str, list[float]]] = {}
    for number in range(1, COUNTED_AT[-1] + 1):
        request.infer([batch])
        if number not in COUNTED_AT:
            continue
        for entry in request.get_profiling_info():
            if str(entry.status).endswith("EXECUTED"):
                means = found.setdefault(entry.node_name, (str(entry.node_type), []))[1]
                means.append(1000 * entry.real_time.total_seconds())
    return {name: told for name, told in found.items() if len(told[1]) == len(COUNTED_AT)}


def _operations(compiled: Any) -> Iterable[Any]:
    operations: Iterable[Any] = compiled.get_runtime_model().get_ops()
    return operations


def _layer(
    name: str, node_type: str, times: Sequence[float], facts: Mapping[str, Any]
) -> LayerTime:
    kind = str(facts.get("kind") or node_type)
    inputs, outputs = facts.get("inputs", ()), facts.get("outputs", ())
    product = kind in ("Convolution", "FullyConnected", "MatMul")
    moved = sum(math.prod(shape) * size for shape, size in (*inputs, *outputs))
    return LayerTime(
        name=name,
        operator=node_type if node_type == "GroupConvolution" else kind,
        ms=_steady_ms(times),
        nodes=tuple(facts.get("nodes", ())),
        product=product,
        macs=_macs(kind, inputs, outputs) if product else 0,
        bytes=moved if facts else None,
    )


def _steady_ms(windows: Sequence[float]) -> float:
    """Lower quartile of the windows: a stall spoils the mean of the whole window that it is in."""
    return round(float(np.quantile(windows, 0.25)), 6)


def _macs(
    kind: str,
    inputs: Sequence[tuple[Sequence[int], int]],
    outputs: Sequence[tuple[Sequence[int], int]],
) -> int | None:
    if len(inputs) < 2 or not outputs:
        return None
    data, weights, result = inputs[0][0], inputs[1][0], outputs[0][0]
    if kind == "Convolution":
        return convolution_macs(weights, result, groups=len(weights) > len(result))
    return math.prod(result) * data[-1]


def _facts(operation: Any) -> dict[str, Any]:
    info = {key: str(getattr(value, "value", value)) for key, value in _info(operation)}
    return {
        "kind": info.get("layerType", ""),
        "nodes": tuple(filter(None, info.get("originalLayersNames", "").split(","))),
        "inputs": [_port(port) for port in operation.inputs()],
        "outputs": [_port(port) for port in operation.outputs()],
    }


def _info(operation: Any) -> Iterable[tuple[str, Any]]:
    information = operation.get_rt_info()
    return ((key, information[key]) for key in information)


def _port(port: Any) -> tuple[tuple[int, ...], int]:
    shape = port.get_partial_shape()
    # An empty port stands for a bias or a scale that is not there.
    sizes = tuple(shape.to_shape()) if shape.is_static else (0,)
    try:
        return sizes, int(port.get_element_type().size)
    except RuntimeError:  # a port of no type
        return sizes, 0
