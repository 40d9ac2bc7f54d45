"""Stored sources: a video file, an image, or a folder of images."""

from __future__ import annotations

from pathlib import Path

from runtime.camera.base import Camera, CameraRequest
from runtime.camera.stored.folder import FolderCamera
from runtime.camera.stored.video import VideoCamera
from runtime.errors import InputError
from runtime.image.decode import SUFFIXES
from runtime.image.formats.kinds import READ, SNIFFED, image_kind


def open_stored(request: CameraRequest) -> Camera:
    """Open a file or a folder."""
    return open_path(request.source.path)


def open_path(path: Path, name: str = "") -> Camera:
    """Open a file or a folder, by what it holds.

    Args:
        name: what messages call it; its path without it.

    Raises:
        InputError: it cannot be read as frames.
    """
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
