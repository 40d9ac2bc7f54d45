"""Suspected labels: flipped ones are found, clean ones left alone, and the folder says so."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.data.builtin import builtin_images
from edgecl.learning.evaluation.suspects import (
    MOST_LISTED,
    SUSPECTS,
    SUSPECTS_COLUMNS,
    SUSPECTS_TABLE,
    Suspect,
    calibrated,
    surest_first,
    suspected,
    write_suspects,
)
from edgecl.learning.evaluation.texture import describe_texture
from edgecl.learning.teachers.choice import grouped_folds, out_of_fold
from edgecl.learning.teachers.classical import fit_discriminant

CLASSES = 4


def answers_of(truth: np.ndarray, rng: np.random.Generator, sharp: float = 4.0) -> np.ndarray:
    """Probabilities of a good model whose logits are noisy and too large."""
    logits = rng.normal(0, 1, (len(truth), CLASSES))
    logits[np.arange(len(truth)), truth] += 6
    shares = np.exp(sharp * (logits - logits.max(1, keepdims=True)))
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float32)


def flipped(
    truth: np.ndarray, share: float, classes: int, seed: int
) -> tuple[np.ndarray, set[int]]:
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(truth), round(share * len(truth)), replace=False)
    given = truth.copy()
    given[rows] = (given[rows] + rng.integers(1, classes, len(rows))) % classes
    return given, set(rows.tolist())


def test_flipped_labels_are_suspected_and_others_are_not():
    truth = np.arange(400) % CLASSES
    given, wrong = flipped(truth, 0.05, CLASSES, 0)
    found = suspected(
        answers_of(truth, np.random.default_rng(1)), given, 1000 + np.arange(400), "x"
    )
    rows = {suspect.row - 1000 for suspect in found}
    assert rows <= wrong
    assert len(rows) >= 0.75 * len(wrong)
    for suspect in found:
        assert suspect.suggested == truth[suspect.row - 1000] != suspect.given
        assert suspect.given == given[suspect.row - 1000]
        assert suspect.given_probability <= 0.05 < 0.5 < suspect.suggested_probability
        assert suspect.part == "x"
    assert found == surest_first(found)


def test_an_undecided_model_accuses_nobody():
    rng = np.random.default_rng(0)
    truth = np.arange(400) % CLASSES
    shares = rng.dirichlet(np.ones(CLASSES), 400).astype(np.float32)
    assert suspected(shares, truth, np.arange(400), "train") == []


def test_a_class_without_images_or_with_an_improbable_one_is_not_suggested_for_little():
    shares = np.tile(np.array([[0.9, 0.05, 0.05]], np.float32), (200, 1))
    shares[0] = (0.02, 0.06, 0.92)
    found = suspected(shares, np.zeros(200, np.int64), np.arange(200), "train")
    assert found == []


def test_a_temperature_makes_overconfident_answers_as_sure_as_they_are_right():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, 2000)
    logits = rng.normal(0, 1, (2000, CLASSES))
    logits[np.arange(2000), truth] += 2
    shares = np.exp(8 * (logits - logits.max(1, keepdims=True)))
    shares = (shares / shares.sum(1, keepdims=True)).astype(np.float32)
    right = (shares.argmax(1) == truth).mean()
    assert shares.max(1).mean() - right > 0.1
    found = calibrated(shares, truth)
    assert abs(found.max(1).mean() - right) < 0.03
    np.testing.assert_allclose(found.sum(1), 1)
    np.testing.assert_array_equal(found.argmax(1), shares.argmax(1))


def test_flipped_labels_of_drawn_surfaces():
    images, labels, groups, _ = builtin_images(420, (96, 96), 0)
    names, truth = np.unique(labels, return_inverse=True)
    truth, classes = truth.astype(np.int64), len(names)
    texture = describe_texture(images)

    def found_in(given: np.ndarray) -> set[int]:
        folds = grouped_folds(given, groups, 0)
        answers = out_of_fold(fit_discriminant, texture, given, folds, classes)
        return {suspect.row for suspect in suspected(answers, given, np.arange(420), "train")}

    given, wrong = flipped(truth, 0.05, classes, 0)
    found = found_in(given)
    assert len(found & wrong) >= 0.7 * len(wrong)
    assert len(found & wrong) >= 0.7 * len(found)
    assert len(found_in(truth)) <= 0.03 * len(truth)


@pytest.mark.parametrize("count", [0, 3, MOST_LISTED + 5])
def test_the_folder_has_the_surest_ones_with_their_images(tmp_path: Path, count: int):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 20, 30)).astype(np.uint8)
    files = [f"part/{row}.png" for row in range(60)]
    suspects = surest_first(
        [Suspect(row + 7, "train", 0, 1, 0.001 * (row + 1), 0.9) for row in range(count)]
    )
    for _ in range(2):  # a second time replaces the first
        write_suspects(tmp_path, suspects, images=images, files=files, labels=("good", "torn"))
    folder = tmp_path / SUSPECTS
    with open(folder / SUSPECTS_TABLE, newline="") as stream:
        header, *rows = csv.reader(stream)
    assert tuple(header) == SUSPECTS_COLUMNS
    assert len(rows) == min(count, MOST_LISTED) == len(list(folder.glob("*.png")))
    for rank, row in enumerate(rows, start=1):
        assert row[:5] == [str(rank), f"part/{rank + 6}.png", "train", "good", "torn"]
        assert float(row[5]) == pytest.approx(0.001 * rank)
        image = cv2.imread(str(folder / f"{rank:02d}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image, images[rank + 6])
