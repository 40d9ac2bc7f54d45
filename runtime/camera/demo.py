"""A line camera over an endless strip of drawn steel, for trying things without hardware."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera.base import Camera, CameraRequest, Frame
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.surfaces.noise import Shape
from runtime.surfaces.strip import (
    Strip,
    Zone,
    draw_strip,
    plan_zones,
    scale_of,
    shuffled_defects,
)

COILS = (3, 8)
"""Number of coils, each with a surface of its own, before they repeat: the most
that are drawn in about a second."""

COIL_WINDOWS = 9.5
"""Length of a coil, in frame widths: room for two or three defects."""

_DRAWN_AHEAD = 20_000_000
_NOISE_SIGMA = 2.0
_NOISE_SPARE = 61
# The sensor's noise is drawn once, this much larger than a frame, and laid over every frame at
# another place: no two frames are alike even where the strip stands or has come round.


FPS = 30.0


class DemoCamera(Camera):
    """A camera that sees drawn steel run by, and knows what it sees.

    The strip is a loop, drawn when the camera opens, so that a read only cuts and adds noise.
    Each frame shows as much surface as an image of the built-in data set does, whatever its
    size: a model trained on those can judge it.

    Args:
        shape: (height, width) of a frame in pixels.
        advance: pixels that the strip moves from frame to frame.
        fps: frames per second; with None a frame is there whenever it is asked for, none is
            lost, and the camera is not `live`.
        frames: after how many frames the stream ends; None for never.
        seed: of the strip and the noise.

    Raises:
        InputError: a size that cannot be drawn, or an advance, frame rate or number of frames that
            is not positive.
    """

    def __init__(
        self,
        shape: Shape = (256, 256),
        *,
        advance: int = 8,
        fps: float | None = 30.0,
        frames: int | None = None,
        seed: int = 0,
    ) -> None:
        for what, value in (
            ("advance", advance),
            ("frame rate", fps),
            ("number of frames", frames),
        ):
            if value is not None and not value > 0:
                raise InputError(
                    f"the demo camera's {what} is {value}", hint="use a number above 0"
                )
        self.name = f"demo line, {shape[0]}x{shape[1]} pixels" + (
            f", {fps:g} frames/s" if fps else ""
        )
        self.live = fps is not None
        rng = np.random.default_rng(seed)
        self._strip = draw_loop(shape, rng)
        self._loop = self._strip.length - shape[1]
        self._brighter, self._darker = _sensor_noise(shape, rng)
        self._places = rng.integers(0, _NOISE_SPARE, (4099, 2))
        self._width = shape[1]
        self._advance = advance
        self._fps = self.fps = fps
        self._frames = math.inf if frames is None else frames
        self._number = 0
        self._tick = 0
        self._first_ns: int | None = None
        self._closed = threading.Event()

    def read(self) -> Frame | None:
        """The next frame: uint8, `shape`, with its `truth`.

        With a rate, this waits for the next tick of the line's clock. A reader that comes late
        gets the strip as it lies under the lens now: what went by unseen is lost.
        """
        if self._number >= self._frames or not self._wait():
            return None
        start_ns = time.monotonic_ns()
        at = self._tick * self._advance % self._loop
        pixels = self._sense(self._strip.window(at, self._width))
        frame = Frame(
            self._number,
            pixels,
            start_ns,
            time.monotonic_ns(),
            truth=self._strip.label(at, self._width),
        )
        self._number += 1
        self._tick += 1
        return frame

    def close(self) -> None:
        """End the stream. A read that waits for its tick returns None at once."""
        self._closed.set()

    def _wait(self) -> bool:
        """Wait for the tick of the next frame; False when the camera was closed."""
        if self._fps is None:
            return not self._closed.is_set()
        now = time.monotonic_ns()
        if self._first_ns is None:
            self._first_ns = now
        passed = (now - self._first_ns) * self._fps / 1e9
        self._tick = max(self._tick, math.floor(passed))
        return not self._closed.wait(max(0.0, (self._tick - passed) / self._fps))

    def _sense(self, window: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = window.shape
        down, across = self._places[self._number % len(self._places)]
        part = np.s_[down : down + height, across : across + width]
        # Bytes only: a signed noise would go through OpenCV's slow path for mixed types.
        noisy = cv2.subtract(cv2.add(window, self._brighter[part]), self._darker[part])
        return np.asarray(noisy, np.uint8)


def draw_loop(shape: Shape, rng: np.random.Generator) -> Strip:
    """Draw coils of steel, each blended into the next and the last into the first.

    Args:
        shape: (height, width) in pixels of the windows that will be cut from it.

    Returns:
        A strip whose last `shape[1]` columns are its first, so that a window may start at any
        column of the loop.
    """
    height, width = shape
    scale = scale_of(shape)
    length = round(COIL_WINDOWS * width)
    count = min(max(COILS[0], _DRAWN_AHEAD // (height * length)), COILS[1])
    labels = shuffled_defects(rng)
    coils = [
        draw_strip((height, length), rng, zones=plan_zones(length, width, labels, rng), scale=scale)
        for _ in range(count)
    ]
    # Both ends of a coil are clean for a window's width: the blend mixes sound steel only.
    rise = np.linspace(0, 1, width, dtype=np.float32)
    parts: list[NDArray[np.uint8]] = []
    zones: list[Zone] = []
    start = 0
    for before, coil in zip([coils[-1], *coils[:-1]], coils, strict=True):
        seam = before.pixels[:, -width:] * (1 - rise) + coil.pixels[:, :width] * rise
        parts += [np.rint(seam).astype(np.uint8), coil.pixels[:, width:-width]]
        zones += [Zone(start + z.start, start + z.stop, z.label) for z in coil.zones]
        start += coil.length - width
    # The loop starts with a blend, which is clean: no zone has to come again at its end.
    pixels = np.hstack([*parts, parts[0]])
    return Strip(pixels, tuple(zones))


def open_demo(request: CameraRequest) -> Camera:
    """Open the built-in line."""
    demo = DemoCamera(fps=request.fps or FPS, seed=request.seed)
    if Path(request.source.text).exists():
        text = request.source.text
        demo.notes = [
            f"{text!r} is the built-in line; use ./{text} for the file or folder of that name"
        ]
    return demo


def write_strip_video(
    path: Path,
    frames: int,
    *,
    shape: Shape = (256, 256),
    advance: int = 8,
    fps: float = 30.0,
    seed: int = 0,
) -> list[str]:
    """Write what a `DemoCamera` sees to a video, Motion JPEG in an AVI file.

    Args:
        path: of the video; must end in `.avi`.
        frames: how many.
        shape, advance, fps, seed: as for `DemoCamera`.

    Returns:
        The truth of each frame.

    Raises:
        InputError: the video cannot be written there.
    """
    if path.suffix.lower() != ".avi":
        raise InputError(f"{path} is not a name for an AVI video", hint="use a name ending in .avi")
    camera = DemoCamera(shape, advance=advance, fps=None, frames=frames, seed=seed)
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    truths: list[str] = []
    with replacing(path) as temporary:
        # OpenCV's own writer, so that it is there whatever OpenCV was built with. Asked for a
        # gray video, OpenCV 5.0 writes damaged frames: the frames go in as colour.
        video = temporary.with_name(f"{temporary.name}.avi")
        writer = cv2.VideoWriter(str(video), cv2.CAP_OPENCV_MJPEG, codec, fps, shape[::-1])
        if not writer.isOpened():
            raise InputError(
                f"OpenCV cannot write a video of {shape[0]}x{shape[1]} pixels at {fps:g} frames/s",
                hint="use another size or frame rate",
            )
        for frame in iter(camera.read, None):
            writer.write(cv2.cvtColor(frame.pixels, cv2.COLOR_GRAY2BGR))
            truths.append(frame.truth)
        writer.release()
        video.replace(temporary)
    return truths


def _sensor_noise(
    shape: Shape, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return what the noise adds to each pixel, and what it takes away; one of the two is 0."""
    size = shape[0] + _NOISE_SPARE, shape[1] + _NOISE_SPARE
    noise = np.rint(_NOISE_SIGMA * rng.standard_normal(size, np.float32))
    return np.maximum(noise, 0).astype(np.uint8), np.maximum(-noise, 0).astype(np.uint8)
