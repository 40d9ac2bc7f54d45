"""Calibration record (calibration.json): how a network was calibrated, to repeat or refuse it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.histogram import small
from calibration.layers import weighted_layers
from calibration.observation import Observation
from runtime.artifact.bundle import load_bundle
from runtime.errors import InputError
from runtime.files.document import Document, Part, read_document

FILE = "calibration.json"
PLOT_BINS = 64


class SmallHistogram(Part, frozen=True, kw_only=True):
    """The values of one tensor, for a plot.

    Args:
        layer: whose input the tensor is; the first one's where there are several.
        edges: of the bins, ascending, one more than there are counts.
        counts: of values, zeros among them.
    """

    layer: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class CalibrationImage(Part, frozen=True, kw_only=True):
    """An image that calibrated: its file's name, and its SHA-256 in hexadecimal."""

    file: str
    sha256: str


class CalibrationRecord(Document, frozen=True, kw_only=True):
    """Record of a calibration.

    Args:
        method: algorithm that gave the ranges.
        selection: how the images were chosen.
        note: what a reader must know of it.
        observation: key of what was observed, as `observation_key` gives it.
        ranges: lowest and highest value by tensor.
        histograms: by tensor, of those that feed layers with weights.
    """

    WHAT: ClassVar[str] = "a calibration record"
    REMEDY: ClassVar[str] = "export the model again with 'edgecl export'"

    schema: Literal[1] = 1
    method: str
    selection: str
    note: str = ""
    images: tuple[CalibrationImage, ...]
    observation: str
    ranges: dict[str, tuple[float, float]]
    histograms: dict[str, SmallHistogram]

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(image.file for image in self.images)

    @property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256 of each image."""
        return tuple(image.sha256 for image in self.images)


def images_of(files: Sequence[str], hashes: Sequence[str]) -> tuple[CalibrationImage, ...]:
    """Return the images of a record."""
    pairs = zip(files, hashes, strict=True)
    return tuple(CalibrationImage(file=file, sha256=digest) for file, digest in pairs)


def read_record(path: Path) -> CalibrationRecord:
    """Read calibration.json.

    Raises:
        InputError: it cannot be read, or is no such record.
    """
    return read_document(path, CalibrationRecord)


def record_of_bundle(bundle: Path) -> CalibrationRecord:
    """The calibration of a bundle, after its hashes were verified.

    Raises:
        InputError: no whole bundle there, or one without INT8.
    """
    held = load_bundle(bundle)
    if FILE not in held.manifest.files:
        raise InputError(
            f"{bundle} has no INT8 precision, hence no calibration",
            hint="use a bundle exported with --int8",
        )
    return read_record(bundle / FILE)


def small_histograms(
    model: onnx.ModelProto, observation: Observation, bins: int = PLOT_BINS
) -> dict[str, SmallHistogram]:
    """Return small histograms of every tensor that feeds a layer with weights, in graph order.

    Args:
        model: the FP32 graph that was observed.
        bins: at most, for each.
    """
    nodes = {node.name: node for node in model.graph.node}
    found: dict[str, SmallHistogram] = {}
    for layer in weighted_layers(model):
        name = nodes[layer.node].input[0]
        histogram = observation.histograms.get(name)
        if histogram is not None and name not in found:
            edges, counts = small(histogram, bins)
            found[name] = SmallHistogram(
                layer=layer.name, edges=tuple(edges.tolist()), counts=tuple(counts.tolist())
            )
    return found


def rows_of_record(
    record: CalibrationRecord, files: Sequence[str], hashes: Sequence[str]
) -> NDArray[np.int64]:
    """Find the record's images among others, under whatever names.

    Args:
        files: names of the images at hand.
        hashes: SHA-256 of each.

    Returns:
        int64 row numbers, in the order of the record.

    Raises:
        InputError: one is missing or was changed.
    """
    rows = {digest: row for row, digest in reversed(list(enumerate(hashes)))}
    for file, digest in zip(record.files, record.hashes, strict=True):
        if digest not in rows:
            changed = file in files
            what = (
                "was changed after" if changed else "is not among the given images, but was used in"
            )
            raise InputError(
                f"{file} {what} the recorded calibration on {len(record.files)} images",
                hint="restore its images, or omit --calibration-of to calibrate anew",
            )
    return np.array([rows[digest] for digest in record.hashes], np.int64)
