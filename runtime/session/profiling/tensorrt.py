"""Layers in TensorRT: what an IProfiler is told while an engine runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.session.profiling.layers import LayerTime, median_ms
from runtime.session.tensorrt.session import TensorRtSession

# TensorRT names a fused layer for its nodes: "conv_1 + relu_1", "PWN(tanh_2)", "conv_3 || conv_4".
_JOINTS = re.compile(r"\s*(?:\+|\|\||,)\s*|[()\[\]{}]")
_PRODUCT = re.compile(r"conv|gemm|matmul|_mm_|fc|dense", re.IGNORECASE)


def profile_tensorrt(
    path: Path, batch: NDArray[np.uint8], *, threads: int, runs: int, warmup: int
) -> list[LayerTime]:
    """Profile an engine; see `runtime.session.profiling.profile_layers`.

    It runs call by call: a profiler sees nothing of a CUDA graph.

    Raises:
        InputError: see `TensorRtSession`.
    """
    times: dict[str, list[float]] = {}
    with TensorRtSession(path, graph=False) as session:
        for _ in range(warmup):
            session.infer(batch)
        session.watch_layers(len(batch), lambda trt: layer_profiler(trt, times))
        for _ in range(runs):
            session.infer(batch)
    return layers_of_times(times)


def layers_of_times(times: dict[str, list[float]]) -> list[LayerTime]:
    """Return the layers, by name and with milliseconds per run."""
    return [
        LayerTime(
            name=name,
            operator=_operator(nodes),
            ms=median_ms(own),
            nodes=nodes,
            product=bool(_PRODUCT.search(name)),
            macs=None if _PRODUCT.search(name) else 0,
        )
        for name, own in times.items()
        for nodes in (tuple(part for part in _JOINTS.split(name) if part),)
    ]


def layer_profiler(trt: Any, times: dict[str, list[float]]) -> Any:
    """An IProfiler that adds each layer's milliseconds to `times`."""

    class LayerProfiler(trt.IProfiler):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            times.setdefault(str(layer_name), []).append(float(ms))

    return LayerProfiler()


def _operator(nodes: tuple[str, ...]) -> str:
    """The nodes without their numbers: `conv + relu`."""
    return " + ".join(re.sub(r"[_\d]+$", "", node.rsplit("/", 1)[-1]) or node for node in nodes)
