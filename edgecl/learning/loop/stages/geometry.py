"""Choice of the geometry, by answers to labelled images that a network did not see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from edgecl.data.splits import labelled_rows
from edgecl.learning.compute.placement import Compute
from edgecl.learning.compute.ranks import Ranks
from edgecl.learning.config import AUTO, FROZEN_ENCODERS, TrainConfig
from edgecl.learning.contrastive.augmentation import chosen_augmentation
from edgecl.learning.documents import CandidateAccuracy, ComparedChoices
from edgecl.learning.loop.monitoring import Monitor
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.stages.cross_validation import network_accuracy
from edgecl.learning.run import run_directory
from edgecl.learning.run.geometries import OWN_SCALE, Geometry, possible_geometries, taken
from edgecl.learning.run.preparation import Prepared, labelled_images, prepare
from edgecl.learning.run.sources import ImageSource
from edgecl.learning.teachers.choice import grouped_folds
from runtime.errors import InputError
from runtime.files.document import plain
from runtime.progress import StageProgress

MOST_IMAGES = 240
"""Labelled images that a comparison is content with: five folds of them show what matters."""

MOST_EPOCHS = 15
"""Length of each training: enough to see which geometry lets a network learn."""

Folds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


def settle_geometry(
    config: TrainConfig,
    run: Path,
    device: torch.device,
    report: StageProgress,
    source: ImageSource,
    ranks: Ranks,
) -> tuple[TrainConfig, ComparedChoices | None]:
    """Settle the geometry `auto`: that of the run to go on with, or by a comparison.

    Returns:
        The choices with another geometry than `auto`, and what was compared; None where nothing
        was to be settled.

    Raises:
        InputError: the data cannot be used, or a value is not finite.
    """
    if config.geometry != AUTO:
        return config, None
    begun = ranks.by_first((run / run_directory.CONFIG).exists)
    if begun or config.pretrained:
        choices = run_directory.read_config(run if begun else Path(config.pretrained)).choices
        return taken(config, choices), None

    def compare() -> dict[str, Any]:
        chosen, facts = compare_geometries(
            config, run, compute=Compute(device, "off"), report=report, source=source
        )
        return {"config": chosen.to_json(), "facts": plain(facts)}

    told = ranks.by_first(compare)
    return (
        TrainConfig.from_json(told["config"], where="the chosen geometry"),
        msgspec.convert(told["facts"], ComparedChoices),
    )


def compare_geometries(
    config: TrainConfig,
    run: Path,
    *,
    compute: Compute,
    report: StageProgress,
    source: ImageSource,
) -> tuple[TrainConfig, ComparedChoices]:
    """Return the choices with the geometry whose networks answered best out of fold.

    A network of each geometry is trained briefly, without pretraining, on some of the labelled
    images of the train part, and asked about the others, by groups.

    Args:
        config: with the geometry `auto`.
        run: the run directory; nothing is written there.
        source: where images come from: one that remembers them reads them once.

    Raises:
        InputError: the data cannot be used, or a value is not finite.
    """
    short = replace(
        config,
        method="none",
        pretrained="",
        unlabelled=(),
        weights="",
        self_train=False,
        autocast="off",
        epochs=min(config.epochs, MOST_EPOCHS),
    )
    found: list[CandidateAccuracy] = []
    possible = _possible(short, source, report)
    asked = 0
    comparable = len(possible) > 1 and config.encoder not in FROZEN_ENCODERS
    for geometry in possible if comparable else ():
        one = geometry.chosen(short, to_compare=True)
        prepared = prepare(one, _silent, source)
        folds = _folds(prepared, config.seed)
        if not folds:
            break
        asked = sum(len(rows) for _, rows in folds)
        setup = TrainingSetup(
            one,
            prepared,
            run,
            compute,
            Monitor(prepared, compute),
            chosen_augmentation(one),
            report,
        )
        accuracy = network_accuracy(setup, folds, stage="geometry", what=geometry.name)
        found.append(CandidateAccuracy(name=geometry.name, accuracy=accuracy))
        report("geometry", len(found), len(possible), f"{geometry.name}: {accuracy:.1%} right")
    best = max(range(len(found)), key=lambda place: found[place].accuracy) if found else 0
    chosen = possible[best]
    facts = ComparedChoices(
        chosen=chosen.name,
        candidates=tuple(found),
        measured_on=f"{asked} labelled images, out of fold by groups" if found else "",
    )
    return chosen.chosen(config), facts


def geometry_note(facts: ComparedChoices) -> str:
    """Describe the choice for the notes of a run."""
    if not facts.candidates:
        return f"geometry: {facts.chosen}, not compared with another"
    compared = ", ".join(f"{one.name} {one.accuracy:.1%}" for one in facts.candidates)
    return f"geometry: {facts.chosen} ({facts.measured_on}: {compared})"


def _possible(config: TrainConfig, source: ImageSource, report: StageProgress) -> list[Geometry]:
    """Return what suits the size that most images have."""
    sizes = labelled_images(OWN_SCALE.chosen(config), source, report).sizes
    region = config.region
    usual = max(sizes, key=sizes.__getitem__)
    possible = possible_geometries(usual if region is None else (region.height, region.width))
    if config.strict and len(sizes) > 1:  # which nobody may stretch to one
        return possible[:1]
    return possible


def _folds(prepared: Prepared, seed: int) -> Folds:
    """Return (fitted on, asked) rows among the labelled train images, at most `MOST_IMAGES`."""
    dataset, known = prepared.dataset, prepared.split.train
    some = known
    if len(known) > MOST_IMAGES:
        try:
            some = labelled_rows(
                known,
                dataset.targets,
                dataset.groups,
                dataset.labels,
                share=MOST_IMAGES / len(known),
                seed=[seed, 6],
                part="train",
            )
        except InputError:  # a class so rare that its share would be no image
            some = known
    places = np.searchsorted(known, some)
    folds = grouped_folds(dataset.targets[some], [dataset.groups[row] for row in some], seed)
    return [(places[fitted], places[asked]) for fitted, asked in folds]


def _silent(stage: str, done: int, total: int, text: str) -> None:
    pass
