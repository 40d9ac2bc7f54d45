"""Definition of an export: the trained network, its images, and the user's choices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from calibration.record import CalibrationRecord
from export.gate.decision import Limits
from runtime.artifact.contract import ModelContract
from runtime.artifact.heat_maps import Cells
from runtime.artifact.manifest import ConfidenceFacts, Origin
from runtime.novelty import TrainingSpace

AUTO = "auto"
FALSE_ALARMS = 0.01
"""Share of known images that may be called unknown."""


@dataclass(frozen=True)
class DataPart:
    """Images of one part of the data, as the model sees them.

    Where images are stretched, each is one tile, the whole image:

        DataPart(images, targets, files, hashes)

    Where they are cut, `images` holds all their tiles, image after image and each image's in the
    order of `runtime.image.tiles.places`:

        DataPart(tiles, targets, files, hashes, counts)

    Args:
        images: uint8, N×H×W; or T×h×w, all tiles.
        targets: int64, N; -1 for an image without a label.
        files: N names.
        hashes: N, SHA-256 of each file.
        counts: int64, N, how many tiles each image has; None for one tile each.

    Raises:
        ValueError: lengths that do not pair, or an image without a tile.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    files: Sequence[str]
    hashes: Sequence[str]
    counts: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        counts = self.tile_counts
        if not len(self.targets) == len(self.files) == len(self.hashes) == len(counts):
            raise ValueError("targets, files, hashes and counts of different lengths")
        if counts.sum() != len(self.images) or counts.min(initial=1) < 1:
            raise ValueError(
                f"{len(self.images)} tiles, but {len(counts)} images of {counts.sum()}"
            )

    def __len__(self) -> int:
        return len(self.files)

    @property
    def tile_counts(self) -> NDArray[np.int64]:
        """Number of tiles of each image, int64 N."""
        return np.ones(len(self.files), np.int64) if self.counts is None else self.counts

    def tile_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places in `images` of all tiles of the images in `rows`, in that order."""
        if self.counts is None:
            return rows
        taken = self.counts[rows]
        # From each image's first tile on: a running number, less where the image began.
        running = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        first = (np.cumsum(self.counts) - self.counts)[rows]
        return np.asarray(np.repeat(first, taken) + running, np.int64)

    def take(self, rows: NDArray[np.int64]) -> DataPart:
        """Return the images of `rows`, in that order."""
        return DataPart(
            self.images[self.tile_rows(rows)],
            self.targets[rows],
            [self.files[row] for row in rows],
            [self.hashes[row] for row in rows],
            None if self.counts is None else self.counts[rows],
        )

    def one_tile_each(self) -> DataPart:
        """Return the same images with one tile of each, `drawn_tile`."""
        if self.counts is None:
            return self
        drawn = [drawn_tile(text, n) for text, n in zip(self.hashes, self.counts, strict=True)]
        first = np.cumsum(self.counts) - self.counts
        return replace(self, images=self.images[first + np.array(drawn, np.int64)], counts=None)


def drawn_tile(digest: str, count: int) -> int:
    """Return which of an image's tiles calibrates.

    The same is drawn of an image whatever the seed, the part or the export, so that a calibration
    can be repeated and what was observed of it be found again.

    Args:
        digest: the image's hash.
        count: how many tiles it has.
    """
    return int(hashlib.sha256(digest.encode()).hexdigest(), 16) % int(count)


@dataclass(frozen=True)
class Int8Choices:
    """Options of INT8 calibration.

    Args:
        algorithm: `minmax`, `percentile`, `entropy`, `mse`, or `auto` for the one that loses least.
        selection: how the calibration images are chosen: `random`, `stratified` or `coverage`.
        images: how many.
        keep: layers that stay in floating point, by name.
        search: if the gate refuses, look for the fewest further layers to keep.
        sensitivity: measure each layer's damage.
        curve: measure the accuracy against the number of calibration images.
        repeated: an earlier calibration whose very images are to be taken, whatever `selection`
            and `images` say.
        cache: folder for what was observed of a graph on a set; None to keep nothing.
    """

    algorithm: str = AUTO
    selection: str = "stratified"
    images: int = 128
    keep: tuple[str, ...] = ()
    search: bool = False
    sensitivity: bool = False
    curve: bool = False
    cache: Path | None = None
    repeated: CalibrationRecord | None = None


@dataclass(frozen=True)
class HeatMapModule:
    """Network that tells which places speak for a class.

    Args:
        module: maps uint8 N×1×H×W to probabilities N×C, the classifier's own, and activation
            N×C×h×w, in evaluation mode, on the CPU.
        cells: where the cells of h×w look.
    """

    module: nn.Module
    cells: Cells


@dataclass(frozen=True)
class Job:
    """Description of an export.

    Args:
        classifier: what is exported: maps uint8 N×1×H×W to (logits, embedding), in evaluation
            mode, on the CPU.
        trained: the network as trained, whose answers every precision is compared with; it may
            be the same one.
        contract: its labels and input.
        precisions: beside `fp32`, which is always exported.
        validation: decides what ships.
        test: looked at after that, for the record.
        candidates: the images that calibration may choose from; none of them is of the test
            or the validation part.
        limits: what a precision may lose.
        int8: how INT8 is calibrated.
        remedy_seconds: time for remedies where INT8 is refused; 0 for none.
        origin: where the model came from, for the manifest.
        confidence: how its confidences were corrected; None where they are as trained.
        rewrites: what was rewritten before the graph, for example `gray-input`.
        version: edgecl's.
        seed: of every draw.
        notes: what the user should know of the images.
        heat_maps: what becomes the heat-map graph; None for a bundle without one.
        flat: file of the flat-field that they were corrected with, of the contract's digest; None
            for images as they are.
        space: where the training images lie; None for no limit beyond which one is unknown.
        space_images: how many of them were looked at.
        false_alarms: share of known images that may be called unknown, 0 to 1; 0 for no limit.

    Raises:
        ValueError: tiles for a contract without a tiling.
    """

    classifier: nn.Module
    trained: nn.Module
    contract: ModelContract
    precisions: Sequence[str]
    validation: DataPart
    test: DataPart
    candidates: DataPart
    limits: Limits
    origin: Origin
    version: str
    int8: Int8Choices = field(default_factory=Int8Choices)
    confidence: ConfidenceFacts | None = None
    remedy_seconds: float = 0.0
    rewrites: tuple[str, ...] = ()
    seed: int = 0
    notes: tuple[str, ...] = ()
    heat_maps: HeatMapModule | None = None
    flat: Path | None = None
    space: TrainingSpace | None = None
    space_images: int = 0
    false_alarms: float = FALSE_ALARMS

    def __post_init__(self) -> None:
        if (self.flat is None) != (self.contract.input.flat is None):
            raise ValueError("a flat-field without its digest in the contract, or the reverse")
        parts = (self.validation, self.test, self.candidates)
        if self.contract.input.tiling is None and any(part.counts is not None for part in parts):
            raise ValueError("tiles for a contract that stretches images")
