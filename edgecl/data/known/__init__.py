"""Overlap groups of public sets that ship with edgecl, and the recognition of such a set.

neu.csv is what `edgecl audit` wrote for the NEU surface defect database when it compared all pairs;
results refer to these groups. It holds names, groups and 64-bit fingerprints, no images.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.dataset import ImageSet

# Strangers differ in about 32 of the 64 bits, another encoding of an image in a few.
SAME_BITS = 12
# NEU-CLS, as first released, names its images Cr_1.bmp where NEU-DET says crazing_1.jpg.
_SHORT = {
    "cr": "crazing",
    "in": "inclusion",
    "pa": "patches",
    "ps": "pitted_surface",
    "rs": "rolled-in_scale",
    "sc": "scratches",
}
_NAME = re.compile(r"^(.*?)[_-](\d+)$")


def neu_groups(dataset: ImageSet) -> list[str] | None:
    """The overlap groups of NEU's images, or None where these are others.

    Every file name must be one of NEU's, and the images must look like those of the names: the
    median distance of the fingerprints decides, so that a poor copy or two do not matter.

    Returns:
        N group names.
    """
    stems = [_canonical(Path(file).stem) for file in dataset.files]
    if not stems or _NAME.match(stems[0]) is None:
        return None
    table = _table()
    if any(stem not in table for stem in stems):
        return None
    here = fingerprints(dataset.images)
    expected = np.array([table[stem][1] for stem in stems], np.uint64)
    distance = np.unpackbits((here ^ expected).view(np.uint8).reshape(len(stems), 8), axis=1)
    if np.median(distance.sum(axis=1)) > SAME_BITS:
        return None
    return [table[stem][0] for stem in stems]


def fingerprints(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint64]:
    """Return which of two neighbours is brighter, on an 8×9 thumbnail: 64 bits per image.

    Args:
        images: uint8, N of H×W.

    Returns:
        uint64, N; re-encoding or stretching an image changes few of the bits.
    """
    small = [cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA) for image in images]
    thumbnails = np.stack(small).astype(np.int16) if small else np.empty((0, 8, 9), np.int16)
    bits = (thumbnails[:, :, 1:] > thumbnails[:, :, :-1]).reshape(len(small), 64)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).reshape(-1)


def _canonical(stem: str) -> str:
    match = _NAME.match(stem)
    if match is None:
        return stem
    return f"{_SHORT.get(match[1].lower(), match[1])}_{int(match[2])}"


def _table() -> Mapping[str, tuple[str, int]]:
    """Stem to group and fingerprint."""
    text = files(__name__).joinpath("neu.csv").read_text(encoding="utf-8")
    return {
        Path(row["file"]).stem: (row["group"], int(row["fingerprint"], 16))
        for row in csv.DictReader(text.splitlines())
    }
