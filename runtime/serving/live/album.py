"""Images that the serving process has encoded, for all viewers together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from runtime.serving.live.images import EncodedImage, encoded
from runtime.serving.live.state import CameraState, LineState, Seen, Told

LOG = logging.getLogger("edgecl.serving")

RECENT = 48
"""Newest images that are kept of each camera: a viewer fetches one a moment after it was told."""


class Album:
    """Encoded images by camera and frame. One thread adds, others read.

    Attributes:
        line: the latest state, in which each frame says whether its image is here; None before
            the first.
        heat_maps: files of heat maps by camera and frame.
    """

    def __init__(self) -> None:
        self.line: LineState | None = None
        self.heat_maps: Mapping[str, Mapping[int, str]] = {}
        self._images: dict[str, dict[int, EncodedImage]] = {}

    @property
    def held(self) -> dict[str, list[int]]:
        """Return the frames that are here, by camera."""
        return {camera: list(images) for camera, images in self._images.items()}

    def add(self, told: Told, arrays: Sequence[bytearray]) -> None:
        """Take an answer: encode its images, and let go of those that nobody is told of."""
        for sent, data in zip(told.images, arrays, strict=True):
            images = self._images.get(sent.camera, {})
            try:
                pixels = np.frombuffer(data, sent.dtype).reshape(sent.shape)
                image = encoded(pixels, sent.bits)
            except Exception as error:  # an image that cannot be shown must not end the page
                LOG.warning("frame %d has no image: %s", sent.frame, error)
                image = EncodedImage(b"", b"")
            # Another dictionary: readers go over the one before meanwhile.
            self._images[sent.camera] = {**images, sent.frame: image}
        for camera in told.state.cameras:
            self._forget(camera)
        self.heat_maps = told.heat_maps
        self.line = replace(
            told.state, cameras=tuple(self._marked(camera) for camera in told.state.cameras)
        )

    def image(self, camera: int, frame: int) -> EncodedImage | None:
        """Return an image of a camera by its place; None where it is not, or no longer, here."""
        name = self._name(camera)
        found = None if name is None else self._images.get(name, {}).get(frame)
        return found if found is not None and found.image else None

    def heat_map(self, camera: int, frame: int) -> str | None:
        """Return the file of a heat map; None where there is none."""
        name = self._name(camera)
        return None if name is None else self.heat_maps.get(name, {}).get(frame)

    def _name(self, camera: int) -> str | None:
        """Return the name of a camera by its place; None where there is none."""
        cameras = () if self.line is None else self.line.cameras
        return cameras[camera].name if camera < len(cameras) else None

    def _forget(self, camera: CameraState) -> None:
        images = self._images.get(camera.name, {})
        wanted = {seen.frame for seen in camera.rejects} | set(sorted(images)[-RECENT:])
        self._images[camera.name] = {n: image for n, image in images.items() if n in wanted}

    def _marked(self, camera: CameraState) -> CameraState:
        images = self._images.get(camera.name, {})

        def marked(seen: Seen) -> Seen:
            found = images.get(seen.frame)
            return replace(seen, image=found is not None and bool(found.image))

        return replace(
            camera,
            newest=camera.newest and marked(camera.newest),
            noticed=camera.noticed and marked(camera.noticed),
            rejects=tuple(marked(seen) for seen in camera.rejects),
        )
