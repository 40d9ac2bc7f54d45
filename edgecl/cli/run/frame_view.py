"""View of frames that a line's choices give a model, in place of the bundle's."""

from __future__ import annotations

from pathlib import Path

from edgecl.cli.options import NONE
from edgecl.cli.run.cameras import CameraChoice
from runtime.artifact.roi import Roi, parse_roi
from runtime.errors import InputError
from runtime.image.flat.field import FlatField
from runtime.image.flat.file import read_flat
from runtime.image.view import FrameView
from runtime.progress import Say
from runtime.session import Session


def set_view(session: Session, choices: CameraChoice, remark: Say) -> int | None:
    """Let a session see of each frame what the line's choices say, or else the bundle.

    Args:
        remark: is told, in one line each, what differs from training.

    Returns:
        How many of 16 bits the frames use, as far as the choices or the flat-field tell.

    Raises:
        InputError: the flat-field cannot be read, or is of another depth than the choices or the
            model say; or the model needs one that is not there.
    """
    return see_as(session, choices.roi, choices.flat, choices.bits, remark)


def see_as(
    session: Session, region: str | None, field: Path | None, bits: int | None, remark: Say
) -> int | None:
    """Let a session see what these choices say, or else the bundle; see `set_view`.

    Args:
        region: `--roi`; None for the bundle's.
        field: `--flat`; None for the bundle's.
        bits: `--bits`.
    """
    contract = session.contract.input
    roi, flat = contract.roi, None
    if region is not None:
        roi = None if region == NONE else parse_roi(region)
        if roi != contract.roi:
            remark(f"frames are {_cut(roi)}; in training, images were {_cut(contract.roi)}")
    if field is None:
        flat = session.view.flat
    elif str(field) != NONE:
        flat = read_flat(field)
    if (None if flat is None else flat.digest) != contract.flat:
        before = "with another one" if contract.flat else "with none"
        remark(f"frames are {_corrected(flat)}; in training, images were corrected {before}")
    session.view = FrameView(roi, flat)
    return _bits(session.view, bits, contract.bits)


def _cut(roi: Roi | None) -> str:
    return "taken whole" if roi is None else f"cut to the ROI {roi}"


def _corrected(flat: FlatField | None) -> str:
    if flat is None:
        return "not corrected with a flat-field"
    return f"corrected with the {flat.describe()}"


def _bits(view: FrameView, given: int | None, trained: int | None) -> int | None:
    own = view.deep_bits
    if own is None:
        return given
    for bits, of in ((given, "--bits"), (trained, "the model")):
        if bits not in (None, own):
            raise InputError(
                f"the flat-field is of {own} bits, but {of} of {bits}",
                hint="record it with the camera's depth, or pass another --flat",
            )
    return own
