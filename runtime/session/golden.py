"""Control pictures: what a bundle's model answered where it was exported, asked again here.

The gate held every precision against the trained network, in the engines of the machine that
exported it. Another version of an engine, another processor or GPU computes with other kernels, and
kernels have faults that no version number tells. So a few pictures travel with the bundle, with
the trained network's answers, and a session that does not repeat them judges nothing.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError, InputError

if TYPE_CHECKING:
    from runtime.artifact.bundle import Bundle
    from runtime.session.base import Session

CONTROL = "control.npz"
LARGEST_CHANGE = 0.25
"""Of a probability. What ships changes none of these by more than `CLOSE` where it is exported."""
CLOSE = 0.1

PICTURES, PROBABILITIES = "pictures", "probabilities"


@dataclass(frozen=True)
class Control:
    """Pictures on which the trained network was sure.

    Args:
        pictures: uint8, N×1×H×W.
        probabilities: float32, N×C, its answers.
    """

    pictures: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


def read_control(bundle: Bundle) -> Control | None:
    """A bundle's control pictures; None for a bundle that has none.

    Raises:
        InputError: they are damaged, or of another model.
    """
    if CONTROL not in bundle.manifest["files"]:
        return None
    path = bundle.path / CONTROL
    try:
        with np.load(path, allow_pickle=False) as file:
            control = Control(file[PICTURES], file[PROBABILITIES])
        count = len(control.pictures)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _unfit(bundle, f"cannot be read ({error})") from error
    expected = {
        "pictures": ((count, 1, *bundle.contract.input.shape), np.uint8),
        "probabilities": ((count, len(bundle.contract.labels)), np.float32),
    }
    for name, (shape, dtype) in expected.items():
        array = getattr(control, name)
        if not count or array.shape != shape or array.dtype != dtype:
            raise _unfit(bundle, f"holds {name} {array.dtype} {array.shape}, not of this model")
    return control


def changes(session: Session, control: Control) -> NDArray[np.float64]:
    """The largest change of a probability of each control picture, float64 N; infinite for NaN.

    Raises:
        FrameError: the session did not answer.
    """
    answers = np.concatenate(
        [session.infer(picture[None]).probabilities for picture in control.pictures]
    )
    found = np.abs(answers.astype(np.float64) - control.probabilities).max(axis=1)
    return np.where(np.isfinite(found), found, np.inf)


def require_same_answers(session: Session, control: Control | None) -> None:
    """Let a session answer the control pictures.

    Raises:
        InputError: it answers otherwise than the network that was exported, or not at all.
    """
    if control is None:
        return
    where = f"{session.precision} in {session.engine} {session.version} on {session.device}"
    mend = "take another --precision or --engine, or update the engine"
    try:
        found = changes(session, control)
    except FrameError as error:
        raise InputError(
            f"{where} does not answer the control pictures: {error}", mend=mend
        ) from error
    wrong = found > LARGEST_CHANGE
    if wrong.any():
        raise InputError(
            f"{where} answers otherwise than the model that was exported: {wrong.sum()} of "
            f"{len(wrong)} control pictures, by up to {found.max():.2f} of a probability",
            mend=mend,
        )


def answering(session: Session, control: Control | None) -> Session:
    """The session, or, where it answers otherwise, an error after it was closed.

    Raises:
        InputError: see `require_same_answers`.
    """
    try:
        require_same_answers(session, control)
    except BaseException:
        session.close()
        raise
    return session


def _unfit(bundle: Bundle, why: str) -> InputError:
    return InputError(f"{bundle.path / CONTROL} {why}", mend="export the model again")
