"""`edgecl camera --record-flat`: a dark and a bright frame, one after the other."""

from __future__ import annotations

import errno
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecl import __version__
from runtime.errors import InputError

if TYPE_CHECKING:
    from runtime.camera import Camera, Frame
    from runtime.image.flat.field import Per
    from runtime.image.flat.recording import FrameForm, FrameMean
    from runtime.progress import Say

SETTLE_S = 0.3
"""Seconds after the key until a live camera's frames count: older ones wait in drivers."""

MOST_FAULTY = 100
"""Faulty frames in a row after which nothing more is to be expected."""

DARK = "1/2 dark: cover the lens"
BRIGHT = "2/2 bright: uncover the lens and show it a uniform target"


def require_place(path: Path) -> None:
    """Refuse, before anybody covers a lens, a file that cannot be written.

    Raises:
        InputError: a folder is there, or nothing can be written beside it.
        EquipmentError: the disk is full, or failed.
    """
    from runtime.files.atomic import explained

    if path.suffix.lower() != ".npz":
        raise InputError(f"--record-flat {path} does not end with .npz", hint="name it FILE.npz")
    with explained(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder is there")
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()


def record_flat(
    camera: Camera, path: Path, *, per: Per, frames: int, bits: int | None, say: Say
) -> dict[str, Any]:
    """Record a flat-field, and write it.

    A live camera waits for the Enter key before each of the two. A file or folder has its dark
    frames first, and as many bright ones behind them.

    Args:
        camera: is read, and stays open.
        per: `column` or `pixel`.
        frames: of each of the two.
        bits: how many bits of uint16 are used, of frames that do not say.
        say: is told what to do.

    Returns:
        What was recorded, for `--json`.

    Raises:
        InputError: the frames are not fit for it, too few, or of different forms; or the file
            cannot be written.
    """
    from runtime.files.document import plain
    from runtime.image.flat.file import read_flat, write_flat
    from runtime.image.flat.recording import flat_of, remarks_on

    dark = _mean("dark", camera, DARK, frames, bits, say)
    bright = _mean("bright", camera, BRIGHT, frames, bits, say)
    recorded = datetime.now(timezone.utc).isoformat(timespec="seconds")
    flat = flat_of(
        dark, bright, per=per, camera=camera.name, recorded=recorded, version=__version__
    )
    write_flat(path, flat)
    white = bright.form.white
    return {
        "file": str(path),
        "sha256": read_flat(path).digest,
        **plain(flat.record),
        "dark": float(flat.dark.mean()) / white,
        "bright": float(flat.bright.mean()) / white,
        "gain": [float(flat.gain.min()), float(flat.gain.max())],
        "dead": flat.dead.tolist(),
        "notes": remarks_on(flat, bright),
    }


def flat_lines(found: dict[str, Any]) -> Iterator[str]:
    """Describe a recorded flat-field, line by line."""
    low, high = found["gain"]
    yield (
        f"flat-field of {found['camera']}: {found['width']} wide and {found['height']} high, "
        f"{found['dtype']} with {found['bits']} bits, per {found['per']}"
    )
    yield (
        f"dark {found['dark']:.1%} and bright {found['bright']:.1%} of white, gains {low:.2f} to "
        f"{high:.2f}"
    )
    mean = found["noise"] / found["frames"] ** 0.5
    yield (
        f"noise {found['noise']:.2f} levels of one frame, {mean:.2f} of the mean of "
        f"{found['frames']}"
    )
    yield from (f"note: {note}" for note in found["notes"])
    yield f"{found['file']}"


def _mean(
    what: str, camera: Camera, task: str, frames: int, bits: int | None, say: Say
) -> FrameMean:
    from runtime.image.flat.recording import FrameMean
    from runtime.image.gray import without_colour

    since_ns = 0
    if not camera.stored:
        say(f"{task}, then press Enter")
        if not sys.stdin or not sys.stdin.readline():
            raise InputError(
                f"standard input ended before the {what} frames",
                hint="run it on a terminal, or send an empty line for each of the two",
            )
        since_ns = time.monotonic_ns() + int(SETTLE_S * 1e9)
    say(f"taking {frames} {what} frames")
    mean: FrameMean | None = None
    for frame in _whole_frames(camera, what, since_ns):
        assert frame.pixels is not None
        gray = without_colour(frame.pixels)
        form = _form(frame, gray.shape, bits)
        mean = mean or FrameMean(what, form)
        mean.add(gray, form)
        if mean.count == frames:
            return mean
    raise InputError(
        f"{camera.name} ended after {0 if mean is None else mean.count} of {frames} {what} frames",
        hint="record twice as many frames as --flat-frames says, the dark ones first, or use a "
        "smaller --flat-frames",
    )


def _whole_frames(camera: Camera, what: str, since_ns: int) -> Iterator[Frame]:
    """Yield frames with pixels that came after a moment."""
    faulty = 0
    while (frame := camera.read()) is not None:
        if frame.pixels is None:
            faulty += 1
            if faulty == MOST_FAULTY:
                raise InputError(
                    f"{faulty} {what} frames in a row are faulty ({frame.fault})",
                    hint="check the camera with 'edgecl camera' first",
                )
            continue
        faulty = 0
        if frame.start_ns >= since_ns:
            yield frame


def _form(frame: Frame, size: tuple[int, ...], given: int | None) -> FrameForm:
    from runtime.image.flat.recording import FrameForm

    assert frame.pixels is not None
    bits = 8 if frame.pixels.dtype.itemsize == 1 else frame.bits or given
    if bits is None:
        raise InputError(
            "nothing tells how many bits of these 16-bit frames are used",
            hint="pass the camera's bit depth with --bits",
        )
    if given is not None and bits not in (8, given):
        raise InputError(
            f"--bits {given} differs from the {bits} bits that the camera says", hint="omit --bits"
        )
    return FrameForm((size[0], size[1]), str(frame.pixels.dtype), bits)
