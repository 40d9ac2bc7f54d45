"""Answer of a frame from its tiles: the only place where they are run and combined.

A frame that is stretched is a batch of one, whose answer is the frame's.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import ModelContract
from runtime.artifact.tiling import WORST
from runtime.errors import FrameError
from runtime.image.tiles import combine, sharpened, worst_tile
from runtime.session.base import Outputs, Session, batch_sizes


class ImageAnswer(NamedTuple):
    """A model's answer for one image.

    Args:
        probabilities: float32, C.
        embedding: float32, D: the mean of the tiles', or the worst tile's where that one speaks
            for the image.
        worst: number of the tile that speaks most against the part; None for a stretched image.
        worst_probabilities: float32, C, of that tile; the image's own for a stretched one.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    worst: int | None
    worst_probabilities: NDArray[np.float32]


def infer_tiles(session: Session, tiles: NDArray[np.uint8]) -> tuple[Outputs, dict[str, int]]:
    """Run any number of tiles, in batches that the session takes.

    Args:
        tiles: uint8, T×1×h×w, at least one.

    Returns:
        The outputs of all tiles, and nanoseconds per step as `Session.infer_timed` gives them,
        summed over the batches.
    """
    if len(tiles) == 1 == session.batches[0]:
        return session.infer_timed(tiles)
    parts: list[Outputs] = []
    steps: Counter[str] = Counter()
    done = 0
    while done < len(tiles):
        # Asked each time: a session that falls back on another has other batches from then on.
        smallest, largest = session.batches
        count = batch_sizes(len(tiles) - done, largest)[0]
        batch = tiles[done : done + count]
        if count < smallest:
            batch = np.resize(batch, (smallest, *batch.shape[1:]))  # repeats what is there
        outputs, taken = session.infer_timed(batch)
        parts.append(Outputs(outputs.probabilities[:count], outputs.embedding[:count]))
        steps.update(taken)
        done += count
    if len(parts) == 1:
        return parts[0], dict(steps)
    return (
        Outputs(
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.embedding for part in parts]),
        ),
        dict(steps),
    )


def image_answer(outputs: Outputs, contract: ModelContract) -> ImageAnswer:
    """Combine the answers for an image's tiles as the contract says.

    Args:
        outputs: of all tiles of one image, or of the one stretched image.

    Raises:
        FrameError: the outputs are not one row of probabilities per tile.
    """
    tiling = contract.input.tiling
    probabilities, embeddings = outputs.probabilities, outputs.embedding
    if tiling is None:
        return ImageAnswer(probabilities[0], embeddings[0], None, probabilities[0])
    if probabilities.ndim != 2 or probabilities.shape[1] != len(contract.labels):
        raise FrameError(
            f"the model returned {probabilities.shape} for tiles and {len(contract.labels)} labels"
        )
    worst = worst_tile(probabilities, contract.passing)
    alone = tiling.combine == WORST or len(probabilities) == 1
    return ImageAnswer(
        sharpened(combine(probabilities, tiling.combine, contract.passing), tiling.sharpness),
        embeddings[worst] if alone else embeddings.mean(axis=0, dtype=np.float64).astype("f4"),
        worst,
        probabilities[worst],
    )
