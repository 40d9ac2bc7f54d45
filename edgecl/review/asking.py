"""A bundle's answers to image files, as the line would give them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError
from runtime.image.decode import decode_image, read_encoded
from runtime.image.preprocess import Preprocessor
from runtime.image.survey import survey_depth
from runtime.novelty import Novelty
from runtime.session import Session
from runtime.session.tiles import image_answer, infer_tiles


@dataclass(frozen=True)
class FileAnswer:
    """Answer to an image file.

    Args:
        digest: SHA-256 of the file.
        probabilities: float32, C.
        embedding: float32, D.
        distance: from the training images, relative to the limit; None where nothing tells.
    """

    digest: str
    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    distance: float | None = None


class FileAsker:
    """Asks a session about image files. An instance serves one thread.

    Args:
        session: open.
        bits: how many bits of 16-bit images are used, where neither the file nor the record
            tells; None to go by the contract.
        novelty: tells how far images are from those of training.
        form: of the session's model in `novelty`.
    """

    def __init__(
        self,
        session: Session,
        *,
        bits: int | None = None,
        novelty: Novelty | None = None,
        form: str | None = None,
    ) -> None:
        self._session = session
        self._preprocess = Preprocessor(session.contract.input, bits=bits, view=session.view)
        self._novelty = novelty if form is not None else None
        self._form = form or ""

    def ask(self, data: bytes, *, bits: int | None = None) -> FileAnswer:
        """Return the answer to an encoded image.

        Args:
            bits: how many of 16 are used, where its record tells.

        Raises:
            FrameError: it cannot be decoded, or is not what the model takes.
        """
        tiles = self._preprocess.prepare(decode_image(data), bits=bits)
        return self.ask_tiles(tiles, hashlib.sha256(data).hexdigest())

    def ask_tiles(self, tiles: NDArray[np.uint8], digest: str) -> FileAnswer:
        """Return the answer to an image that is prepared already.

        Args:
            tiles: uint8, T×1×h×w, as the model takes them.
            digest: of the file.

        Raises:
            FrameError: the model returned no usable values.
        """
        outputs, _ = infer_tiles(self._session, tiles)
        answer = image_answer(outputs, self._session.contract)
        if not (np.isfinite(answer.probabilities).all() and np.isfinite(answer.embedding).all()):
            raise FrameError("the model returned NaN or infinite values")
        distance = None
        if self._novelty is not None:
            distance = self._novelty.relative_distance(outputs.embedding, self._form)
        return FileAnswer(
            digest,
            answer.probabilities.astype(np.float32, copy=True),
            answer.embedding.astype(np.float32, copy=True),
            distance,
        )


def depth_of_files(paths: Sequence[Path], session: Session) -> int | None:
    """Return how many bits 16-bit images use, where the contract does not say."""
    return session.contract.input.bits or survey_depth(paths).bits


def read_files(
    paths: Sequence[Path], report: Callable[[int], None]
) -> Iterator[tuple[int, bytes | None, str]]:
    """Yield each file's row, its bytes, and why there are none.

    Args:
        report: called with the number of files that are done.
    """
    for row, path in enumerate(paths):
        try:
            yield row, read_encoded(path), ""
        except FrameError as error:
            yield row, None, str(error)
        report(row + 1)
