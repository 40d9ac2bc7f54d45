"""calibration.json: how a network was calibrated, so that it can be repeated or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from calibration.histogram import small
from calibration.layers import weighted_layers
from calibration.observation import Observation
from calibration.ranges import Ranges
from runtime.errors import InputError

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
        selection: how the pictures were chosen.
        files: of the pictures.
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
                    mend="update edgecl on this machine",
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
                mend="export the model again with 'edgecl export'",
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
            f"cannot read {path} ({reason})", mend="export the model again with 'edgecl export'"
        ) from error
    return CalibrationRecord.from_json(value, where=str(path))


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


def require_same_pictures(
    record: CalibrationRecord, files: Sequence[str], hashes: Sequence[str]
) -> None:
    """Whether these pictures are those of the record, under whatever names.

    Raises:
        InputError: one is missing, was changed, or is not of the set.
    """
    given, recorded = set(hashes), set(record.hashes)
    if given == recorded and len(hashes) == len(record.hashes):
        return
    names = dict(zip(files, hashes, strict=True))
    missing = [
        file
        for file, digest in zip(record.files, record.hashes, strict=True)
        if digest not in given
    ]
    extra = [file for file, digest in names.items() if digest not in recorded]
    if missing and missing[0] in names:
        problem = f"{missing[0]} was changed since the calibration"
    elif missing:
        problem = f"{missing[0]} of the recorded calibration is not there"
    elif extra:
        problem = f"{extra[0]} is not in the recorded calibration"
    else:
        problem = (
            f"{len(hashes)} pictures were given where the recorded calibration has "
            f"{len(record.hashes)}"
        )
    raise InputError(
        f"{problem}; it used {len(record.hashes)} pictures",
        mend="bring its pictures back, or calibrate anew",
    )
