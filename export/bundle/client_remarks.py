"""Remarks in a Triton configuration on what a client does, since the server prepares no frames."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import MEAN, Tiling
from runtime.image.preprocess import MOST_SHRINK


def client_remarks(contract: ModelContract) -> list[str]:
    """Return lines that tell what a client does with a frame; none where it sends whole images."""
    size = contract.input
    if size.tiling is None and size.roi is None and size.flat is None:
        return []
    takes = "whole images" if size.tiling is None else "tiles, not whole images"
    gray = "turns a frame gray (BT.601)"
    steps = [
        *([] if size.roi is None else [_cut(size.roi)]),
        f"{gray} and reduces it to 8 bits"
        if size.flat is None
        else f"{gray} and corrects it to 8 bits with the bundle's flat.npz, as Corrector of "
        "runtime/image/flat/field.py does",
        *(_to_tiles(size.tiling) if size.tiling else [_to_size(size)]),
    ]
    lines = [f"# {number}. {step}" for number, step in enumerate(steps, start=1)]
    return [
        "#",
        f"# This model takes {takes}. A client",
        *(f"{line}," for line in lines[:-1]),
        f"{lines[-1]}.",
        *([] if size.tiling is None else _combining(contract.pass_labels)),
        "#",
    ]


def _cut(roi: Roi) -> str:
    return (
        f"cuts a frame to {roi.width}x{roi.height} pixels (across x down), from {roi.left} pixels "
        f"from the left and {roi.top} from the top on"
    )


def _to_size(size: InputContract) -> str:
    how = {
        "linear": "linearly",
        "area": "by areas",
        "auto": f"by areas where a side shrinks more than {MOST_SHRINK:g} times, else linearly",
    }[size.interpolation]
    return f"resizes it to {size.height}x{size.width} (down x across), {how}"


def _to_tiles(tiling: Tiling) -> list[str]:
    combined = (
        "the mean of its tiles' probabilities"
        if tiling.combine == MEAN
        else "those of the tile with the least probability of the pass labels, or, if there are "
        "none, the largest probability of any label"
    )
    return [
        f"resizes it by the scale {tiling.scale:g} (by areas below 1, linearly above)",
        "continues it by reflection where it is smaller than a tile",
        f"cuts it, edge to edge and evenly, into tiles of {tiling.tile[0]}x{tiling.tile[1]} "
        f"with steps of at most {tiling.steps[0]}x{tiling.steps[1]} (down x across)",
        "sends them as one batch, or in several of at most max_batch_size",
        f"takes as the frame's probabilities {combined}",
        *(
            [f"raises each to the power of {tiling.sharpness:.6g} and divides all by their sum"]
            if tiling.sharpness != 1
            else ()
        ),
    ]


def _combining(pass_labels: Sequence[str]) -> list[str]:
    passing = ", ".join(map(repr, pass_labels)) or "none"
    return [
        f"# Pass labels: {passing}. In runtime/image/tiles.py the function cut continues and cuts, "
        "combine does the last step."
    ]
