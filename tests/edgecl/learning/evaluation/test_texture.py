"""The texture descriptor: what it is by definition, and what it is blind to."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.learning.evaluation.texture import RINGS, SIZE, describe_texture


def textured(seed: int, size: tuple[int, int] = (48, 60)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=size)
    return np.clip(128 + 40 * (noise + np.roll(noise, 1, axis=1)), 0, 255).astype(np.uint8)


def slowly(image: np.ndarray, neighbours: int, radius: int) -> np.ndarray:
    """The histogram of one ring, pixel by pixel as the paper words it."""
    gray = image.astype(np.float64)
    height, width = gray.shape
    rows = []
    for y in range(radius, height - radius):
        for x in range(radius, width - radius):
            seen = []
            for number in range(neighbours):
                angle = 2 * np.pi * number / neighbours
                down = round(y - radius * np.sin(angle), 9)
                across = round(x + radius * np.cos(angle), 9)
                top, left = int(np.floor(down)), int(np.floor(across))
                dy, dx = down - top, across - left
                value = 0.0
                for i, j, share in (
                    (0, 0, (1 - dy) * (1 - dx)),
                    (0, 1, (1 - dy) * dx),
                    (1, 0, dy * (1 - dx)),
                    (1, 1, dy * dx),
                ):
                    if share > 0:
                        value += share * gray[top + i, left + j]
                seen.append(value - gray[y, x])
            rows.append((seen, gray[y, x] >= gray.mean()))
    threshold = np.mean([np.abs(seen).mean() for seen, _ in rows])

    def code(bits: list[bool]) -> int:
        changes = sum(one != other for one, other in zip(bits, bits[1:] + bits[:1], strict=True))
        return sum(bits) if changes <= 2 else neighbours + 1

    counts = np.zeros((neighbours + 2, neighbours + 2, 2))
    for seen, bright in rows:
        sign = code([value >= -1e-4 for value in seen])
        size = code([abs(value) >= threshold for value in seen])
        counts[sign, size, int(bright)] += 1
    return counts.ravel() / len(rows)


def test_it_is_the_papers_histogram():
    image = textured(0, (24, 28))
    found = describe_texture([image])[0].astype(float) ** 2
    start = 0
    for neighbours, radius in RINGS:
        size = 2 * (neighbours + 2) ** 2
        # Ties of a neighbour with its centre fall either way within rounding.
        difference = np.abs(found[start : start + size] - slowly(image, neighbours, radius)).sum()
        assert difference < 0.02
        start += size
    assert start == SIZE


def test_it_does_not_see_quarter_turns_nor_exposure():
    image = textured(1)
    plain, turned, darker = describe_texture([image, np.rot90(image), image // 2 * 2 // 2])
    other = describe_texture([textured(2).T // 3 + np.arange(48, dtype=np.uint8)])[0]
    assert np.linalg.norm(plain - turned) < 0.05
    assert np.linalg.norm(plain - darker) < np.linalg.norm(plain - other)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (9, 9), (400, 30)])
def test_any_size_is_described(size):
    image = np.random.default_rng(3).integers(0, 256, size, np.uint8)
    found = describe_texture([image])
    assert found.shape == (1, SIZE)
    assert (found**2).sum() == pytest.approx(len(RINGS), rel=1e-5)


def test_no_images_have_no_descriptors():
    assert describe_texture([]).shape == (0, SIZE)
