"""What mirrored images say of chance: thresholds rise, images and groups lose what it made."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.data.overlaps.chance import above_chance, steps
from edgecl.data.overlaps.joining import join, loosen
from edgecl.data.overlaps.search import Pairs


def pairs(*rows: tuple[int, int, float]) -> Pairs:
    first, second, correlation = zip(*rows, strict=True) if rows else ((), (), ())
    still = np.zeros(len(rows), np.int16)
    return Pairs(
        np.array(first, np.int64),
        np.array(second, np.int64),
        np.array(correlation, np.float32),
        still,
        still,
    )


def ring(members: range, correlation: float) -> list[tuple[int, int, float]]:
    return [(one, one + 1, correlation) for one in members[:-1]]


def test_without_mirrored_matches_all_links_count_at_the_threshold_that_was_asked_for():
    found = above_chance(pairs((0, 1, 0.91), (2, 3, 0.97)), pairs(), 4, 0.9)
    assert (found.threshold, found.expected_false, found.given_links) == (0.9, 0, 2)
    assert found.links.correlation.tolist() == pytest.approx([0.97, 0.91])


def test_an_image_needs_more_than_it_shares_with_mirrored_images():
    links = [(row, row + 1, 0.95) for row in range(0, 200, 2)]
    chance = pairs((0, 41, 0.96), (2, 51, 0.94))
    found = above_chance(pairs(*links), chance, 200, 0.9)
    assert found.threshold == 0.9
    left = set(found.links.first.tolist())
    assert 0 not in left  # 0.96 with a mirrored image
    assert 40 not in left  # 41 likewise
    assert 2 in left


def test_the_threshold_rises_until_chance_makes_hardly_a_link():
    true = [(row, row + 1, 0.97) for row in range(0, 60, 2)]
    weak = [(row, row + 1, 0.92) for row in range(100, 160, 2)]
    chance = pairs(*((row, row + 5, 0.925) for row in range(200, 280, 10)))
    found = above_chance(pairs(*true, *weak), chance, 300, 0.9)
    assert found.threshold == 0.93
    assert len(found.links) == 30
    assert found.expected_false == 0
    assert (found.given_links, found.given_expected_false) == (60, 8)


def test_where_chance_makes_as_much_no_threshold_separates():
    rng = np.random.default_rng(0)
    both = [
        pairs(*((2 * row, 2 * row + 1, float(value)) for row, value in enumerate(values)))
        for values in rng.uniform(0.9, 1.0, (2, 400))
    ]
    found = above_chance(both[0], both[1], 800, 0.9)
    assert found.threshold is None
    assert not len(found.links)
    assert found.given_links > 0
    assert found.given_expected_false > 0.05 * found.given_links


def test_the_steps_rise_from_what_was_asked_for_to_the_last():
    assert steps(0.9)[:2] == [0.9, 0.91]
    assert steps(0.9)[-2:] == [0.995, 0.999]
    assert steps(0.997) == [0.997, 0.999]
    assert steps(1.0) == [1.0]


def test_groups_are_numbered_by_their_first_image():
    assert join(np.array([3, 1]), np.array([4, 2]), 6).tolist() == [0, 1, 1, 2, 2, 3]


def test_a_chain_that_chance_made_falls_apart_into_what_holds():
    """Two true groups, chained through twenty images that match mirrored ones as often."""
    true = ring(range(5), 0.98) + ring(range(5, 10), 0.98)
    chain = [*ring(range(10, 30), 0.92), (4, 10, 0.92), (5, 29, 0.92)]
    apart = ring(range(40, 50), 0.91)
    mirrored = pairs(*((row, row + 2, 0.925) for row in range(10, 28)))
    real = pairs(*true, *chain, *apart)
    kept = loosen(real, real, mirrored, 50, steps(0.9))
    assert (kept.loosened, kept.images, kept.largest) == (1, 30, 30)
    sizes = np.bincount(join(kept.links.first, kept.links.second, 50))
    assert sorted(sizes[sizes > 1].tolist()) == [5, 5, 10]


def test_groups_that_no_mirrored_image_resembles_stay_whole_however_long():
    real = pairs(*ring(range(300), 0.905))
    kept = loosen(real, real, pairs((301, 302, 0.99)), 310, steps(0.9))
    assert (len(kept.links), kept.loosened) == (299, 0)
