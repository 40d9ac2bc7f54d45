"""Teachers: measured on images whose group they did not see, and self-trained class by class."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from edgecl.learning.teachers.choice import (
    MODELS,
    compare_candidates,
    grouped_folds,
    out_of_fold,
)
from edgecl.learning.teachers.classical import answers, fit_discriminant, self_trained


def clusters(
    per_class: int, classes: int = 3, spread: float = 1.0, seed: int = 0, size: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    centres = np.random.default_rng(99).normal(size=(classes, size)) * 2
    targets = np.repeat(np.arange(classes), per_class)
    noise = np.random.default_rng(seed).normal(size=(len(targets), size)) * spread
    return (centres[targets] + noise).astype(np.float32), targets.astype(np.int64)


def test_no_group_is_asked_about_by_a_model_that_saw_it():
    features, targets = clusters(12)
    groups = [f"strip {row // 2}" for row in range(len(targets))]
    folds = grouped_folds(targets, groups, seed=0)
    asked = np.concatenate([held_out for _, held_out in folds])
    assert sorted(asked.tolist()) == list(range(len(targets)))
    for known, held_out in folds:
        assert not {groups[row] for row in known} & {groups[row] for row in held_out}
    assert out_of_fold(MODELS["linear discriminant"], features, targets, folds, 3).shape == (36, 3)


def test_a_class_within_one_group_is_divided_by_images():
    _, targets = clusters(6)
    groups = ["only" if target == 0 else f"{row}" for row, target in enumerate(targets)]
    folds = grouped_folds(targets, groups, seed=0)
    assert all(0 in targets[known] and 0 in targets[held_out] for known, held_out in folds)


def test_a_class_of_one_image_stops_nobody_and_is_not_answered():
    features, targets = clusters(6)
    features, targets = features[: 6 + 6 + 1], targets[: 6 + 6 + 1]
    groups = [str(row) for row in range(len(targets))]
    folds = grouped_folds(targets, groups, seed=0)
    found = out_of_fold(fit_discriminant, features, targets, folds, 3)
    assert found[-1].argmax() != 2
    assert grouped_folds(np.array([0, 1, 2]), ["a", "b", "c"], seed=0) == []


def test_labels_that_leak_through_groups_do_not_make_a_good_teacher():
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(2), 20).astype(np.int64)
    rng.shuffle(targets)
    strips = np.repeat(np.arange(10), 4)
    targets = targets.reshape(10, 4)[:, :1].repeat(4, 1).ravel()  # a label per strip, by chance
    look = rng.normal(size=(10, 8))[strips] + 0.01 * rng.normal(size=(40, 8))
    found = compare_candidates(
        {"look": look.astype(np.float32)},
        targets,
        [str(strip) for strip in strips],
        {"look": np.empty((0, 8), np.float32)},
        classes=2,
        seed=0,
    )
    assert found[0].accuracy < 0.9, "each strip is only known to those that saw it"


def test_self_training_moves_to_where_the_unlabelled_are():
    features, targets = clusters(3, spread=1.6)
    unlabelled, _ = clusters(200, spread=1.6, seed=1)
    held_out, truth = clusters(300, spread=1.6, seed=2)

    def right(more: np.ndarray) -> float:
        model = self_trained(fit_discriminant, features, targets, more)
        return float((answers(model, held_out, 3).argmax(1) == truth).mean())

    assert right(unlabelled) > right(unlabelled[:0]) + 0.02


def test_a_class_that_the_model_does_not_know_has_no_probability():
    features, targets = clusters(5)
    model = fit_discriminant(features[:10], targets[:10])
    found = answers(model, features, 3)
    assert found.shape == (15, 3)
    assert (found[:, 2] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("per_class", "classes", "size"), [(10, 6, 200), (4, 2, 90), (60, 3, 12)])
def test_the_discriminant_is_that_of_scikit_learn(per_class, classes, size):
    features, targets = clusters(per_class, classes, size=size)
    features[:, -1] = 0  # a bin that no image fills
    asked, _ = clusters(20, classes, seed=1, size=size)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, targets)
    ours = fit_discriminant(features, targets)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    np.testing.assert_allclose(
        ours.predict_proba(asked), theirs.predict_proba(asked), rtol=1e-7, atol=1e-9
    )


def test_a_discriminant_of_single_images_is_finite():
    features, targets = clusters(2, 4, size=50)
    model = fit_discriminant(features[1:4], targets[1:4])
    assert np.isfinite(model.predict_proba(features)).all()


@pytest.mark.parametrize("useful", ["first", "second"])
def test_the_features_that_tell_classes_apart_win(useful):
    good, targets = clusters(10)
    noise = np.random.default_rng(3).normal(size=good.shape).astype(np.float32)
    features = {"first": noise, "second": noise} | {useful: good}
    nothing = {name: value[:0] for name, value in features.items()}
    found = compare_candidates(
        features, targets, [str(row) for row in range(30)], nothing, classes=3, seed=0
    )
    assert found[0].features == useful
    assert found[0].accuracy > 0.9
    assert len(found) == 4
