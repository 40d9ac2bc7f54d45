"""A finished run as a job for the exporter: its network, its pictures, its story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.selection import select_stratified
from edgecl import __version__
from edgecl.learning.folding import folded_to_gray
from edgecl.learning.preparation import Prepared, Report, prepare
from edgecl.learning.run_directory import load_classifier, read_result
from export.bundling import Job, Pictures
from runtime.contract import InputContract, ModelContract
from runtime.errors import InputError

CALIBRATION_IMAGES = 128

# Labels that by their name alone let a part pass.
USUAL_PASS_LABELS = frozenset(
    {"clean", "good", "ok", "normal", "pass", "defect-free", "defect_free", "no_defect", "none"}
)


@dataclass(frozen=True)
class ExportChoices:
    """What the user decides of an export.

    Args:
        precisions: beside `fp32`, which is always exported.
        max_drop: percentage points of validation accuracy that a precision may lose.
        calibration_images: pictures of the train part that calibrate INT8.
        pass_labels: the labels that let a part pass; empty for those usual by name.
        data: where the run's pictures lie now, if they were moved.
    """

    precisions: Sequence[str] = ()
    max_drop: float = 0.5
    calibration_images: int = CALIBRATION_IMAGES
    pass_labels: tuple[str, ...] = ()
    data: Path | None = None


def job_of_run(run: Path, choices: ExportChoices, report: Report) -> Job:
    """Load the finished run in `run` and its pictures.

    Raises:
        InputError: the run is not finished, or its pictures are gone or changed.
    """
    classifier, config, whole = load_classifier(run)
    result = read_result(run)
    if choices.data is not None:
        config = replace(config, data=str(choices.data))
    prepared = prepare(replace(config, unlabelled=(), pretrained="", method="none"), report)
    _require_same_data(prepared, whole, config.data, run)
    labels = prepared.pictures.labels
    usual = tuple(name for name in labels if name.lower() in USUAL_PASS_LABELS)
    split = prepared.split
    rng = np.random.default_rng(config.seed)
    rows = split.train[
        select_stratified(prepared.pictures.targets[split.train], choices.calibration_images, rng)
    ]
    return Job(
        classifier=folded_to_gray(classifier, config),
        trained=classifier,
        contract=ModelContract(
            InputContract(*config.image_size, config.interpolation),
            labels,
            choices.pass_labels or usual,
        ),
        precisions=choices.precisions,
        validation=_pictures(prepared, split.validation),
        test=_pictures(prepared, split.test),
        calibration=_pictures(prepared, rows),
        max_drop=choices.max_drop,
        origin={
            "run": run.name,
            "encoder": config.encoder,
            "method": config.method,
            "image_size": list(config.image_size),
            "channels": config.channels,
            "parameters": result["parameters"],
            "macs": result["macs"],
            "split": config.split,
            "seed": config.seed,
            "data": Path(config.data).name if config.data else "built-in surfaces",
            "data_digest": whole["data_digest"],
            "test_accuracy": result["accuracy"],
            "test_accuracy_interval": result["accuracy_interval"],
        },
        version=__version__,
    )


def _pictures(prepared: Prepared, rows: NDArray[np.int64]) -> Pictures:
    part = prepared.pictures.take(rows)
    return Pictures(part.images, part.targets, part.files, part.hashes)


def _require_same_data(prepared: Prepared, whole: dict[str, Any], data: str, run: Path) -> None:
    where = data or "the built-in set"
    unknown = sorted(set(prepared.pictures.labels) - set(whole["labels"]))
    if unknown:
        raise InputError(
            f"{where} has the class {unknown[0]}, which {run} does not know",
            mend=f"remove that folder, or train again (the run knows {', '.join(whole['labels'])})",
        )
    if prepared.pictures.digest() != whole["data_digest"]:
        raise InputError(
            f"the pictures in {where} are not those that {run} was trained on",
            mend="bring them back, or name where they are now with --data",
        )
