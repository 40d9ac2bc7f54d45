"""From what stands behind `--camera` to a camera."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from runtime.camera.base import Camera
from runtime.camera.device import DeviceCamera
from runtime.camera.folder import FolderCamera
from runtime.camera.pacing import PacedCamera
from runtime.camera.video import VideoCamera
from runtime.errors import InputError
from runtime.picture import SUFFIXES

DEMO = "demo"
DEMO_RATE = 30.0

ALTERNATIVES = "give --camera a video file, or try '--camera demo'"


def open_camera(
    source: str,
    *,
    rate: float | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda text: None,
) -> Camera:
    """Open a source of frames.

    Args:
        source: the index of a video device, `/dev/videoN`, a stream's URL, a GStreamer pipeline
            (with ` ! ` in it), a video file, a folder of pictures, one picture, or `demo`.
        rate: frames per second at which `demo`, a file or a folder is played; without it `demo`
            runs at `DEMO_RATE` and files go as fast as they are read.
        seed: of the demo line.
        report: is told, in one line, when a live camera is lost and when it is back.

    Raises:
        InputError: nothing there, or nothing that can be read as frames.
    """
    if source == DEMO:
        from runtime.camera.demo import DemoCamera

        return DemoCamera(rate=rate or DEMO_RATE, seed=seed)
    device = _device(source)
    if device is not None or "://" in source or " ! " in source:
        if rate is not None:
            raise InputError(
                f"camera {source} has a rate of its own", mend="leave --rate to files and the demo"
            )
        return DeviceCamera(source if device is None else device, report=report)
    stored = _open_stored(Path(source))
    return stored if rate is None else PacedCamera(stored, rate)


def _device(source: str) -> int | None:
    """The index of a video device; None where `source` is something else."""
    match = re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", source)
    return int(match[1]) if match else None


def _open_stored(path: Path) -> Camera:
    if path.is_dir():
        return FolderCamera(path)
    if not path.exists():
        raise InputError(
            f"camera {str(path)!r}: there is no such file, folder or device", mend=ALTERNATIVES
        )
    if path.suffix.lower() in SUFFIXES:
        return FolderCamera(path)
    return VideoCamera(path)
