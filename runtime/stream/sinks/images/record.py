"""The JSON beside each image that a stream keeps."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from runtime.files.document import Document, read_document
from runtime.stream.verdict import VerdictLine


class ImageRecord(Document, frozen=True, kw_only=True):
    """Record of a kept image.

    Args:
        id: of the verdict: RUN/FRAME, of several cameras RUN/CAMERA/FRAME, as in an archive.
        file: the image, in the same folder.
        policy: what kept it: a status, `near`, `label`, `sample`; or `before` or `after` an event.
        event: id of the verdict that was the event; empty for the event's own image, and for a
            sample.
        probabilities: by label; empty where there is no answer.
        bits: how many bits of 16-bit samples are used, where the camera says so.
        bundle, digest: of the model.
        lot: as `--lot` named it.
        verdict: what was said about the frame.
    """

    WHAT: ClassVar[str] = "the record of a kept image"
    REMEDY: ClassVar[str] = "pass a file written by 'edgecl run --sink images:FOLDER'"

    schema: Literal[1] = 1
    id: str
    file: str
    policy: str
    event: str
    probabilities: dict[str, float]
    bits: int | None
    bundle: str
    digest: str
    lot: str
    verdict: VerdictLine


def read_image_record(path: Path) -> ImageRecord:
    """Read the record of an image.

    Raises:
        InputError: it cannot be read, or is of another form.
    """
    return read_document(path, ImageRecord)
