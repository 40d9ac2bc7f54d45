"""Rivals of the trained network on the test part: simpler ones, its teacher, and its earlier self.

A network that a descriptor without learning beats is not worth its arithmetic, and a student that
does not beat its teacher only made it smaller. So each result stands beside theirs.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from edgecl.data.pixels.selection import select
from edgecl.learning.documents import CandidateAccuracy, SelfTrainingFacts, TextureModel
from edgecl.learning.evaluation.probe import fit_linear_probe
from edgecl.learning.evaluation.texture import describe_texture
from edgecl.learning.loop.answers import embed, predict
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.state import Journal
from edgecl.learning.model import Classifier
from edgecl.learning.run.teaching import read_teaching
from edgecl.learning.teachers.classical import (
    FEWEST_TO_DISCRIMINATE,
    fit_discriminant,
    fit_regression,
)

MOST_DESCRIBED = 20_000
"""Images beyond which the descriptor, some hundred a second, is left out."""

STUDENT, FINE_TUNED, TEACHER = "student", "fine-tuned", "teacher"
TEXTURE, FROZEN = "texture", "frozen"
LDA: TextureModel = "LDA"
REGRESSION: TextureModel = "logistic regression"


def describe_parts(
    setup: TrainingSetup,
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return texture descriptors of the train and of the test part, float32 N×D and M×D.

    Returns:
        None where there are more images than `MOST_DESCRIBED`, or labels of one class.
    """
    dataset, split = setup.prepared.dataset, setup.prepared.split
    asked = len(split.train) + len(split.test)
    if asked > MOST_DESCRIBED or len(np.unique(dataset.targets[split.train])) < 2:
        return None
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        setup.report("baseline", done, asked, "a texture descriptor")

    images = select((dataset.images, split.train), (dataset.images, split.test))
    features = describe_texture(images, tick)
    return features[: len(split.train)], features[len(split.train) :]


def texture_model(setup: TrainingSetup) -> TextureModel:
    """Return what answers on the descriptor: a discriminant, or regression for very few labels."""
    dataset, split = setup.prepared.dataset, setup.prepared.split
    counts = np.unique(dataset.targets[split.train], return_counts=True)[1]
    return LDA if counts.max() >= FEWEST_TO_DISCRIMINATE else REGRESSION


def ask_texture(
    setup: TrainingSetup, train: NDArray[np.float32], test: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return the classes of the test part by the descriptor alone, int64 M.

    Args:
        train, test: as `describe_parts` gives them.
    """
    dataset, split = setup.prepared.dataset, setup.prepared.split
    fit = fit_discriminant if texture_model(setup) == LDA else fit_regression
    model = fit(train, dataset.targets[split.train])
    found: NDArray[np.int64] = model.classes_[model.predict_proba(test).argmax(1)]
    return found


def ask_frozen(setup: TrainingSetup) -> NDArray[np.int64] | None:
    """Return the test part's classes by logistic regression on the encoder as pretrained, int64 M.

    Returns:
        None where nothing was pretrained.

    Raises:
        DivergedError: an embedding is not finite.
    """
    backbone = setup.frozen_backbone()
    if backbone is None:
        return None
    dataset, split, device = setup.prepared.dataset, setup.prepared.split, setup.compute.device
    known = embed(backbone, dataset.images[split.train], device)
    probe = fit_linear_probe(known, dataset.targets[split.train], len(dataset.labels))
    held_out = embed(backbone, dataset.images[split.test], device)
    return probe.predict(held_out)


def ask_both(
    setup: TrainingSetup, classifier: Classifier, journal: Journal
) -> tuple[SelfTrainingFacts | None, dict[str, NDArray[np.int64]]]:
    """Compare teacher, student and the network before; leave the better of the last two.

    The validation part decides between these, where it is large enough; else the student stays.

    Args:
        classifier: the student, or the fine-tuned network where nobody was taught; its weights
            are those of the better one afterwards.

    Returns:
        What came of it, and the classes that each found for the test part, int64 M, by name;
        None and nothing for a run without self-training.

    Raises:
        DivergedError: an output is not finite.
    """
    teaching = read_teaching(setup.run) if setup.config.self_train else None
    if teaching is None:
        return None, {}
    dataset, test = setup.prepared.dataset, setup.prepared.split.test
    targets = dataset.targets[test]
    monitor, device = setup.monitor, setup.compute.device

    found: dict[str, NDArray[np.int64]] = {}

    def accuracy(name: str) -> float:
        logits = predict(classifier, dataset.images[test], device, monitor.passing)
        found[name] = logits.argmax(1)
        return float((found[name] == targets).mean())

    student = None if teaching.refused else accuracy(STUDENT)
    after = {key: value.clone() for key, value in classifier.state_dict().items()}
    kept = _validation_loss(setup, classifier)
    classifier.load_state_dict(dict(teaching.before))
    before = accuracy(FINE_TUNED)
    shipped = FINE_TUNED if student is None else STUDENT
    if student is not None and setup.prepared.can_choose:
        shipped = STUDENT if kept <= _validation_loss(setup, classifier) else FINE_TUNED
    if shipped == STUDENT:
        classifier.load_state_dict(after)
    teacher = None
    if len(teaching.test):
        found[TEACHER] = teaching.test.argmax(1)
        teacher = float((found[TEACHER] == targets).mean())
    facts = SelfTrainingFacts(
        candidates=tuple(
            CandidateAccuracy(name=candidate.name, accuracy=candidate.accuracy)
            for candidate in teaching.candidates
        ),
        measured_on=teaching.measured_on,
        teacher=teaching.candidates[0].name if teaching.candidates else "",
        refused=teaching.refused,
        unlabelled=len(teaching.labels),
        teacher_accuracy=teacher,
        before=before,
        student=student,
        shipped=shipped,
    )
    return facts, found


def _validation_loss(setup: TrainingSetup, classifier: Classifier) -> tuple[float, float]:
    """Return the share of wrong answers on the validation part, and the loss."""
    monitor = setup.monitor
    logits = torch.from_numpy(
        predict(classifier, monitor.validation_images, setup.compute.device, monitor.passing)
    )
    targets = torch.from_numpy(monitor.validation_targets)
    wrong = float((logits.argmax(1) != targets).float().mean())
    return wrong, float(F.cross_entropy(logits, targets))
