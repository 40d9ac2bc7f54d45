"""Limits beyond which an image is unknown, one for each form that ships, and their false alarms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.gate.answers import image_probabilities
from export.job import DataPart, Job
from export.outcome import ShippedNovelty
from runtime.artifact.novelty import FormNovelty, NoveltyRecord
from runtime.artifact.tiling import MEAN
from runtime.novelty import (
    conformal_limit,
    conformal_rank,
    image_distances,
    supported_rate,
    tail,
)
from runtime.session.base import Outputs
from runtime.statistics import share_interval

FEWEST = 19
"""Validation images below which a limit would stand for more than 5 % of false alarms."""

CHANCE = 0.01
"""Probability below which false alarms on the test part are no chance."""


def measure_novelty(
    job: Job, validation: Mapping[str, Outputs], test: Mapping[str, Outputs]
) -> tuple[ShippedNovelty | None, tuple[str, ...]]:
    """Set the limit of each form that ships, and count whom it calls unknown on the test part.

    INT8 and FP16 move embeddings, so each form has its own limit, from its own distances.

    Args:
        validation: by artefact that ships, its outputs for every tile of the validation part.
        test: the same for the test part.

    Returns:
        None where the job asks for no limit or too few images could set one; and notes.
    """
    if job.space is None or not job.false_alarms:
        return None, ()
    images = len(job.validation)
    if images < FEWEST:
        return None, (
            f"no frame will be unknown: {images} validation images are too few for a limit (at "
            f"least {FEWEST})",
        )
    rate = supported_rate(images, job.false_alarms)
    distances = {
        name: np.sort(_distances(job, job.validation, outputs))
        for name, outputs in validation.items()
    }
    limits = {name: conformal_limit(found, rate) for name, found in distances.items()}
    if not all(np.isfinite(limit) and limit > 0 for limit in limits.values()):
        return None, ("no frame will be unknown: the embeddings of all images are the same",)
    forms = {name: _tested(job, limit, test[name]) for name, limit in limits.items()}
    record = NoveltyRecord(
        asked_rate=job.false_alarms,
        rate=rate,
        train_images=job.space_images,
        images=images,
        forms=forms,
    )
    return ShippedNovelty(job.space, distances, record), (*_few(record), *_beyond(record))


def _distances(job: Job, part: DataPart, outputs: Outputs) -> NDArray[np.float32]:
    assert job.space is not None
    tiling = job.contract.input.tiling
    combine = MEAN if tiling is None else tiling.combine
    return image_distances(job.space.distances(outputs.embedding), part.tile_counts, combine)


def _tested(job: Job, limit: float, outputs: Outputs) -> FormNovelty:
    unknown = ~(_distances(job, job.test, outputs) <= limit)
    answers = image_probabilities(outputs.probabilities, job.test.tile_counts, job.contract)
    wrong = answers.argmax(axis=1) != job.test.targets
    count = int(unknown.sum())
    return FormNovelty(
        limit=limit,
        test_images=len(unknown),
        test_unknown=count,
        test_share=count / len(unknown),
        test_interval=share_interval(count, len(unknown)),
        test_wrong=int(wrong.sum()),
        test_wrong_unknown=int((wrong & unknown).sum()),
    )


def _few(record: NoveltyRecord) -> list[str]:
    if record.rate <= record.asked_rate:
        return []
    return [
        f"{record.images} validation images support no fewer false alarms of 'unknown' than "
        f"{record.rate:.1%} ({record.asked_rate:.1%} asked for, which takes "
        f"{int(np.ceil(1 / record.asked_rate)) - 1} images)"
    ]


def _beyond(record: NoveltyRecord) -> list[str]:
    """Tell of forms whose false alarms on the test part are more than chance allows."""
    rank = conformal_rank(record.images, record.rate)
    return [
        f"{name} calls {form.test_unknown} of {form.test_images} test images unknown, more than "
        f"{record.rate:.1%} by more than chance: the test part differs from the validation part, "
        "and so may the line"
        for name, form in record.forms.items()
        if tail(form.test_unknown, form.test_images, record.images, rank) < CHANCE
    ]
