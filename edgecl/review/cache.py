"""Answers that a bundle has given to image files before, in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from edgecl.review.asking import FileAnswer
from runtime.errors import EdgeclError
from runtime.files.atomic import replacing
from runtime.files.user_cache import user_cache

DIGESTS, PROBABILITIES, EMBEDDINGS = "digests", "probabilities", "embeddings"


class AnswerCache:
    """Answers by the SHA-256 of the file, of one model in one engine.

    One that is damaged, or cannot be written, costs time alone.

    Args:
        model: tells one model from all others: digest, precision and engine.
        labels: of the model.
        folder: of all caches; None for the user's.
    """

    def __init__(self, model: str, labels: int, folder: Path | None = None) -> None:
        folder = folder or user_cache("review")
        name = hashlib.sha256(model.encode()).hexdigest()[:32]
        self._path = None if folder is None else folder / f"{name}.npz"
        self._labels = labels
        self._answers = self._read()
        self._known = len(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, digest: str) -> FileAnswer | None:
        """Return the answer to a file; None where it was not asked for before."""
        return self._answers.get(digest)

    def add(self, answer: FileAnswer) -> None:
        """Keep an answer for the next time."""
        self._answers[answer.digest] = answer

    def write(self) -> None:
        """Write what is new; a cache that cannot be written is left as it was."""
        if self._path is None or len(self._answers) == self._known:
            return
        answers = list(self._answers.values())
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {
            DIGESTS: np.array([list(bytes.fromhex(answer.digest)) for answer in answers], "u1"),
            PROBABILITIES: np.stack([answer.probabilities for answer in answers]),
            EMBEDDINGS: np.stack([answer.embedding for answer in answers]),
        }
        np.savez(buffer, **arrays)
        with contextlib.suppress(EdgeclError, OSError), replacing(self._path) as temporary:
            temporary.write_bytes(buffer.getvalue())
        self._known = len(answers)

    def _read(self) -> dict[str, FileAnswer]:
        if self._path is None or not self._path.is_file():
            return {}
        try:
            with np.load(self._path, allow_pickle=False) as file:
                digests, probabilities, embeddings = (
                    file[name] for name in (DIGESTS, PROBABILITIES, EMBEDDINGS)
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}
        count = len(digests)
        fits = (
            digests.shape == (count, 32)
            and digests.dtype == np.uint8
            and probabilities.shape == (count, self._labels)
            and embeddings.ndim == 2
            and len(embeddings) == count
            and probabilities.dtype == embeddings.dtype == np.float32
        )
        if not fits:
            return {}
        names = [bytes(row).hex() for row in digests]
        return {
            name: FileAnswer(name, probabilities[row], embeddings[row])
            for row, name in enumerate(names)
        }
