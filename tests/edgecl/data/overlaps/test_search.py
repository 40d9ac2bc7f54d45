"""The search: what it compares stays bounded on plain surfaces, and nothing true is lost."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from edgecl.data.overlaps import votes
from edgecl.data.overlaps.correlation import coarse, correlate_coarsely, high_passed, mirrored
from edgecl.data.overlaps.forest import Matches, match
from edgecl.data.overlaps.patches import MOST, SCALE, SIZE, Patches, describe
from edgecl.data.overlaps.search import find_pairs
from tests.edgecl.data.test_audit import silent, texture


def patches_of(vectors: np.ndarray, images: np.ndarray) -> Patches:
    unit = vectors * (SCALE / np.linalg.norm(vectors, axis=1, keepdims=True))
    places = np.full((len(vectors), 2), 50, np.uint8)
    return Patches(np.rint(unit).astype(np.int8), places, images.astype(np.int32))


def test_patches_of_a_shifted_crop_are_the_same():
    whole = texture(np.random.default_rng(0), 140, 140)
    one, there = describe(high_passed(whole[:100, :100]))
    other, here = describe(high_passed(whole[20:120, 10:110]))
    assert len(one) == len(other) == MOST
    alike = (one.astype(int) @ other.astype(int).T) > 0.95 * SCALE**2
    shifts = there.astype(int)[alike.nonzero()[0]] - here.astype(int)[alike.nonzero()[1]]
    assert (np.abs(shifts - (20, 10)).max(axis=1) <= 1).sum() >= 8


def test_a_forest_finds_nearly_all_that_are_alike_and_no_pair_twice():
    rng = np.random.default_rng(1)
    vectors = rng.normal(0, 1, (3000, SIZE))
    again = vectors + rng.normal(0, 0.1, vectors.shape)
    count = len(vectors)
    # Two images of 3000 patches each, and their mirror images, of nothing alike.
    far = rng.normal(0, 1, (2 * count, SIZE))
    images = np.repeat(np.arange(4), count)
    patches = patches_of(np.concatenate((vectors, again, far)), images)
    found = list(match(patches, 2))
    first, second = (
        np.concatenate([getattr(some, end) for some in found]) for end in ("first", "second")
    )
    true = (second - first == count) & (first < count)
    assert true.sum() > 0.9 * count
    pairs = first * 4 * count + second
    assert len(np.unique(pairs)) == len(pairs)


def test_of_a_surface_where_all_is_alike_a_patch_has_few_partners():
    rng = np.random.default_rng(2)
    count = 1500
    vectors = np.ones((2 * count, SIZE)) + rng.normal(0, 0.01, (2 * count, SIZE))
    patches = patches_of(vectors, np.arange(2 * count))
    assert sum(len(found.first) for found in match(patches, count)) < 4 * 100 * count


def test_counting_in_between_loses_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    places = rng.integers(20, 80, (4000, 2)).astype(np.uint8)
    patches = Patches(
        np.zeros((4000, SIZE), np.int8), places, np.repeat(np.arange(200), 20).astype(np.int32)
    )
    first, second = rng.integers(0, 2000, 6000), rng.integers(0, 4000, 6000)
    apart = patches.images[first] % 100 != patches.images[second] % 100
    first, second = first[apart], second[apart]
    likeness = rng.uniform(0.9, 1, len(first)).astype(np.float32)
    parts = [
        Matches(first[start : start + 100], second[start : start + 100], likeness[start:][:100])
        for start in range(0, len(first), 100)
    ]
    monkeypatch.setattr(votes, "KEPT", 1000)
    monkeypatch.setattr(votes, "_SURVIVE", 1000)
    whole = votes.count(parts, patches, 100, common=0.35)
    monkeypatch.setattr(votes, "_PENDING", 150)
    pieces = votes.count(parts, patches, 100, common=0.35)
    assert len(whole) == len(pieces) > 1000
    for name, values in vars(whole).items():
        np.testing.assert_allclose(values, getattr(pieces, name), rtol=1e-4, atol=1e-4)


def test_memory_grows_with_the_images_and_not_with_what_looks_alike(monkeypatch):
    rng = np.random.default_rng(6)
    places = rng.integers(20, 80, (4000, 2)).astype(np.uint8)
    images = np.repeat(np.arange(200), 20).astype(np.int32)
    patches = Patches(np.zeros((4000, SIZE), np.int8), places, images)
    monkeypatch.setattr(votes, "_PENDING", 20_000)

    def matches(times: int) -> Iterator[Matches]:
        for _ in range(times):
            first, second = rng.integers(0, 1000, 10_000), rng.integers(1000, 4000, 10_000)
            yield Matches(first, second, np.full(10_000, 0.9, np.float32))

    peaks = []
    for times in (20, 80):
        tracemalloc.start()
        found = votes.count(matches(times), patches, 100, common=0.35)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(found) <= 2 * votes.KEPT * 100
    assert peaks[1] < 1.5 * peaks[0]


def test_each_image_keeps_its_best_pairs_and_a_pair_counts_for_either():
    first, second = np.array([0, 0, 0, 1, 0]), np.array([1, 2, 3, 3, 5])
    score = np.array([0.9, 0.8, 0.7, 0.95, 0.1], np.float32)
    # Image 5 is the mirror image of 1 (of 4): it competes with mirrored ones only.
    keep = votes.strongest(first, second, score, 4, 1)
    assert keep.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("other", [3, 4, 5])
def test_coarse_images_correlate_with_mirrored_ones_as_they_would_on_their_pixels(other):
    images = np.stack([texture(np.random.default_rng(seed), 100, 100) for seed in range(6)])
    images[0] = mirrored(images[other], other)
    small = coarse(6, lambda row: high_passed(images[row]))
    rows, still = np.arange(6), np.zeros(6, np.float32)
    found = correlate_coarsely(small, np.zeros_like(rows), rows + 6, still, still)
    assert found[other] > 0.95
    assert np.delete(found, other).max() < 0.7


def test_mirrored_pairs_are_found_like_others():
    rng = np.random.default_rng(5)
    images = np.stack([texture(rng, 100, 100) for _ in range(6)])
    images[4] = mirrored(images[1], 1)  # image 1 upside down is image 4 as it is
    real, chance = find_pairs(images, np.arange(6), silent)
    assert not len(real)
    assert [1, 4] in [sorted(pair) for pair in zip(chance.first, chance.second, strict=True)]
