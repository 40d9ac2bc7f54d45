"""How many bits of a camera's 16-bit frames carry the image: what was given, kept or found."""

from __future__ import annotations

from collections.abc import Callable

from runtime.camera.base import Camera
from runtime.contract import InputContract
from runtime.errors import InputError
from runtime.survey import depth_note, survey_depth


def settle_depth(
    camera: Camera, contract: InputContract, given: int | None, report: Callable[[str], None]
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
        InputError: `given` is not the depth that the model was trained on.
    """
    if given is not None and contract.bits is not None and given != contract.bits:
        raise InputError(
            f"--bits {given} differs from the {contract.bits} bits that the model was trained on",
            mend="leave --bits out, or train again with this camera's images",
        )
    if given is not None:
        return given
    found = survey_depth(camera.images) if camera.images else None
    if contract.bits is None:
        if found is not None and found < 16:
            report(depth_note(found, f"images of {camera.name}"))
        return found
    if found is not None and found < contract.bits:
        report(
            f"the first images of {camera.name} use {found} of the {contract.bits} bits that the "
            f"model was trained on: they are dark, or from another camera"
        )
    return contract.bits
