"""Plan of a failing camera: which frame has which fault, and the images for it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera.demo import DemoCamera
from runtime.health import HealthLimits

SHAPE = (128, 128)

KINDS = ("dark", "bright", "damaged", "size-changed", "repeated")
"""Faults of a frame that is alone between good ones."""

STILL, FROZEN, HELD = "still", "frozen", "held"
DEFOCUSED, DRIFTING_LIGHT = "defocused", "drifting-light"

ROUND = 1000
"""Frames, of which some are each a camera that froze, and a client that fell behind."""

QUIET = 50
"""Good frames at the start of a round: an outage may have been before it."""

STILL_AT, HELD_AT = 100, 200
STILL_FRAMES = HealthLimits().frozen_frames
FROZEN_FRAMES = 20
HELD_FRAMES = 40
PASSED_OVER = HELD_FRAMES - 2
"""The client takes the first frame that waits, passes over the others, and takes the last."""

SLOW_FRAMES = 150
LIMITS = {"frozen-s": 0, "slow-every": 2, "slow-window": 50}
"""Health limits with which all kinds can be counted within some thousand frames."""


def plan(
    frames: int, share: float, kinds: tuple[str, ...] = KINDS, *, held: bool = True
) -> list[str]:
    """Return the kind of each frame: a fault, `good`, or good and of an episode.

    Args:
        share: of frames that have a fault; 0 for none.
        kinds: of faults that stand alone.
        held: whether its client falls behind, and light and focus change.
    """
    found = ["good"] * frames
    if not share:
        return found
    for start in range(0, frames - ROUND + 1, ROUND):
        still, frozen = start + STILL_AT, start + STILL_AT + STILL_FRAMES
        found[still:frozen] = [STILL] * STILL_FRAMES
        found[frozen : frozen + FROZEN_FRAMES] = [FROZEN] * FROZEN_FRAMES
        if held:
            found[start + HELD_AT : start + HELD_AT + HELD_FRAMES] = [HELD] * HELD_FRAMES
    if held and frames >= 2 * ROUND:
        for back, kind in ((650, DEFOCUSED), (350, DRIFTING_LIGHT)):
            found[frames - back : frames - back + SLOW_FRAMES] = [kind] * SLOW_FRAMES
    whole = QUIET + STILL_FRAMES + FROZEN_FRAMES + HELD_FRAMES
    alone = share * ROUND
    if frames >= ROUND:
        alone -= FROZEN_FRAMES + PASSED_OVER * held
    every = max(2, int((ROUND - whole) / max(1.0, alone)))
    number = 0
    for place in range(QUIET, frames - 1, every):
        around = found[place - 1 : place + 2]
        if place % ROUND >= QUIET and not {STILL, FROZEN, HELD} & {*around}:
            found[place] = kinds[number % len(kinds)]
            number += 1
    return found


def line_images(count: int) -> list[NDArray[np.uint8]]:
    """Return good frames of the built-in line."""
    demo = DemoCamera(SHAPE, fps=None, frames=count)
    return [np.asarray(frame.pixels, np.uint8) for frame in iter(demo.read, None)]


def broken_images() -> dict[str, list[NDArray[np.uint8]]]:
    """Return frames that are at fault by themselves, some of each kind."""
    rng = np.random.default_rng(0)
    half = (SHAPE[0] // 2, SHAPE[1])
    steel = DemoCamera(half, fps=None, frames=7)
    return {
        "dark": [rng.integers(0, 4, SHAPE, np.uint8) for _ in range(7)],
        "bright": [rng.integers(252, 256, SHAPE, np.uint8) for _ in range(7)],
        "size-changed": [np.asarray(frame.pixels, np.uint8) for frame in iter(steel.read, None)],
    }


def still_images(scene: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return a scene as a camera that froze shows it, each time with noise of its own."""
    rng = np.random.default_rng(1)
    noisy = (scene + rng.normal(0, 1.5, scene.shape) for _ in range(STILL_FRAMES + FROZEN_FRAMES))
    return [np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in noisy]


def defocused(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame as through a lens that lost its focus."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 5), np.uint8)


def lit(image: NDArray[np.uint8], level: float = 0.92) -> NDArray[np.uint8]:
    """Return a frame under a lamp so strong that its mean is `level`, a share of white."""
    distance = 255.0 - image
    return np.asarray(np.rint(255 - distance * (255 * (1 - level) / distance.mean())), np.uint8)
