"""Export job from a finished run: its network, its images, its history."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgecl import __version__
from edgecl.data.dataset import ImageSet
from edgecl.data.pass_labels import usual_pass_labels
from edgecl.data.reading import read_unlabelled
from edgecl.exporting.activation import ClassActivation
from edgecl.exporting.confidence import (
    FEWEST,
    describe,
    fit_temperature,
    with_temperature,
)
from edgecl.exporting.folding import folded_to_gray
from edgecl.exporting.novelty import space_of_run
from edgecl.learning.documents import RunConfig
from edgecl.learning.loop.answers import answer_tiles
from edgecl.learning.loop.epochs import DivergedError
from edgecl.learning.model import Classifier
from edgecl.learning.run.leaks import copies_of
from edgecl.learning.run.own_flat import with_own_flat
from edgecl.learning.run.preparation import Prepared, prepare
from edgecl.learning.run.run_directory import (
    load_classifier,
    read_result,
)
from edgecl.learning.run.sources import ImageSource, frame_view_of
from export.bundle.manifest import require_own_place
from export.bundle.triton import require_own_folder
from export.gate.decision import Limits
from export.job import FALSE_ALARMS, DataPart, HeatMapModule, Int8Choices, Job, drawn_tile
from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.manifest import ConfidenceFacts, Origin
from runtime.artifact.tiling import MEAN
from runtime.errors import InputError
from runtime.image.tiles import cut
from runtime.image.view import FrameView
from runtime.progress import StageProgress

GRAY_INPUT = "gray-input"


@dataclass(frozen=True)
class ExportChoices:
    """Choices of the user for an export.

    Args:
        precisions: beside `fp32`, which is always exported.
        limits: what a precision may lose.
        int8: how INT8 is calibrated.
        remedy_seconds: time for remedies where INT8 is refused; 0 for none.
        as_confident_as_trained: leave the network's confidences as they are.
        false_alarms: share of known images that may be called unknown, 0 to 1; 0 for no limit.
        pass_labels: the labels that let a part pass; empty for those usual by name.
        data: where the run's images lie now, if they were moved.
        calibration_data: a folder of images to calibrate on instead of the train part.
        heat_maps: add the graph that shows where the network looks.
    """

    precisions: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    int8: Int8Choices = field(default_factory=Int8Choices)
    remedy_seconds: float = 0.0
    as_confident_as_trained: bool = False
    false_alarms: float = FALSE_ALARMS
    pass_labels: tuple[str, ...] = ()
    data: Path | None = None
    calibration_data: Path | None = None
    heat_maps: bool = False


def job_of_run(
    run: Path, choices: ExportChoices, report: StageProgress, source: ImageSource | None = None
) -> Job:
    """Load the finished run in `run` and its images.

    Args:
        source: where images come from; None to read them.

    Raises:
        InputError: the run is not finished, its images are gone or changed, the calibration
            images show what the run holds out, or its encoder has no heat maps.
    """
    classifier, recorded = load_classifier(run)
    config, result = recorded.choices, read_result(run)
    if choices.heat_maps:  # an encoder without maps is found out before the images are read
        ClassActivation(classifier, config.encoder)
    if choices.data is not None:
        config = replace(config, data=str(choices.data))
    config = with_own_flat(config, run, recorded.flat_digest)
    # All of the train part, also what fine-tuning saw no label of.
    config = replace(config, unlabelled=(), pretrained="", method="none", pretrain_on="all")
    prepared = prepare(config, report, source)
    _require_same_data(prepared, recorded, config.data, run)
    tiling = config.tiling
    if tiling is not None and result.tiling is not None:
        tiling = replace(tiling, combine=result.tiling.combine)  # `auto` was settled in training
    bits = prepared.dataset.bits
    contract = InputContract(
        *config.image_size,
        config.interpolation,
        bits,
        tiling,
        config.region,
        recorded.flat_digest,
    )
    labels = prepared.dataset.labels
    candidates, found = _candidates(
        prepared, choices.calibration_data, contract, frame_view_of(config), report
    )
    model = ModelContract(contract, labels, choices.pass_labels or usual_pass_labels(labels))
    confidence, notes = None, [*found]
    if not choices.as_confident_as_trained:
        classifier, model, confidence = _calibrated(classifier, prepared, model, notes)
    deployed = folded_to_gray(classifier, config)
    heat_maps = _heat_maps(deployed, config.encoder) if choices.heat_maps else None
    space, seen = None, 0
    if choices.false_alarms:
        report("novelty", 0, 1, "embedding the training images")
        with suppress(DivergedError):  # the gate says what is wrong with such a network
            space, seen = space_of_run(classifier, prepared.dataset, prepared.split.train)
        report("novelty", 1, 1, f"{seen} training images")
    return Job(
        classifier=deployed,
        trained=classifier,
        contract=model,
        precisions=choices.precisions,
        validation=_images(prepared, prepared.split.validation),
        test=_images(prepared, prepared.split.test),
        candidates=candidates,
        notes=tuple(notes),
        confidence=confidence,
        space=space,
        space_images=seen,
        false_alarms=choices.false_alarms,
        limits=choices.limits,
        int8=choices.int8,
        remedy_seconds=choices.remedy_seconds,
        rewrites=(GRAY_INPUT,) if deployed is not classifier else (),
        seed=config.seed,
        origin=Origin(
            run=run.resolve().name,
            encoder=config.encoder,
            method=recorded.choices.method,
            image_size=config.image_size,
            channels=config.channels,
            parameters=result.parameters,
            macs=result.macs,
            split=config.split,
            seed=config.seed,
            data=Path(config.data).name if config.data else "built-in surfaces",
            data_digest=recorded.data_digest,
            test_accuracy=result.accuracy,
            test_accuracy_interval=result.accuracy_interval,
        ),
        version=__version__,
        heat_maps=heat_maps,
        flat=Path(config.flat) if config.flat else None,
    )


def _heat_maps(classifier: Classifier, encoder: str) -> HeatMapModule:
    module = ClassActivation(classifier, encoder).eval()
    return HeatMapModule(module, module.last_map.cells)


def require_place(out: Path, triton: Path | None) -> None:
    """Refuse, before any work, to write where other things are.

    Args:
        out: the bundle.
        triton: the model repository, if one is wanted.

    Raises:
        InputError: something else is there, or one would be written over the other.
    """
    require_own_place(out)
    if triton is None:
        return
    require_own_folder(triton)
    bundle, models = out.resolve(), triton.resolve()
    if bundle == models or bundle in models.parents or models in bundle.parents:
        raise InputError(
            f"the model repository {triton} and the bundle {out} must not contain each other",
            hint="pass a separate folder to --triton",
        )


def _candidates(
    prepared: Prepared,
    folder: Path | None,
    contract: InputContract,
    view: FrameView,
    report: StageProgress,
) -> tuple[DataPart, tuple[str, ...]]:
    """Return the images that calibration may choose from (train part or the user's), and notes."""
    held_out = np.concatenate((prepared.split.validation, prepared.split.test))
    if folder is None:
        # The very same file on both sides, as a random split allows, must not calibrate either.
        known = {prepared.dataset.hashes[row] for row in held_out}
        rows = prepared.pretraining
        rows = rows[[prepared.dataset.hashes[row] not in known for row in rows]]
        found = _calibrating(prepared.dataset.take(rows))
        # A label that fine-tuning was not shown must not show itself in the choice either.
        targets = np.where(np.isin(rows, prepared.split.train), found.targets, -1)
        return replace(found, targets=targets), ()
    dataset = read_unlabelled(
        [folder],
        contract,
        view=view,
        progress=lambda done, total: report("data", done, total, f"reading {folder}"),
    )
    copies = copies_of(dataset.images, prepared.dataset.images[held_out])
    if copies.any():
        raise InputError(
            f"{int(copies.sum())} of {len(copies)} calibration images are copies of "
            f"validation or test images (first: {dataset.files[int(copies.argmax())]} in "
            f"{folder})",
            hint="calibrate on other images; without --calibration-data, the train part is used",
        )
    found = _calibrating(dataset)
    notes = (
        *dataset.notes,
        *(f"skipped {item.file} of {folder}: {item.reason}" for item in dataset.skipped),
    )
    return replace(found, targets=np.full(len(dataset), -1, np.int64)), notes


def _calibrated(
    classifier: Classifier, prepared: Prepared, contract: ModelContract, notes: list[str]
) -> tuple[Classifier, ModelContract, ConfidenceFacts | None]:
    """Return network and contract with shares of right answers as confidences, and the change."""
    dataset, split = prepared.dataset, prepared.split
    if len(split.validation) < FEWEST:
        notes.append(
            f"confidences are as trained: {len(split.validation)} validation images are too few "
            f"to correct them (at least {FEWEST})"
        )
        return classifier, contract, None
    cpu = torch.device("cpu")
    validation, test = (
        (answer_tiles(classifier, dataset.images[rows], cpu), dataset.targets[rows])
        for rows in (split.validation, split.test)
    )
    tiling = contract.input.tiling
    combine = MEAN if tiling is None else tiling.combine
    passing = tuple(contract.labels.index(name) for name in contract.pass_labels)
    temperature = fit_temperature(*validation, combine, passing)
    facts = describe(temperature, validation, test, combine, passing)
    if tiling is None:
        return with_temperature(classifier, temperature), contract, facts
    sharper = replace(tiling, sharpness=1 / temperature)
    return classifier, replace(contract, input=replace(contract.input, tiling=sharper)), facts


def _images(prepared: Prepared, rows: NDArray[np.int64]) -> DataPart:
    """Return images to be judged: whole, or all their tiles."""
    part = prepared.dataset.take(rows)
    if isinstance(part.images, np.ndarray):
        return DataPart(part.images, part.targets, part.files, part.hashes)
    tiles, counts = part.images.tiles(), part.images.counts()
    return DataPart(tiles, part.targets, part.files, part.hashes, counts)


def _calibrating(part: ImageSet) -> DataPart:
    """Return images that may calibrate: whole, or the one tile of each that is observed.

    A train part's tiles may take several times the memory of its images.
    """
    if isinstance(part.images, np.ndarray):
        chosen = part.images
    else:
        cuts = (cut(image, part.images.tiling) for image in part.images)
        drawn = [
            tiles[drawn_tile(digest, len(tiles))]
            for tiles, digest in zip(cuts, part.hashes, strict=True)
        ]
        chosen = np.stack(drawn) if drawn else np.empty((0, *part.images.tiling.tile), np.uint8)
    targets = part.targets if len(part.targets) else np.full(len(part), -1, np.int64)
    return DataPart(chosen, targets, part.files, part.hashes)


def _require_same_data(prepared: Prepared, recorded: RunConfig, data: str, run: Path) -> None:
    where = data or "the built-in set"
    unknown = sorted(set(prepared.dataset.labels) - set(recorded.labels))
    if unknown:
        raise InputError(
            f"{where} contains the class {unknown[0]}, which {run} was not trained on",
            hint="remove that folder, or train again (the run has the classes "
            f"{', '.join(recorded.labels)})",
        )
    if prepared.dataset.digest() != recorded.data_digest:
        raise InputError(
            f"the images in {where} are not the ones that {run} was trained on",
            hint="restore them, or pass their new location with --data",
        )
