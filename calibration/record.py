"""calibration.json: how a network was calibrated, so that it can be repeated or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.histogram import small
from calibration.layers import weighted_layers
from calibration.observation import Observation
from calibration.ranges import Ranges
from runtime.artifact.bundle import load_bundle
from runtime.errors import InputError

FILE = "calibration.json"
SCHEMA = 1
PLOT_BINS = 64


@dataclass(frozen=True)
class SmallHistogram:
    """The values of one tensor, for a plot.

    Args:
        layer: whose input the tensor is; the first one's where there are several.
        edges: of the bins, ascending, one more than there are counts.
        counts: of values, zeros among them.
    """

    layer: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class CalibrationRecord:
    """What is known of a calibration.

    Args:
        method: algorithm that gave the ranges.
        selection: how the images were chosen.
        files: of the images.
        hashes: SHA-256 of each, in hexadecimal.
        ranges: lowest and highest value by tensor.
        observation: key of what was observed, as `observation_key` gives it.
        histograms: by tensor, of those that feed layers with weights.
        note: what a reader must know of it.
    """

    method: str
    selection: str
    files: tuple[str, ...]
    hashes: tuple[str, ...]
    ranges: Ranges
    observation: str
    histograms: Mapping[str, SmallHistogram]
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` takes back."""
        return {
            "schema": SCHEMA,
            "method": self.method,
            "selection": self.selection,
            "note": self.note,
            "images": [
                {"file": file, "sha256": digest}
                for file, digest in zip(self.files, self.hashes, strict=True)
            ],
            "observation": self.observation,
            "ranges": {name: [low, high] for name, (low, high) in self.ranges.items()},
            "histograms": {
                name: {
                    "layer": entry.layer,
                    "edges": list(entry.edges),
                    "counts": list(entry.counts),
                }
                for name, entry in self.histograms.items()
            },
        }

    @classmethod
    def from_json(cls, value: Any, *, where: str) -> CalibrationRecord:
        """Read a record back.

        Args:
            value: what `to_json` gave.
            where: the file it came from, for the error.

        Raises:
            InputError: a newer schema, or a field that is missing or of the wrong kind.
        """
        try:
            schema = int(value["schema"])
            if schema > SCHEMA:
                raise InputError(
                    f"{where} has calibration schema {schema}, this edgecl reads up to {SCHEMA}",
                    hint="update edgecl on this machine",
                )
            return cls(
                method=str(value["method"]),
                selection=str(value["selection"]),
                files=tuple(str(image["file"]) for image in value["images"]),
                hashes=tuple(str(image["sha256"]) for image in value["images"]),
                ranges={
                    str(name): (float(low), float(high))
                    for name, (low, high) in value["ranges"].items()
                },
                observation=str(value["observation"]),
                histograms={
                    str(name): SmallHistogram(
                        str(entry["layer"]),
                        tuple(float(edge) for edge in entry["edges"]),
                        tuple(int(count) for count in entry["counts"]),
                    )
                    for name, entry in value["histograms"].items()
                },
                note=str(value.get("note", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{where} is no record of a calibration ({type(error).__name__}: {error})",
                hint="export the model again with 'edgecl export'",
            ) from error


def read_record(path: Path) -> CalibrationRecord:
    """Read calibration.json.

    Raises:
        InputError: it cannot be read, or is no such record.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise InputError(
            f"cannot read {path} ({reason})", hint="export the model again with 'edgecl export'"
        ) from error
    return CalibrationRecord.from_json(value, where=str(path))


def record_of_bundle(bundle: Path) -> CalibrationRecord:
    """The calibration of a bundle, after its hashes were verified.

    Raises:
        InputError: no whole bundle there, or one without INT8.
    """
    held = load_bundle(bundle)
    if FILE not in held.manifest.files:
        raise InputError(
            f"{bundle} holds no INT8 and so no calibration",
            hint="name a bundle that was exported with --int8",
        )
    return read_record(bundle / FILE)


def small_histograms(
    model: onnx.ModelProto, observation: Observation, bins: int = PLOT_BINS
) -> dict[str, SmallHistogram]:
    """Of every tensor that feeds a layer with weights, in graph order.

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
            found[name] = SmallHistogram(layer.name, tuple(edges.tolist()), tuple(counts.tolist()))
    return found


def rows_of_record(
    record: CalibrationRecord, files: Sequence[str], hashes: Sequence[str]
) -> NDArray[np.int64]:
    """Where the images of the record stand among others, under whatever names.

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
            what = "was changed since" if changed else "is not among the images at hand, of"
            raise InputError(
                f"{file} {what} the recorded calibration on {len(record.files)} images",
                hint="bring its images back, or calibrate anew",
            )
    return np.array([rows[digest] for digest in record.hashes], np.int64)
