"""Cache of observations between exports, keyed by everything they depend on."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.histogram import BINS, Histogram
from calibration.images import set_digest
from calibration.observation import Observation, observe
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.progress import CountProgress

# Part of the key: a change of the grid or of what is observed makes old files strangers.
FORMAT = 1


def observation_key(model: onnx.ModelProto, hashes: Sequence[str]) -> str:
    """SHA-256, in hexadecimal, of all that an observation depends on.

    Args:
        model: the FP32 graph.
        hashes: of the images, each as text. Their order is of no account.
    """
    content = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    images = set_digest(hashes)
    return hashlib.sha256(f"{FORMAT}\n{BINS}\n{content}\n{images}".encode()).hexdigest()


def observe_cached(
    model: onnx.ModelProto,
    images: NDArray[np.uint8],
    hashes: Sequence[str],
    folder: Path | None,
    report: CountProgress | None = None,
) -> Observation:
    """Observe like `observe`, or read the result from `folder` if it was made before.

    A file that is damaged, or of another format, is made anew. The cache is a convenience: where
    it cannot be written, the observation is returned all the same.

    Args:
        model: the FP32 graph.
        images: uint8, N×H×W.
        hashes: one of each image, in any order.
        folder: of the cache; None for none.
        report: called as images are done; once where nothing is to be done.

    Raises:
        InputError: no images, or an activation that is not finite.
    """
    if folder is None:
        return observe(model, images, report)
    path = folder / f"observation-{observation_key(model, hashes)}.npz"
    known = read_observation(path)
    if known is not None and known.images == len(images):
        if report is not None:
            report(len(images), len(images))
        return known
    found = observe(model, images, report)
    with contextlib.suppress(InputError):
        write_observation(path, found)
    return found


def write_observation(path: Path, observation: Observation) -> None:
    """Write `observation` as .npz, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    # Tensors that hold the same values share one histogram, here as in memory.
    kinds = {id(histogram): histogram for histogram in observation.histograms.values()}
    rows = {key: row for row, key in enumerate(kinds)}
    arrays: dict[str, Any] = {
        "names": np.array(list(observation.histograms), np.str_),
        "rows": np.array([rows[id(h)] for h in observation.histograms.values()], np.int64),
        "exponents": np.array([h.exponent for h in kinds.values()], np.int64),
        "counts": np.array([h.counts for h in kinds.values()], np.int64).reshape(-1, 2 * BINS),
        "zeros": np.array([h.zeros for h in kinds.values()], np.int64),
        "bounds": np.array([(h.minimum, h.maximum) for h in kinds.values()]).reshape(-1, 2),
        "images": np.array(observation.images, np.int64),
    }
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **arrays)


def read_observation(path: Path) -> Observation | None:
    """Read an observation back; None where there is none, or none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            histograms = [
                Histogram(int(exponent), counts, int(zeros), float(low), float(high))
                for exponent, counts, zeros, (low, high) in zip(
                    stored["exponents"],
                    stored["counts"],
                    stored["zeros"],
                    stored["bounds"],
                    strict=True,
                )
            ]
            if any(h.counts.shape != (2 * BINS,) or h.counts.dtype != np.int64 for h in histograms):
                return None
            return Observation(
                {
                    str(name): histograms[int(row)]
                    for name, row in zip(stored["names"], stored["rows"], strict=True)
                },
                int(stored["images"]),
            )
    except Exception:  # zip, zlib and numpy raise a dozen kinds for a damaged file
        return None
