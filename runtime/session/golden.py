"""Golden images: results of the model at export, checked again here.

The gate held every precision against the trained network, in the engines of the machine that
exported it. Another version of an engine, another processor or GPU computes with other kernels, and
kernels have faults that no version number tells. So a few images travel with the bundle, with
the trained network's answers, and a session that does not repeat them judges nothing.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError, InputError
from runtime.session.tiles import infer_tiles

if TYPE_CHECKING:
    from runtime.artifact.bundle import Bundle
    from runtime.session.base import Session

GOLDEN = "golden.npz"
LARGEST_CHANGE = 0.25
"""Tolerance of a probability. What ships changes none by more than `CLOSE` where it is exported."""
CLOSE = 0.1

IMAGES, PROBABILITIES = "images", "probabilities"


@dataclass(frozen=True)
class GoldenImages:
    """Images, or tiles of images, on which the trained network was sure.

    Args:
        images: uint8, N×1×H×W, of the model's size.
        probabilities: float32, N×C, its answers.
    """

    images: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


def read_golden(bundle: Bundle) -> GoldenImages | None:
    """A bundle's golden images; None for a bundle that has none.

    Raises:
        InputError: they are damaged, or of another model.
    """
    if GOLDEN not in bundle.manifest.files:
        return None
    path = bundle.path / GOLDEN
    try:
        with np.load(path, allow_pickle=False) as file:
            golden = GoldenImages(file[IMAGES], file[PROBABILITIES])
        count = len(golden.images)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _unfit(bundle, f"cannot be read ({error})") from error
    expected = {
        "images": ((count, 1, *bundle.contract.input.shape), np.uint8),
        "probabilities": ((count, len(bundle.contract.labels)), np.float32),
    }
    for name, (shape, dtype) in expected.items():
        array = getattr(golden, name)
        if not count or array.shape != shape or array.dtype != dtype:
            raise _unfit(
                bundle,
                f"contains {name} {array.dtype} {array.shape}, which do not belong to this model",
            )
    return golden


def changes(session: Session, golden: GoldenImages) -> NDArray[np.float64]:
    """The largest change of a probability of each golden image, float64 N; infinite for NaN.

    They are run as the line runs images: one by one, and tiles in batches too, for which an engine
    may have other kernels.

    Raises:
        FrameError: the session did not answer.
    """
    rounds = [np.concatenate([session.infer(image[None]).probabilities for image in golden.images])]
    if session.contract.input.tiling is not None:
        rounds.append(infer_tiles(session, golden.images)[0].probabilities)
    found = np.abs(np.stack(rounds).astype(np.float64) - golden.probabilities).max(axis=(0, 2))
    return np.where(np.isfinite(found), found, np.inf)


def require_same_answers(session: Session, golden: GoldenImages | None) -> None:
    """Check a session on the golden images.

    Raises:
        InputError: it answers otherwise than the network that was exported, or not at all.
    """
    if golden is None:
        return
    where = f"{session.precision} in {session.engine} {session.version} on {session.device}"
    hint = "use another --precision or --engine, or update the engine"
    try:
        found = changes(session, golden)
    except FrameError as error:
        raise InputError(f"{where} fails on the golden images: {error}", hint=hint) from error
    wrong = found > LARGEST_CHANGE
    if wrong.any():
        raise InputError(
            f"{where} gives different results from the exported model: {wrong.sum()} of "
            f"{len(wrong)} golden images differ, by up to {found.max():.2f} in a "
            "probability",
            hint=hint,
        )


def answering(session: Session, golden: GoldenImages | None) -> Session:
    """Return the session, or raise and close it if its results differ.

    Raises:
        InputError: see `require_same_answers`.
    """
    try:
        require_same_answers(session, golden)
    except BaseException:
        session.close()
        raise
    return session


def _unfit(bundle: Bundle, why: str) -> InputError:
    return InputError(f"{bundle.path / GOLDEN} {why}", hint="export the model again")
