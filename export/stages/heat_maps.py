"""The heat-map graph of a bundle: built, held against the network, and examples of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from export.job import HeatMapModule, Job
from export.stages.onnx_graph import graph_of_module
from export.stages.proving import LARGEST_FP32_CHANGE, Reference
from runtime.artifact.heat_maps import ACTIVATION_OUTPUTS, HEAT_MAPS_FILE
from runtime.errors import GateError
from runtime.image.heat_map import Window, evidence, laid_together, overlay
from runtime.image.tiles import worst_tile
from runtime.session.activation import ActivationSession

CHECKED = 8
"""Validation images, or tiles, on which the graph is held against the network."""

PER_LABEL, MOST = 2, 12
"""Examples on the page, per label and in all."""


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
    return HeatMapGraph(path, _examples(reference, ActivationSession(path)))


def _examples(reference: Reference, session: ActivationSession) -> list[dict[str, Any]]:
    """Show validation images that are rejected, of each label those it is surest of.

    Of an image that was cut the tile is shown that speaks most against the part.
    """
    contract, part = reference.contract, reference.part
    answered = reference.probabilities.argmax(axis=1)
    sure = reference.probabilities.max(axis=1)
    by_label = [
        [row for row in np.argsort(-sure, kind="stable") if answered[row] == label][:PER_LABEL]
        for label in range(len(contract.labels))
        if label not in contract.passing
    ]
    # The surest of every label first: with many labels there is room for no more.
    rows = [rows[rank] for rank in range(PER_LABEL) for rows in by_label if rank < len(rows)][:MOST]
    examples = []
    for row in sorted(rows, key=lambda row: (answered[row], -sure[row])):
        tiles = part.tile_rows(np.array([row]))
        tile = part.images[tiles[worst_tile(reference.answers[tiles], contract.passing)]]
        label = int(answered[row])
        _, activation = session.run(tile[None, None])
        heat = laid_together(
            evidence(activation, label, contract.passing),
            [Window(0, 0, tile.shape[1], tile.shape[0])],
            session.cells,
            (tile.shape[0], tile.shape[1]),
            (tile.shape[0], tile.shape[1]),
        )
        examples.append(
            {
                "file": part.files[row],
                "label": contract.labels[label],
                "confidence": float(sure[row]),
                "image": _png(tile, overlay(tile, heat)),
            }
        )
    return examples


def _png(image: NDArray[np.uint8], hot: NDArray[np.uint8]) -> str:
    """Return an image beside itself under its heat map, as a PNG in Base64.

    A strip stands above itself.
    """
    height, width = hot.shape[:2]
    plain = cv2.cvtColor(cv2.resize(image, (width, height)), cv2.COLOR_GRAY2BGR)
    stack = np.hstack if width < 2 * height else np.vstack
    _, data = cv2.imencode(".png", stack([plain, hot]))
    return base64.b64encode(data.tobytes()).decode()
