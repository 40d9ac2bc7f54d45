"""Self-training: a teacher labels the unlabelled images, and the network learns from its labels.

Chen et al., "Big Self-Supervised Models are Strong Semi-Supervised Learners", NeurIPS 2020
(SimCLRv2): pretrain, fine-tune, distil on the unlabelled. Here the teacher need not be a network:
whatever answers best for labelled images that it did not see may teach.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from edgecl.data.pixels.selection import ImageRows, select
from edgecl.learning.evaluation.texture import describe_texture
from edgecl.learning.loop.answers import embed, predict
from edgecl.learning.loop.checkpoint import save
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.stages.cross_validation import network_accuracy
from edgecl.learning.loop.stages.finetuning import fit_classifier
from edgecl.learning.loop.stages.stage import explained
from edgecl.learning.loop.state import DISTILL, Journal, RunState
from edgecl.learning.run.teaching import Teaching, read_teaching, save_teaching
from edgecl.learning.teachers.choice import (
    MODELS,
    NETWORK,
    WEAKEST,
    TeacherCandidate,
    compare_candidates,
    grouped_folds,
)
from edgecl.learning.teachers.classical import answers, self_trained

GOOD_ENOUGH = 0.95
"""Out-of-fold accuracy from which on networks are not trained for the comparison."""

TEXTURE = "the texture descriptor"
FROZEN = "the frozen encoder"
BOTH = "the texture descriptor and the frozen encoder"


def distill(setup: TrainingSetup, state: RunState) -> None:
    """Let the best teacher label the unlabelled images, and train the classifier on all.

    Nobody is taught where the teacher is weak: its mistakes would be learnt as well.

    Raises:
        InputError: a value is not finite.
    """
    journal = state.journal
    teaching = read_teaching(setup.run)
    if teaching is None or journal.stage != DISTILL:
        teaching = _taught(setup, state)
        setup.compute.ranks.by_first(lambda: save_teaching(setup.run, teaching))
        journal.stage, journal.epoch, state.optimizer, state.average = DISTILL, 0, None, None
        journal.best_loss, journal.best_epoch = float("inf"), 0
        save(setup, state)
    if teaching.refused:
        return
    known, rows = setup.prepared.split.train, unlabelled_rows(setup)
    dataset, extra = setup.prepared.dataset, setup.prepared.extra
    images = select((dataset.images, known), (dataset.images, rows), (extra, np.arange(len(extra))))
    certain = np.eye(len(dataset.labels), dtype=np.float32)[dataset.targets[known]]
    targets = np.concatenate((certain, teaching.labels))
    epochs = setup.config.student_epochs
    fit_classifier(setup, state, DISTILL, "self-training", images, targets, epochs)


def unlabelled_rows(setup: TrainingSetup) -> NDArray[np.int64]:
    """Return the rows of the labelled set whose labels the run does not know, int64 M."""
    rows = np.setdiff1d(setup.prepared.pretraining, setup.prepared.split.train)
    return rows.astype(np.int64)


def _taught(setup: TrainingSetup, state: RunState) -> Teaching:
    """Choose the teacher and let it answer."""
    prepared, config = setup.prepared, setup.config
    classifier = state.networks.classifier
    if state.journal.best is not None:
        classifier.load_state_dict(state.journal.best)
    before = {key: value.detach().cpu().clone() for key, value in classifier.state_dict().items()}
    dataset, extra = prepared.dataset, prepared.extra
    known, rows, test = prepared.split.train, unlabelled_rows(setup), prepared.split.test
    asked = select(
        (dataset.images, known),
        (dataset.images, rows),
        (extra, np.arange(len(extra))),
        (dataset.images, test),
    )
    features = _features(setup, state, asked)
    first, last = len(known), len(asked) - len(test)
    targets = dataset.targets[known]
    classes = len(dataset.labels)
    setup.report("teacher", 0, 1, "comparing teachers out of fold")
    candidates = compare_candidates(
        {name: found[:first] for name, found in features.items()},
        targets,
        [dataset.groups[row] for row in known.tolist()],
        {name: found[first:last] for name, found in features.items()},
        classes=classes,
        seed=config.seed,
    )
    candidates = _with_network(setup, candidates, targets, known)
    measured_on = f"{first} labelled images, out of fold by groups"
    refused = _refusal(candidates, last - first)
    nothing = np.empty((0, classes), np.float32)
    if not candidates:
        return Teaching((), measured_on, refused, nothing, nothing, before)
    teacher = candidates[0]
    setup.report("teacher", 1, 1, f"{teacher.name}: {teacher.accuracy:.1%} right out of fold")
    if teacher.model == NETWORK:
        device, passing = setup.compute.device, setup.monitor.passing
        logits = predict(classifier, asked[np.arange(first, len(asked))], device, passing)
        said = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    else:
        fit, found = MODELS[teacher.model], features[teacher.features]
        more = found[first:last] if teacher.self_trained else found[:0]
        said = answers(self_trained(fit, found[:first], targets, more), found[first:], classes)
    labels = nothing if refused else said[: last - first]
    return Teaching(tuple(candidates), measured_on, refused, labels, said[last - first :], before)


def _with_network(
    setup: TrainingSetup,
    candidates: list[TeacherCandidate],
    targets: NDArray[np.int64],
    known: NDArray[np.int64],
) -> list[TeacherCandidate]:
    """Add the fine-tuned network, where the others leave room for a better teacher."""
    if not candidates or candidates[0].accuracy >= GOOD_ENOUGH or setup.config.freeze:
        return candidates
    groups = [setup.prepared.dataset.groups[row] for row in known.tolist()]
    folds = grouped_folds(targets, groups, setup.config.seed)
    with explained(setup, Journal(stage=DISTILL), 0):
        accuracy = network_accuracy(setup, folds, stage="teacher", what="the fine-tuned network")
    network = TeacherCandidate("", NETWORK, False, accuracy)
    return sorted([*candidates, network], key=lambda candidate: -candidate.accuracy)


def _refusal(candidates: list[TeacherCandidate], unlabelled: int) -> str:
    if not unlabelled:
        return "there are no unlabelled images"
    if not candidates:
        return "no class has two labelled images, so no teacher can be measured"
    best = candidates[0]
    if best.accuracy < WEAKEST:
        return (
            f"the best teacher ({best.name}) is right for {best.accuracy:.1%} of images that it "
            f"did not see, below {WEAKEST:.0%}: its mistakes would be learnt"
        )
    return ""


def _features(
    setup: TrainingSetup, state: RunState, images: ImageRows
) -> dict[str, NDArray[np.float32]]:
    """Return all kinds of features of all images, by name, in the order of preference."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        setup.report("teacher", done, len(images), "describing texture")

    texture = describe_texture(images, tick)
    frozen = setup.frozen_backbone()
    if frozen is None:
        return {TEXTURE: texture}
    embedding = embed(frozen, images, setup.compute.device)
    # On one scale: a descriptor has length √3, embeddings have any.
    spread = np.sqrt((embedding - embedding.mean(axis=0)).var(axis=0).sum())
    share = np.sqrt((texture - texture.mean(axis=0)).var(axis=0).sum())
    both = np.concatenate((texture, embedding * (share / (spread + 1e-12))), axis=1)
    return {BOTH: both, TEXTURE: texture, FROZEN: embedding}
