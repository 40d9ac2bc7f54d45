"""Test under drift: what is drawn, what is shifted, and what escapes."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.data.camera_shifts import NAMES, SHIFTS, CameraShift
from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.evaluation import shifts
from edgecl.learning.evaluation.shifts import drawn_rows, escape_share, measure_shifts
from runtime.artifact.tiling import Tiling


def scene(number: int, size: tuple[int, int] = (40, 48)) -> np.ndarray:
    rng = np.random.default_rng(number)
    ramp = np.add.outer(np.arange(size[0]), np.arange(size[1])) * 2.0
    return np.clip(ramp + rng.normal(0, 25, size), 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def few_shifts() -> None:
    """Measure under all."""


@pytest.mark.parametrize("shift", SHIFTS, ids=lambda shift: shift.name)
def test_every_shift_changes_the_image_and_keeps_its_size(shift):
    image = scene(0)
    shifted = shift.apply(image, np.random.default_rng(0))
    assert shifted.shape == image.shape
    assert shifted.dtype == np.uint8
    assert (shifted != image).mean() > 0.1
    np.testing.assert_array_equal(shifted, shift.apply(image, np.random.default_rng(0)))


def test_the_table_has_every_kind_twice_and_no_name_twice():
    kinds = [shift.kind for shift in SHIFTS]
    assert all(kinds.count(kind) == 2 for kind in NAMES)
    assert len({shift.name for shift in SHIFTS}) == len(SHIFTS)


@pytest.mark.parametrize("kind", ["blur", "noise", "JPEG", "rotation"])
def test_the_second_of_a_kind_with_one_direction_changes_more(kind):
    image = scene(1).astype(int)
    weak, strong = (
        np.abs(shift.apply(scene(1), np.random.default_rng(0)) - image).mean()
        for shift in SHIFTS
        if shift.kind == kind
    )
    assert weak < strong


@pytest.mark.parametrize(("kind", "dark", "light"), [("gamma", 1.4, 0.7), ("exposure", 0.7, 1.3)])
def test_light_drifts_in_both_directions(kind, dark, light):
    image, rng = scene(2), np.random.default_rng(0)
    assert CameraShift(kind, dark).apply(image, rng).mean() < image.mean()
    assert CameraShift(kind, light).apply(image, rng).mean() > image.mean()


def test_an_answer_that_follows_the_brightness_fails_under_exposure_alone():
    images = np.stack([np.full((16, 16), 60 if row % 2 else 130, np.uint8) for row in range(20)])
    targets = np.array([1 if row % 2 else 0 for row in range(20)])

    def answer(asked):
        return (np.asarray(asked).mean((1, 2)) < 100).astype(np.int64)

    report = measure_shifts(images, targets, answer(images), answer, passing=(1,), seed=0)
    accuracy = {shift.name: shift.accuracy for shift in report.shifts}
    escapes = {shift.name: shift.escapes for shift in report.shifts}
    assert (report.images, report.of, report.accuracy, report.escapes) == (20, 20, 1.0, 0.0)
    # 130 × 0.7 is dark and passes; 255·(130/255)^1.4 likewise.
    assert accuracy["exposure ×0.7"] == accuracy["gamma 1.4"] == 0.5
    assert escapes["exposure ×0.7"] == escapes["gamma 1.4"] == 1.0
    assert all(
        value == 1.0 for name, value in accuracy.items() if not name.startswith(("exp", "gam"))
    )
    assert report.worst.accuracy == 0.5
    assert report.shifted == "images at the model's size"


def test_images_to_be_cut_are_shifted_whole_and_asked_for_some_at_a_time(monkeypatch):
    monkeypatch.setattr(shifts, "_AT_ONCE", 9)
    sizes = [(40, 48), (64, 48), (40, 96)]
    images = TiledImages(
        [scene(row, sizes[row % 3]) for row in range(12)], Tiling((32, 32), (32, 32))
    )
    turned = CameraShift("rotation", 15)
    seen: list[np.ndarray] = []
    batches: list[int] = []

    def answer(asked):
        assert isinstance(asked, TiledImages)
        assert asked.tiling == images.tiling
        seen.extend(asked)
        batches.append(int(asked.counts().sum()))
        return np.zeros(len(asked), np.int64)

    zeros = np.zeros(12, np.int64)
    report = measure_shifts(images, zeros, zeros, answer, passing=(), seed=3)
    assert report.shifted == "images at the tiles' scale"
    assert report.escapes is None
    assert max(batches) <= 9
    last = seen[-12:]
    for image, shifted in zip(images, last, strict=True):
        np.testing.assert_array_equal(shifted, turned.apply(image, np.random.default_rng(0)))


def test_two_equal_images_get_noise_of_their_own():
    images = np.stack([scene(0)] * 2)
    seen: list[np.ndarray] = []

    def answer(asked):
        seen.append(asked)
        return np.zeros(2, np.int64)

    zeros = np.zeros(2, np.int64)
    measure_shifts(images, zeros, zeros, answer, passing=(), seed=0)
    noisy = seen[[shift.kind for shift in SHIFTS].index("noise")]
    assert (noisy[0] != noisy[1]).any()


def test_the_cost_is_bounded_by_images_and_by_tiles():
    few = drawn_rows(np.ones(1000, np.int64), 0)
    assert len(few) == len(set(few.tolist())) == shifts.MOST_IMAGES
    assert (np.diff(few) > 0).all()
    np.testing.assert_array_equal(few, drawn_rows(np.ones(1000, np.int64), 0))
    assert (few != drawn_rows(np.ones(1000, np.int64), 1)).any()
    large = np.full(1000, 51)
    assert len(drawn_rows(large, 0)) == shifts.MOST_TILES // 51
    assert len(drawn_rows(np.array([10**6]), 0)) == 1
    assert drawn_rows(np.ones(5, np.int64), 0).tolist() == [0, 1, 2, 3, 4]


def test_escapes_are_defects_called_a_pass_label():
    targets = np.array([0, 0, 1, 1, 1, 2])
    answers = np.array([0, 1, 0, 1, 2, 0])
    assert escape_share(targets, answers, (0,)) == pytest.approx(2 / 4)
    assert escape_share(targets, answers, (0, 2)) == pytest.approx(2 / 3)
    assert escape_share(targets, answers, ()) is None
    assert escape_share(targets[:2], answers[:2], (0,)) is None
