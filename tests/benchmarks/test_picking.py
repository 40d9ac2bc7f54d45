"""The benchmark of picked against random labels: its ways, its interval, its table."""

import numpy as np
import pytest

from benchmarks.picking import Part, compare, in_rounds, lead_interval, pick_rows, right
from edgecl.data.dataset import ImageSet
from edgecl.data.pixels.tiled import TiledImages
from runtime.artifact.tiling import Tiling
from tests.edgecl.conftest import draw

KINDS = ("bars", "blob", "posts")


@pytest.fixture(scope="module")
def labelled() -> ImageSet:
    rng = np.random.default_rng(0)
    images = [draw(KINDS[row % 3], rng) for row in range(90)]
    names = [str(row) for row in range(90)]
    targets = np.arange(90, dtype=np.int64) % 3
    return ImageSet(TiledImages(images, Tiling((1, 1))), names, names, KINDS, targets, names)


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    kinds = np.eye(3, 6)[np.arange(90) % 3]
    found: np.ndarray = kinds + np.random.default_rng(1).normal(0, 0.1, (90, 6))
    return found.astype(np.float32)


def part(labelled: ImageSet, features: np.ndarray) -> Part:
    assert isinstance(labelled.images, TiledImages)
    return Part(features, labelled.images, [KINDS[row % 3] for row in range(90)], 0)


def test_rounds_add_to_what_is_labelled_and_repeat_nothing(labelled, features):
    found = in_rounds(part(labelled, features), [3, 9, 40])
    assert [len(set(rows)) for rows in found.values()] == [3, 9, 40]
    assert found[9][:3] == found[3]
    assert found[40][:9] == found[9]


def test_what_is_labelled_is_not_picked_again(labelled, features):
    known = list(range(0, 90, 3))
    assert not set(pick_rows(part(labelled, features), known, 10)) & set(known)


@pytest.mark.parametrize("known", [range(30), [row for row in range(30) if row % 3 != 2]])
def test_a_missing_class_is_never_named_and_the_others_are(labelled, features, known):
    found = right(features, labelled.targets, np.array(known), np.arange(30, 90))
    seen = {row % 3 for row in known}
    assert found.mean() == pytest.approx(len(seen) / 3, abs=0.1)


def test_the_interval_is_that_of_groups():
    leads = np.tile([1.0, 0.0], 200)
    alone = lead_interval(leads, [str(row) for row in range(400)])
    together = lead_interval(leads, [str(row % 2 + 2 * (row // 100)) for row in range(400)])
    assert alone[0] < 0.5 < alone[1]
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])


def test_each_way_is_compared_with_random_labels(labelled, features):
    assert isinstance(labelled.images, TiledImages)
    rows = compare(labelled, labelled.images, features, counts=[6, 12], seeds=1, say=lambda _: None)
    assert [(row.labels, row.way) for row in rows] == [
        (count, way) for count in (6, 12) for way in ("random", "at once", "in rounds")
    ]
    for row in rows:
        assert 0.6 < row.accuracy <= 1
        assert row.low <= row.lead <= row.high
        assert row.lead == 0 or row.way != "random"
