"""Bit depth of a camera's 16-bit frames: given, stored, or detected."""

from __future__ import annotations

from runtime.artifact.contract import InputContract
from runtime.camera.base import Camera
from runtime.errors import InputError
from runtime.image.depth import DEPTHS
from runtime.image.survey import depth_note, shallow_note, survey_depth
from runtime.progress import Say

ENOUGH = 8
"""Number of images whose empty upper bits are no accident."""


def settle_depth(
    camera: Camera, contract: InputContract, given: int | None, report: Say
) -> int | None:
    """Decide how a stream's 16-bit frames are scaled, if there are any.

    What a file or a pixel format says of itself goes before this, frame by frame.

    Args:
        camera: a folder's depth is found on its images.
        contract: what the model was trained on goes before what is found.
        given: by the user.
        report: is told, in one line, what was found.

    Returns:
        Bits; None where nothing tells, and the values of each frame have to.

    Raises:
        InputError: the depth given or found is not the one that the model was trained on.
    """
    if given is not None and contract.bits is not None and given != contract.bits:
        raise InputError(
            f"--bits {given} differs from the {contract.bits} bits that the model was trained with",
            hint="omit --bits, or train again with this camera's images",
        )
    if given is not None:
        return given
    found = survey_depth(camera.images)
    if found.shallow and found.bits is not None:
        what = f"images of {camera.name}"
        report(shallow_note(found.shallow, found.images, found.bits, what))
    if found.bits is None or found.bits == contract.bits:
        return contract.bits
    if contract.bits is None:
        if found.bits < DEPTHS[-1]:
            report(depth_note(found.bits, f"images of {camera.name}"))
        return found.bits
    problem = (
        f"{found.images} 16-bit images sampled from {camera.name} use {found.bits} bits, "
        f"but the model was trained with {contract.bits}"
    )
    # A few images may be dark; many that leave whole bits empty are another camera's.
    if found.bits > contract.bits or found.images >= ENOUGH:
        raise InputError(
            problem,
            hint="train again with this camera's images; if the images are just dark, pass "
            f"--bits {contract.bits}",
        )
    report(problem)
    return contract.bits
