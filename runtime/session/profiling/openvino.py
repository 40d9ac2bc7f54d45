"""Layers in OpenVINO: its performance counters, beside the graph that it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.session.openvino import compile_options, shared_core, telling_line
from runtime.session.profiling.layers import LayerTime, convolution_macs, median_ms


def profile_openvino(
    path: Path, batch: NDArray[np.uint8], *, threads: int, runs: int, warmup: int
) -> list[LayerTime]:
    """Profile a graph; see `runtime.session.profiling.profile_layers`.

    Raises:
        InputError: OpenVINO cannot load the file.
    """
    core = shared_core()
    try:
        model = core.read_model(str(path))
        shape = model.input(0).partial_shape
        shape[0] = len(batch)
        model.reshape(shape)
        compiled = core.compile_model(
            model, "CPU", {**compile_options(threads), "PERF_COUNT": True}
        )
    except RuntimeError as error:
        raise InputError(
            f"{path} cannot be profiled by OpenVINO ({telling_line(str(error))})",
            hint="use a file written by 'edgecl export'",
        ) from error
    request = compiled.create_infer_request()
    counted: list[Sequence[Any]] = []
    for number in range(warmup + runs):
        request.infer([batch])
        if number >= warmup:
            counted.append(request.get_profiling_info())
    facts = {
        operation.get_friendly_name(): _facts(operation)
        for operation in compiled.get_runtime_model().get_ops()
    }
    return layers_of_counters(counted, facts)


def layers_of_counters(
    counted: Iterable[Sequence[Any]], facts: Mapping[str, Mapping[str, Any]]
) -> list[LayerTime]:
    """Return the layers that ran.

    Args:
        counted: per run, objects with `node_name`, `node_type`, `status` and `real_time`.
        facts: by name, what the graph that is run says of a layer: `kind`, `nodes`, and `inputs`
            and `outputs` as pairs of shape and bytes per element.
    """
    times: dict[str, list[float]] = {}
    kinds: dict[str, str] = {}
    for run in counted:
        for entry in run:
            if str(entry.status).endswith("EXECUTED"):
                times.setdefault(entry.node_name, []).append(1000 * entry.real_time.total_seconds())
                kinds[entry.node_name] = entry.node_type
    return [_layer(name, kinds[name], own, facts.get(name, {})) for name, own in times.items()]


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
        ms=median_ms(times),
        nodes=tuple(facts.get("nodes", ())),
        product=product,
        macs=_macs(kind, inputs, outputs) if product else 0,
        bytes=moved if facts else None,
    )


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
