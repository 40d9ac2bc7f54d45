"""Definition of an export: the trained network, its images, and the user's choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from calibration.record import CalibrationRecord
from export.gate.decision import Limits
from runtime.artifact.contract import ModelContract
from runtime.artifact.manifest import Origin

AUTO = "auto"


@dataclass(frozen=True)
class DataPart:
    """Images of one part of the data: uint8 N×H×W, their class numbers, names and hashes.

    Args:
        targets: int64, N; -1 for an image without a label.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    files: Sequence[str]
    hashes: Sequence[str]

    def __len__(self) -> int:
        return len(self.files)

    def take(self, rows: NDArray[np.int64]) -> DataPart:
        """Return the images of `rows`, in that order."""
        return DataPart(
            self.images[rows],
            self.targets[rows],
            [self.files[row] for row in rows],
            [self.hashes[row] for row in rows],
        )


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
        rewrites: what was rewritten before the graph, for example `gray-input`.
        version: edgecl's.
        seed: of every draw.
        notes: what the user should know of the images.
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
    remedy_seconds: float = 0.0
    rewrites: tuple[str, ...] = ()
    seed: int = 0
    notes: tuple[str, ...] = ()
