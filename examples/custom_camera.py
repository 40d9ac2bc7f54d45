"""Judge frames of a source of your own: python examples/custom_camera.py BUNDLE.

The source here draws a bright sheet with a dark spot now and then; put your camera's SDK in its
place.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

import edgecl


class SpotCamera(edgecl.Camera):
    """Draws frames of a fixed number, uint8, 200×320; every fifth has a dark spot.

    Args:
        frames: how many frames there are.
    """

    name = "drawn sheet"
    # A source that can wait. For a camera in service this is True: what nobody takes is lost.
    live = False

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._number = 0
        self._rng = np.random.default_rng(0)

    def read(self) -> edgecl.Frame | None:
        """Return the next frame, or None at the end."""
        if self._number == self._frames:
            return None
        number, self._number = self._number, self._number + 1
        # The budget of the frame counts from here: take the time as soon as the data is there.
        start_ns = time.monotonic_ns()
        pixels = self._rng.normal(215, 4, (200, 320)).clip(0, 255).astype(np.uint8)
        if number % 5 == 4:
            pixels[40:160, 60:260] = 20
        return edgecl.Frame(number, pixels, start_ns, time.monotonic_ns())


def count_verdicts(bundle: str, frames: int) -> Counter[str]:
    """Judge all frames; return how many had each status.

    Raises:
        edgecl.InputError: the bundle cannot be used.
    """
    with SpotCamera(frames) as camera, edgecl.Stream(camera, bundle) as stream:
        return Counter(str(verdict.decision.status) for verdict in stream)


def main() -> None:
    """Parse the command line and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("--frames", type=int, default=100)
    arguments = parser.parse_args()
    try:
        counts = count_verdicts(arguments.bundle, arguments.frames)
    except edgecl.InputError as error:
        parser.exit(2, f"{error}\n")
    print(", ".join(f"{status} {count}" for status, count in counts.most_common()))


if __name__ == "__main__":
    main()
