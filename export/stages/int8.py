"""Quantisation of a network to INT8: calibration images, ranges, and layers left in float."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import onnx

from calibration.cache import observation_key
from calibration.images import require_untested
from calibration.layers import nodes_of, weighted_layers
from calibration.ranges import Ranges
from calibration.record import CalibrationRecord, images_of, small_histograms
from export.job import Job
from export.stages.int8_lab import Int8Lab
from export.stages.proving import Reference
from runtime.artifact.manifest import CalibrationFacts
from runtime.progress import StageProgress


@dataclass(frozen=True)
class Int8Plan:
    """Decisions on INT8, and the measurements behind them.

    Args:
        record: what goes into calibration.json.
        kept: layers that stay in floating point.
        details: for the page and the terminal, see `edgecl.reporting.pages.export`.
        notes: what the user should know.
    """

    record: CalibrationRecord
    kept: tuple[str, ...]
    details: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ranges(self) -> Ranges:
        """Ranges by tensor of the FP32 graph."""
        return self.record.ranges

    def nodes_of(self, model: onnx.ModelProto) -> list[str]:
        """The nodes of the layers kept, in one of the network's graphs."""
        return nodes_of(weighted_layers(model), self.kept)

    def summary(self) -> CalibrationFacts:
        """Return the calibration's part of the manifest."""
        found: dict[str, Any] = {
            "algorithm": self.record.method,
            "selection": self.record.selection,
            "images": len(self.record.files),
            "observation": self.record.observation,
            "kept": self.kept,
            **{
                name: self.details[name]
                for name in ("algorithms", "sensitivity", "curve")
                if name in self.details
            },
        }
        return msgspec.convert(found, CalibrationFacts)


def plan_int8(
    job: Job,
    fp32: onnx.ModelProto,
    half: onnx.ModelProto,
    reference: Reference,
    scratch: Path,
    report: StageProgress,
) -> Int8Plan:
    """Choose images and ranges, and the layers to leave alone.

    Args:
        fp32: the graph that is observed, and quantised for the CPU.
        half: the same in FP16, quantised for TensorRT.
        reference: the trained model's answers for the validation part.
        scratch: a folder for files that are gone afterwards.

    Raises:
        InputError: too few images to calibrate with, or no layer of a name to keep.
    """
    lab = Int8Lab(job, fp32, half, reference, scratch, report)
    lab.keep(job.int8.keep)
    dataset, notes = lab.choose_images()
    require_untested(dataset.files, dataset.hashes, job.test.hashes)
    observation = lab.observe(dataset)
    lab.choose_ranges(observation)
    if job.int8.sensitivity or job.int8.search:
        lab.measure_layers()
    if job.int8.search:
        lab.search()
    if job.int8.curve:
        lab.measure_curve()
    record = CalibrationRecord(
        method=lab.method,
        selection=job.int8.repeated.selection if job.int8.repeated else job.int8.selection,
        images=images_of(dataset.files, dataset.hashes),
        ranges=dict(lab.ranges),
        observation=observation_key(fp32, dataset.hashes),
        histograms=small_histograms(fp32, observation),
        note="; ".join(notes),
    )
    lab.details["histograms"] = _histograms(record)
    return Int8Plan(record, tuple(lab.kept), lab.details, (*notes, *lab.notes))


def _histograms(record: CalibrationRecord) -> list[dict[str, Any]]:
    return [
        {
            "layer": entry.layer,
            "edges": [entry.edges[0], entry.edges[-1]],
            "counts": list(entry.counts),
            "range": list(record.ranges[tensor]),
        }
        for tensor, entry in record.histograms.items()
    ]
