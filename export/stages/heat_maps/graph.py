"""The heat-map graph of a bundle, held against the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from export.job import HeatMapModule, Job
from export.stages.heat_maps.examples import heat_map_examples
from export.stages.onnx_graph import graph_of_module
from export.stages.proving import LARGEST_FP32_CHANGE, Reference
from runtime.artifact.heat_maps import ACTIVATION_OUTPUTS, HEAT_MAPS_FILE
from runtime.errors import GateError
from runtime.session.activation import ActivationSession

CHECKED = 8
"""Validation images, or tiles, on which the graph is held against the network."""


@dataclass(frozen=True)
class HeatMapGraph:
    """The heat-map graph of a bundle to be.

    Args:
        path: its file.
        examples: validation images under their heat maps, for the page.
    """

    path: Path
    examples: list[dict[str, Any]]


def build_heat_maps(job: Job, module: HeatMapModule, reference: Reference, folder: Path) -> Path:
    """Write the heat-map graph, with the contract and the places of its cells in its metadata.

    Raises:
        GateError: its outputs are not the network's.
    """
    graph = graph_of_module(module.module, job.contract, ACTIVATION_OUTPUTS)
    props = {**job.contract.to_metadata(), **module.cells.to_metadata()}
    onnx.helper.set_model_props(graph, props)
    path = folder / HEAT_MAPS_FILE
    onnx.save(graph, path)
    images = reference.part.images
    rows = np.unique(np.linspace(0, len(images) - 1, CHECKED).round().astype(np.int64))
    probabilities, activation = ActivationSession(path).run(images[rows][:, None])
    with torch.no_grad():
        expected = module.module(torch.from_numpy(images[rows][:, None]))[1].numpy()
    change = float(np.abs(probabilities - reference.answers[rows]).max())
    largest = float(np.abs(expected).max())
    moved = float(np.abs(activation - expected).max()) / max(largest, 1e-12)
    # NaN is no answer either.
    if not max(change, moved) <= LARGEST_FP32_CHANGE:
        raise GateError(
            f"the heat-map graph differs from the network: a probability by {change:.1e}, "
            f"activation by {moved:.1e} of its largest",
            hint="please report this: it is a bug in the export; omit --heat-maps until then",
        )
    return path


def heat_map_graph(job: Job, reference: Reference, folder: Path) -> HeatMapGraph | None:
    """Build the heat-map graph of an export, and examples; None where none is wanted.

    Raises:
        GateError: see `build_heat_maps`.
    """
    if job.heat_maps is None:
        return None
    path = build_heat_maps(job, job.heat_maps, reference, folder)
    return HeatMapGraph(path, heat_map_examples(reference, ActivationSession(path)))
