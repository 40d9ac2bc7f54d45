"""The JSON beside each image that a stream keeps."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from runtime.files.document import Document, read_document
from runtime.stream.verdict import VerdictLine

_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


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


def read_image_records(folder: Path) -> dict[str, ImageRecord]:
    """Read the records of a folder of `edgecl run --sink images:FOLDER`.

    Args:
        folder: with a folder per day; one without them has no records.

    Returns:
        The records by the image's path in the folder, with `/`.

    Raises:
        InputError: one cannot be read, or is of another form.
    """
    records = {}
    for path in sorted(folder.glob(f"{_DAY}/*.json")):
        record = read_image_record(path)
        records[f"{path.parent.name}/{record.file}"] = record
    return records
