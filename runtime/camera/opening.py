"""From what stands behind `--camera` to a camera."""

from __future__ import annotations

from pathlib import Path

from runtime.camera.address import CameraSource, Kind, sort_source
from runtime.camera.base import Camera
from runtime.camera.device import DeviceCamera
from runtime.camera.folder import FolderCamera
from runtime.camera.network.fetched import open_fetched
from runtime.camera.pacing import PacedCamera
from runtime.camera.video import VideoCamera
from runtime.errors import InputError
from runtime.image.decode import SUFFIXES
from runtime.image.formats.kinds import READ, SNIFFED, image_kind
from runtime.progress import Say
from runtime.secrets import redact

DEMO_FPS = 30.0


def open_camera(
    source: str,
    *,
    fps: float | None = None,
    seed: int = 0,
    report: Say = lambda text: None,
) -> Camera:
    """Open a source of frames.

    Args:
        source: see `sort_source`: a device, an address, a GStreamer pipeline, a video file, a
            folder of images, one image, or `demo`.
        fps: frames per second at which `demo`, a file or a folder is played; without it `demo`
            runs at `DEMO_FPS` and files go as fast as they are read.
        seed: of the demo line.
        report: is told, in one line, when a live camera is lost and when it is back.

    Raises:
        InputError: nothing there, or nothing that can be read as frames.
    """
    found = sort_source(source)
    if found.kind is Kind.DEMO:
        from runtime.camera.demo import DemoCamera

        demo = DemoCamera(fps=fps or DEMO_FPS, seed=seed)
        if Path(source).exists():
            demo.notes = [f"{source!r} is the built-in line; write ./{source} for what is there"]
        return demo
    web = found.kind is Kind.ADDRESS and source.lower().startswith("http")
    if fps is not None and not web and found.kind is not Kind.STORED:
        raise _own_frame_rate(redact(source))
    camera = _open(found, report, web=web)
    if fps is None:
        return camera
    if camera.live:
        camera.close()
        raise _own_frame_rate(redact(source))
    return PacedCamera(camera, fps)


def _open(found: CameraSource, report: Say, *, web: bool) -> Camera:
    if found.kind is Kind.STORED:
        return _open_stored(found.path)
    fetched, may_end = open_fetched(found.text, _open_stored) if web else (None, False)
    if fetched is not None:
        return fetched
    source = found.text if found.index is None else found.index
    return DeviceCamera(source, report=report, may_end=may_end)


def _own_frame_rate(source: str) -> InputError:
    return InputError(
        f"camera {source} has a frame rate of its own", hint="leave --fps to files and the demo"
    )


def _open_stored(path: Path, name: str = "") -> Camera:
    if path.is_dir():
        return FolderCamera(path)
    try:
        with open(path, "rb") as file:
            head = file.read(SNIFFED)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", hint="check the file and its permissions"
        ) from error
    if path.suffix.lower() in SUFFIXES:
        return FolderCamera(path)
    # A bare stream of JPEGs begins as one JPEG does.
    image = image_kind(head) in READ and path.suffix.lower() not in (".mjpeg", ".mjpg")
    return FolderCamera(path) if image else VideoCamera(path, name=name)
