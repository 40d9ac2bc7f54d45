"""False alarms of the health checks on good frames of the built-in line, and what they cost.

python benchmarks/health.py [--frames 10000]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.camera.demo import DemoCamera
from runtime.health import HealthLimits, HealthMonitor, SlowMonitor, Source
from runtime.health.scene import scene_of

TICK_NS = 10_000_000
"""100 frames/s, by the clock that the monitor is told."""

LINE_CAMERA = (256, 1600)


def main() -> None:
    """Count and measure, then print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=10_000)
    count = parser.parse_args().frames
    cv2.setNumThreads(1)
    for shape in ((128, 128), (256, 256), LINE_CAMERA):
        for jpeg in (False, True):
            learnt = scene_of(np.stack(list(good_frames(shape, 200, advance=200))))
            for name, limits in (("stated", HealthLimits()), ("learnt", None)):
                alarms = false_alarms(
                    good_frames(shape, count, jpeg=jpeg), limits or HealthLimits().learnt(learnt)
                )
                kind = "JPEG" if jpeg else "raw"
                print(f"{shape[1]}x{shape[0]} {kind}, {name} limits, {count} frames: {alarms or 0}")
    for what, median, tail in costs():
        print(f"{what}: median {median:.3f} ms, p99 {tail:.3f} ms")


def good_frames(
    shape: tuple[int, int], count: int, *, advance: int = 8, jpeg: bool = False
) -> Iterator[NDArray[np.uint8]]:
    """Frames of the line, as raw pixels or as a camera's Motion JPEG."""
    camera = DemoCamera(shape, fps=None, frames=count, advance=advance)
    for frame in iter(camera.read, None):
        pixels = np.asarray(frame.pixels, np.uint8)
        if jpeg:
            coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
            pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
        yield pixels


def false_alarms(frames: Iterator[NDArray[np.uint8]], limits: HealthLimits) -> dict[str, int]:
    """Return health faults by name, of frames that have none."""
    monitor, slow = HealthMonitor(limits, Source()), SlowMonitor(limits)
    counts: Counter[str] = Counter()
    for number, pixels in enumerate(frames):
        finding = monitor.examine(pixels, number * TICK_NS)
        found = slow.look(pixels) if finding is None else [finding]
        counts.update(one.fault.value for one in found)
    return dict(counts)


def costs() -> Iterator[tuple[str, float, float]]:
    """What was timed, median and 99 % quantile in milliseconds per frame."""
    line = list(good_frames(LINE_CAMERA, 64, advance=120))
    colour = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8) for frame in line]
    deep = [np.left_shift(frame, 4, dtype=np.uint16) for frame in line]
    model_sized = [np.asarray(cv2.resize(frame, (800, 128)), np.uint8) for frame in line]
    monitor, slow = HealthMonitor(HealthLimits(), Source()), SlowMonitor(HealthLimits(slow_every=1))
    standing = HealthMonitor(HealthLimits(), Source())
    clock = iter(range(0, 1 << 60, TICK_NS))
    yield (
        "all frame checks, 1600x256 gray",
        *timed(line, lambda frame: monitor.examine(frame, next(clock))),
    )
    monitor = HealthMonitor(HealthLimits(), Source())
    yield (
        "all frame checks, 1600x256 BGR",
        *timed(colour, lambda frame: monitor.examine(frame, next(clock))),
    )
    monitor = HealthMonitor(HealthLimits(), Source())
    yield (
        "all frame checks, 1600x256 of 12 bits",
        *timed(deep, lambda frame: monitor.examine(frame, next(clock), bits=12)),
    )
    rng = np.random.default_rng(0)
    noises = (rng.integers(0, 2, LINE_CAMERA, np.uint8) for _ in line)
    still = [np.bitwise_xor(line[0], noise) for noise in noises]
    yield (
        "all frame checks, 1600x256 gray, standing line",
        *timed(still, lambda frame: standing.examine(frame, next(clock))),
    )
    yield "slow checks of one frame in ten, 800x128", *timed(model_sized, slow.look)


def timed(
    frames: list[NDArray[np.uint8]] | list[NDArray[np.uint16]],
    work: Callable[[NDArray[np.uint8]], object],
    rounds: int = 40,
) -> tuple[float, float]:
    """Return median and 99 % quantile of a call, in milliseconds."""
    taken: list[int] = []
    for number in range(rounds * len(frames)):
        frame = frames[number % len(frames)]
        start = time.perf_counter_ns()
        work(frame)  # type: ignore[arg-type]
        taken.append(time.perf_counter_ns() - start)
    middle, tail = np.quantile(taken[len(frames) :], [0.5, 0.99]).tolist()
    return middle / 1e6, tail / 1e6


if __name__ == "__main__":
    run_script(main)
