"""View of frames that a line's choices give a model, in place of the bundle's."""

from __future__ import annotations

from dataclasses import replace

from edgecl.cli.options import NONE
from edgecl.cli.run.choices import RunChoices
from runtime.artifact.roi import parse_roi
from runtime.image.view import View
from runtime.progress import Say


def chosen_view(own: View, choices: RunChoices, remark: Say) -> View:
    """Return what of each frame the model is to see.

    Args:
        own: as the bundle says.
        choices: of the line, which go before it.
        remark: is told, in one line, what differs from training.
    """
    if choices.roi is None:
        return own
    roi = None if choices.roi == NONE else parse_roi(choices.roi)
    if roi != own.roi:
        remark(f"frames are {_cut(roi)}; in training, images were {_cut(own.roi)}")
    return replace(own, roi=roi)


def _cut(roi: object) -> str:
    return "taken whole" if roi is None else f"cut to the ROI {roi}"
