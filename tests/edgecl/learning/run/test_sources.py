"""A source that remembers reads a folder once; every size made of that is as if it were read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.data.dataset import ImageSet
from edgecl.data.reading import read_labelled
from edgecl.learning.config import TrainConfig
from edgecl.learning.run import sources
from edgecl.learning.run.sources import ImageSource, RememberingSource
from runtime.errors import InputError

OWN = TrainConfig(geometry="tiles", image_size=(32, 32))


def silent(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write gray, coloured and 12-bit images of two sizes, and a broken one."""
    root = tmp_path_factory.mktemp("sizes")
    rng = np.random.default_rng(1)
    for label in ("clean", "scratched"):
        (root / label).mkdir()
        for number, size in enumerate([(70, 90), (70, 90), (41, 53)]):
            gray = rng.integers(0, 256, size, np.uint8)
            cv2.imwrite(str(root / label / f"gray_{number}.png"), gray)
        cv2.imwrite(str(root / label / "deep.png"), rng.integers(0, 4096, (70, 90), np.uint16))
        colour = rng.integers(0, 256, (70, 90, 3), np.uint8)
        cv2.imwrite(str(root / label / "colour.png"), colour)
    (root / "clean" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


def facts(images: ImageSet) -> list[object]:
    return [
        images.files,
        images.hashes,
        images.labels,
        images.targets.tolist(),
        images.groups,
        images.skipped,
        images.sizes,
        images.notes,
        images.bits,
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"geometry": "stretch", "image_size": (48, 64)},
        {"geometry": "stretch", "image_size": (16, 24), "interpolation": "linear"},
        {"scale": 0.4},
        {"stride": (16, 16)},
        {"roi": "3,2,40,35"},
    ],
)
def test_what_is_made_of_a_read_is_what_reading_gives(folder, monkeypatch, change):
    read = []

    def counted(*arguments: Any, **named: Any) -> ImageSet:
        read.append(arguments)
        return read_labelled(*arguments, **named)

    monkeypatch.setattr(sources, "read_labelled", counted)
    own = replace(OWN, data=str(folder))
    wanted = replace(own, **change)
    source = RememberingSource()
    first = source.labelled(own, silent)
    made = source.labelled(wanted, silent)
    again = source.labelled(own, silent)
    # Only another view of the camera's images has to be read.
    assert len(read) == (3 if "roi" in change else 1)
    expected = ImageSource().labelled(wanted, silent)
    assert facts(made) == facts(expected)
    assert wanted.tiling == getattr(made.images, "tiling", None)
    for one, other in zip(made.images, expected.images, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(again.images, first.images, strict=True):
        np.testing.assert_array_equal(one, other)


def test_odd_sizes_are_refused_without_a_second_read(folder):
    (folder / "clean" / "broken.png").unlink(missing_ok=True)
    own = replace(OWN, data=str(folder), strict=True)
    source = RememberingSource()
    source.labelled(own, silent)
    with pytest.raises(InputError, match=r"2 image\(s\) of 41x53 among images of 70x90"):
        source.labelled(replace(own, geometry="stretch"), silent)
