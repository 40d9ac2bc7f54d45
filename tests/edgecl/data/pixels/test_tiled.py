"""Images of any size: kept whole, in memory or on disk, and given out in tiles."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.data.pixels.selection import select
from edgecl.data.pixels.tiled import TiledImages, TiledStore
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from runtime.image.tiles import cut

TILING = Tiling((16, 16))
SIZES = [(16, 16), (20, 50), (7, 33), (64, 16)]


@pytest.fixture
def pixels():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, size, np.uint8) for size in SIZES]


@pytest.mark.parametrize("budget", [10**6, 0, 1300])
def test_a_store_gives_back_what_it_took_wherever_it_kept_it(pixels, budget):
    store = TiledStore(budget=budget)
    for image in pixels:
        store.add(image)
    images = store.images(TILING)
    assert len(images) == len(pixels)
    for found, image in zip(images, pixels, strict=True):
        np.testing.assert_array_equal(found, image)
    assert any(isinstance(image, np.memmap) for image in images) == (budget < 10**6)


def test_a_full_disk_is_named(pixels, monkeypatch):
    class Full:
        def write(self, _: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(InputError, match=r"do not fit .*No space left on device.*--scale"):
        TiledStore(budget=0).add(pixels[0])


def test_rows_are_taken_without_copies(pixels):
    images = TiledImages(pixels, TILING)
    chosen = select((images, np.array([2, 0])), (images, np.array([3])))
    assert isinstance(chosen, TiledImages)
    assert [image.shape for image in chosen] == [SIZES[2], SIZES[0], SIZES[3]]
    assert chosen[0] is pixels[2]
    assert images[1:3][0] is pixels[1]


def test_tiles_come_image_after_image(pixels):
    images = TiledImages(pixels, TILING)
    assert images.counts().tolist() == [1, 8, 3, 4]
    expected = np.concatenate([cut(image, TILING) for image in pixels])
    np.testing.assert_array_equal(images.tiles(), expected)
    parts = list(images.batches(8))
    assert [part.counts().tolist() for part in parts] == [[1], [8], [3, 4]]
    np.testing.assert_array_equal(np.concatenate([part.tiles() for part in parts]), expected)


def test_an_image_with_more_tiles_than_a_batch_is_a_batch(pixels):
    assert [len(part) for part in TiledImages(pixels, TILING).batches(2)] == [1, 1, 1, 1]


def test_no_images_have_no_tiles():
    nothing = TiledImages([], TILING)
    assert nothing.tiles().shape == (0, 16, 16)
    assert not list(nothing.batches(8))
