"""A bundle whose tiny model knows its training images: at the middle brightness of each class."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.bundle import MANIFEST, manifest_digest
from runtime.novelty import NOVELTY
from runtime.novelty.reference import CENTRE, DISTANCES, MEANS, OVERALL, WITHIN

LIMIT = 0.1
"""Of brightness, from the middle of a class: 1/6, 1/2 and 5/6 of white."""


def space_of_brightness(classes: int = 3, size: int = 128) -> dict[str, NDArray[np.float32]]:
    """Arrays of a space in which an embedding's mean is its only coordinate."""
    middles = (np.arange(classes) + 0.5) / classes
    return {
        CENTRE: np.zeros(size, np.float32),
        WITHIN: np.full((size, 1), 1 / size, np.float32),
        OVERALL: np.zeros((size, 1), np.float32),
        MEANS: middles[:, None].astype(np.float32),
    }


def distances(form: str, images: int = 199) -> dict[str, NDArray[np.float32]]:
    """Distances of validation images, nearly all of them below the limit."""
    return {f"{DISTANCES}{form}": np.linspace(0, LIMIT, images, dtype=np.float32)}


def packed(**arrays: Any) -> bytes:
    """Return arrays as the file of a bundle."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def add_novelty(
    folder: Path,
    *,
    data: bytes | None = None,
    limits: Mapping[str, float] = MappingProxyType({"fp32": LIMIT}),
) -> Path:
    """Let a bundle know its training images.

    Args:
        data: of the file, in place of the right one.
        limits: by form.
    """
    if data is None:
        arrays = space_of_brightness()
        for form in limits:
            arrays |= distances(form)
        data = packed(**arrays)
    (folder / NOVELTY).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][NOVELTY] = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
    manifest["novelty"] = {
        "asked_rate": 0.01,
        "rate": 0.01,
        "train_images": 3,
        "images": 199,
        "forms": {
            form: {
                "limit": limit,
                "test_images": 100,
                "test_unknown": 2,
                "test_share": 0.02,
                "test_interval": [0.0055, 0.07],
                "test_wrong": 4,
                "test_wrong_unknown": 1,
            }
            for form, limit in limits.items()
        },
    }
    manifest["digest"] = manifest_digest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder
