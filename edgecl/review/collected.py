"""Images that a line has kept, with its answer to each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec

from runtime.counting import counted
from runtime.errors import InputError
from runtime.files.document import Part
from runtime.image.folder.notes import shown
from runtime.image.folder.walk import walk_images
from runtime.stream.heat_maps import FOLDER as HEAT_MAPS
from runtime.stream.heat_maps import INDEX as HEAT_MAP_INDEX
from runtime.stream.heat_maps import HeatMapLine


class KeptVerdict(Part, frozen=True, kw_only=True):
    """Part of a verdict that a reviewer is shown; see `runtime.stream.verdict.VerdictLine`."""

    status: str = ""
    label: str | None = None
    confidence: float | None = None
    reason: str = ""
    captured_at: str = ""
    frame: int = -1
    camera: str = ""


class KeptRecord(Part, frozen=True, kw_only=True):
    """Part of the JSON beside a kept image that is read, of whatever version.

    Args:
        id: of the verdict, RUN/FRAME.
        event: id of the verdict that the image was kept for; empty where it is the event itself.
        policy: what kept it.
        bits: how many of 16 are used; None where nothing tells.
        probabilities: by label; empty where there is no answer.
    """

    id: str = ""
    event: str = ""
    policy: str = ""
    bits: int | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    verdict: KeptVerdict = KeptVerdict()


@dataclass(frozen=True)
class CollectedImage:
    """A kept image.

    Args:
        file: relative to the folder, with `/`.
        record: what the line said; None where nothing tells.
        under_heat_map: whether colours lie over it: such an image is no original.
    """

    file: str
    path: Path
    record: KeptRecord | None = None
    under_heat_map: bool = False

    @property
    def run(self) -> str:
        """Return the stream and camera that it is from; the folder where no record tells."""
        if self.record is not None and "/" in self.record.id:
            return self.record.id.rpartition("/")[0]
        return PurePosixPath(self.file).parent.as_posix()


@dataclass(frozen=True)
class CollectedFolder:
    """Kept images of a folder, in natural order, and notes on what was passed over."""

    path: Path
    images: tuple[CollectedImage, ...]
    notes: tuple[str, ...]


def find_collected(folder: Path) -> CollectedFolder:
    """Find the images of a folder: one of `edgecl run --sink images:`, of a stream, or any other.

    Raises:
        InputError: it cannot be read, or there are none.
    """
    walk = walk_images(folder)
    indices = [
        PurePosixPath(item.name) for item in walk.left_out if item.name.name == HEAT_MAP_INDEX
    ]
    overlays: dict[PurePosixPath, HeatMapLine] = {}
    for index in indices:
        overlays.update(_overlays(folder / index, index.parent))
    if folder.name == HEAT_MAPS and (beside := folder.absolute().parent / HEAT_MAP_INDEX).is_file():
        for name, line in _overlays(beside, PurePosixPath()).items():
            overlays[PurePosixPath(name.name)] = line
    images = [_collected(folder, name, overlays) for name in walk.images]
    if not images:
        raise InputError(
            f"{folder} has no images to review",
            hint="pass a folder of 'edgecl run --sink images:FOLDER', or any other with images",
        )
    failed = [item for item in walk.left_out if item.failed]
    notes = []
    if failed:
        first = failed[0]
        notes.append(
            f"{counted(len(failed), 'entry', 'entries')} of {folder} cannot be read (first: "
            f"{shown(first.name)}: {first.reason})"
        )
    covered = sum(image.under_heat_map for image in images)
    if covered:
        notes.append(
            f"{counted(covered, 'image')} under heat maps can be looked at, but are no originals: "
            "they are neither exported nor tuned on"
        )
    return CollectedFolder(folder, tuple(images), tuple(notes))


def _collected(
    folder: Path, name: PurePosixPath, overlays: Mapping[PurePosixPath, HeatMapLine]
) -> CollectedImage:
    path = folder / name
    line = overlays.get(name)
    if line is not None:
        verdict = KeptVerdict(
            status="reject",
            label=line.label,
            confidence=line.confidence,
            captured_at=line.captured_at,
            frame=line.frame,
        )
        record = KeptRecord(policy="heat map", verdict=verdict)
        return CollectedImage(name.as_posix(), path, record, under_heat_map=True)
    return CollectedImage(name.as_posix(), path, _record(path.with_suffix(".json")))


def _record(path: Path) -> KeptRecord | None:
    """Return what stands beside an image; None where there is nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeptRecord)
    except (OSError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _overlays(index: Path, parent: PurePosixPath) -> dict[PurePosixPath, HeatMapLine]:
    """Return the lines of an index by image; a stream may be writing the last one right now."""
    found = {}
    for line in _lines(index):
        try:
            entry = msgspec.json.decode(line, type=HeatMapLine)
        except (msgspec.DecodeError, RecursionError):
            continue
        found[parent / entry.file] = entry
    return found


def _lines(path: Path) -> Iterator[bytes]:
    try:
        yield from path.read_bytes().splitlines()
    except OSError:
        return
