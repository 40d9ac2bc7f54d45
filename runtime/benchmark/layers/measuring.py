"""The layers of a side: its engine's times, and what its graph says of their work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.layers.document import LayerRow, LayerTable
from runtime.errors import EdgeclError
from runtime.session.profiling import PROFILERS, LayerTime, profile_layers

RUNS = 40


class NodeWork(Protocol):
    """Work of one node of a graph for one image."""

    @property
    def macs(self) -> int: ...

    @property
    def weight_bytes(self) -> int: ...


GraphCosts = Callable[[Path], Mapping[str, NodeWork]]
"""Function that reads the work of a graph's nodes, by name. The runtime has none: it lacks onnx."""

NO_COSTS = (
    "MACs of layers whose weights the engine does not show are missing: onnx is not installed "
    "(pip install onnx)"
)


def time_layers(
    engine: str,
    path: Path,
    batch: NDArray[np.uint8],
    *,
    threads: int,
    graph: Path | None = None,
    costs: GraphCosts | None = None,
    runs: int = RUNS,
) -> LayerTable:
    """Time every layer of a side; a side that cannot be profiled has none, and a note.

    Args:
        engine: a name of `runtime.session.spec.ENGINES`.
        path: what the engine opens.
        batch: uint8, N×1×H×W.
        threads: inference threads.
        graph: the ONNX file behind it.
        costs: reads the work of its nodes; None where onnx is not installed.
        runs: over which medians are taken.
    """
    profiler = PROFILERS.get(engine, ("none",))[0]
    try:
        layers = profile_layers(engine, path, batch, threads=threads, runs=runs)
    except EdgeclError as error:
        return LayerTable(
            profiler=profiler, batch=len(batch), runs=0, total_ms=0.0, rows=(), notes=(str(error),)
        )
    notes: list[str] = []
    work: Mapping[str, NodeWork] = {}
    if any(layer.macs is None for layer in layers):
        if costs is None:
            notes.append(NO_COSTS)
        elif graph is not None:
            work = costs(graph)
    return layer_table(
        layers, profiler=profiler, batch=len(batch), runs=runs, work=work, notes=notes
    )


def layer_table(
    layers: Sequence[LayerTime],
    *,
    profiler: str,
    batch: int,
    runs: int,
    work: Mapping[str, NodeWork] | None = None,
    notes: Sequence[str] = (),
) -> LayerTable:
    """Put the layers of any engine into the common table.

    Args:
        layers: as they run.
        profiler: of the engine, in words.
        batch: images per run; the work of nodes is that for one.
        runs: over which the medians were taken.
        work: of the graph's nodes, for layers whose engine does not tell.
        notes: for the table.
    """
    total = sum(layer.ms for layer in layers)
    return LayerTable(
        profiler=profiler,
        batch=batch,
        runs=runs,
        total_ms=round(total, 6),
        rows=tuple(_row(layer, total, batch, work or {}) for layer in layers),
        notes=tuple(notes),
    )


def _row(layer: LayerTime, total_ms: float, batch: int, work: Mapping[str, NodeWork]) -> LayerRow:
    macs, moved = layer.macs, layer.bytes
    own = [work[node] for node in layer.nodes if node in work]
    if macs is None and own:
        macs = batch * sum(node.macs for node in own)
        if moved is not None:  # packed weights are not among the inputs that the engine shows
            moved += sum(node.weight_bytes for node in own)
    seconds = layer.ms / 1000
    return LayerRow(
        layer=layer.name,
        operator=layer.operator,
        ms=layer.ms,
        share=round(layer.ms / total_ms, 4) if total_ms else 0.0,
        macs=macs,
        bytes=moved,
        gmac_s=round(macs / seconds / 1e9, 3) if macs and seconds else None,
        gb_s=round(moved / seconds / 1e9, 3) if moved and seconds else None,
    )
