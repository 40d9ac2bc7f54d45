"""Layers as every engine's profiler tells them, in one form."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError


@dataclass(frozen=True)
class LayerTime:
    """One layer as the engine runs it.

    Args:
        name: the engine's; that of the graph's node where the engine kept it.
        operator: what it computes, in the engine's words.
        ms: median over the runs; of OpenVINO, lower quartile over windows of them.
        nodes: names of the graph's nodes that the engine put into it.
        product: whether it multiplies matrices, as convolutions do.
        macs: multiply-accumulates per run; 0 without a product; None where the engine does not
            show enough.
        bytes: of its inputs, weights and outputs, each once; None likewise.
    """

    name: str
    operator: str
    ms: float
    nodes: tuple[str, ...] = ()
    product: bool = False
    macs: int | None = None
    bytes: int | None = None


class Profiler(Protocol):
    """Function that runs a file with its engine's profiler on."""

    def __call__(
        self, path: Path, batch: NDArray[np.uint8], *, threads: int, runs: int, warmup: int
    ) -> list[LayerTime]: ...


PROFILERS = {
    "onnxruntime": ("onnxruntime's profiling file", "onnxruntime:profile_onnxruntime"),
    "openvino": ("OpenVINO's performance counters", "openvino:profile_openvino"),
    "tensorrt": ("TensorRT's IProfiler", "tensorrt:profile_tensorrt"),
}
"""Profilers by engine: in words, and the function beside this file that asks it."""


def profile_layers(
    engine: str,
    path: Path,
    batch: NDArray[np.uint8],
    *,
    threads: int,
    runs: int = 30,
    warmup: int = 5,
) -> list[LayerTime]:
    """Time the layers of a file, in the order in which they run.

    Args:
        engine: a name of `runtime.session.spec.ENGINES`.
        path: the graph, or the engine file.
        batch: uint8, N×1×H×W, run again and again.
        threads: inference threads.
        runs: over which each layer's median is taken.
        warmup: runs before them.

    Raises:
        InputError: the engine has no profiler that is known here, or does not load the file.
    """
    if engine not in PROFILERS:
        raise InputError(
            f"engine {engine} has no layer profiler", hint=f"choose from {', '.join(PROFILERS)}"
        )
    module, _, name = PROFILERS[engine][1].partition(":")
    profiler: Profiler = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    return profiler(path, batch, threads=threads, runs=runs, warmup=warmup)


def convolution_macs(weights: Sequence[int], outputs: Sequence[int], *, groups: int = 0) -> int:
    """Multiply-accumulates of a convolution.

    Args:
        weights: shape, O×I×kernel; G×O×I×kernel where `groups` says so.
        outputs: shape, channels first or last.
        groups: G.
    """
    channels = weights[0] * weights[1] if groups else weights[0]
    return math.prod(outputs) // max(1, channels) * math.prod(weights)


def median_ms(times: Sequence[float]) -> float:
    """Median of milliseconds, to the nanosecond."""
    return round(float(np.median(times)), 6)
