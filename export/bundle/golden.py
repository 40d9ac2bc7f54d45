"""Golden images of a bundle, as its file: see `runtime.session.golden`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtime.session.golden import IMAGES, PROBABILITIES, GoldenImages


def write_golden(path: Path, golden: GoldenImages) -> None:
    """Write `golden.npz`."""
    arrays = {IMAGES: golden.images, PROBABILITIES: golden.probabilities}
    with open(path, "wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
