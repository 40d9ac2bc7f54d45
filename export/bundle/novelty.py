"""Knowledge of a bundle about its training images, as its file: see `runtime.novelty`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from export.outcome import ShippedNovelty
from runtime.novelty.reference import CENTRE, DISTANCES, MEANS, OVERALL, WITHIN


def write_novelty(path: Path, novelty: ShippedNovelty) -> None:
    """Write `novelty.npz`."""
    space = novelty.space
    arrays = {
        CENTRE: space.centre,
        WITHIN: space.within,
        MEANS: space.means,
        OVERALL: space.overall,
        **{f"{DISTANCES}{name}": found for name, found in novelty.distances.items()},
    }
    with open(path, "wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
