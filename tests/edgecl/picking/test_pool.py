"""Images to pick from: where they lie, what they are called, and which are copies."""

import cv2
import numpy as np
import pytest

from edgecl.data.pixels.tiled import TiledImages
from edgecl.picking.pool import Copies, read_pool
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from tests.edgecl.conftest import draw, fill


def silent(*_):
    pass


def read(*folders, scale=1.0):
    return read_pool(folders, scale=scale, bits=None, stage="reading", report=silent)


def test_paths_lead_to_the_files_also_below_folders_that_are_no_class(tmp_path):
    fill(tmp_path / "one" / "images", ("bars", "blob"), 2)
    fill(tmp_path / "two", ("posts",), 2)
    pool = read(tmp_path / "one", tmp_path / "two")
    assert all(path.is_file() for path in pool.paths)
    assert list(pool.names) == ["bars", "bars", "blob", "blob", "posts", "posts"]
    assert len(pool) == 6


def test_images_are_read_at_a_scale(tmp_path):
    pool = read(fill(tmp_path / "set", ("bars",), 1), scale=0.5)
    assert next(iter(pool.images)).shape == (20, 20)


def test_a_folder_that_is_named_twice_is_refused(tmp_path):
    folder = fill(tmp_path / "set", ("bars",), 1)
    with pytest.raises(InputError, match="given twice"):
        read(folder, folder / ".." / "set")


def test_copies_of_labelled_and_of_earlier_images_are_not_free():
    rng = np.random.default_rng(0)
    first, second, third = (draw(kind, rng) for kind in ("bars", "blob", "posts"))
    encoded = cv2.imencode(".jpg", first, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    coded = np.asarray(cv2.imdecode(encoded, 0), np.uint8)
    flat = np.full((40, 40), 7, np.uint8)
    images = TiledImages(
        [first, flat, second, coded, third, second, flat, third + 0], Tiling((1, 1))
    )
    copies = Copies(images, labelled=2)
    assert copies.free.tolist() == [False, False, True, False, True, False, False, False]
    rows = np.array([3, 4], np.int64)
    assert copies.among(rows, np.array([0], np.int64)).tolist() == [True, False]
    assert copies.among(rows, np.zeros(0, np.int64)).tolist() == [False, False]


def test_copies_are_found_beyond_one_block(monkeypatch):
    monkeypatch.setattr("edgecl.picking.pool._ROWS", 2)
    rng = np.random.default_rng(0)
    known = [draw("bars", rng) for _ in range(5)]
    slightly = [np.clip(image.astype(np.int64) + 3, 0, 255).astype(np.uint8) for image in known]
    images = TiledImages([*known, *slightly, draw("blob", rng)], Tiling((1, 1)))
    assert np.flatnonzero(Copies(images, labelled=5).free).tolist() == [10]
