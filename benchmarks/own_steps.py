"""What a frame costs `edgecl run` beside capture and inference: before and after a change.

Frames are judged as `edgecl run` does it: health checks, distance from the training images, a
watchdog, a line per verdict on disk. They come as fast as they are judged, and as from a line
camera, at 30 a second: then the caches are cold by the next frame. With --before, another checkout
takes turns with this one, a process each, and the ratio is that of their medians.

    python benchmarks/own_steps.py [--before CHECKOUT] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Last: a process of --before takes its own checkout's packages.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.benchmark.frames import draw_frames
from runtime.camera import Camera, Frame
from runtime.health import HealthLimits
from runtime.novelty import Novelty, TrainingSpace
from runtime.session import open_session
from runtime.stream.budget import DECIDE, EMIT, HEALTH, PREPROCESS, Budget
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Rules
from runtime.stream.sinks import JsonLinesSink

HERE = Path(__file__).resolve().parents[1]
SHAPES = {"256x256": ((256, 256), (128, 128)), "1600x256": ((256, 1600), (128, 800))}
"""By name: (height, width) of the frames and of the model's input."""

CHANNELS = 64
"""Of the network between the steps: inference takes a few milliseconds, and the caches."""

RATES = {"full speed": None, "30 frames/s": 30.0}
WHOLE_SPEED_FRAMES, PACED_FRAMES, WARM_UP = 600, 100, 30
STEPS = (HEALTH, PREPROCESS, DECIDE, EMIT)
EMBEDDING, CLASSES = 128, 6

Times = dict[str, dict[str, float]]


class PlayedCamera(Camera):
    """Plays frames from memory, each a copy as a driver's is.

    Args:
        images: uint8, H×W each.
        frames: how many, over and over.
        fps: their rate; None for as fast as they are taken.
    """

    name = "frames from memory"
    stored = False

    def __init__(self, images: list[NDArray[np.uint8]], frames: int, fps: float | None) -> None:
        self.live = fps is not None
        self._images, self._frames, self._fps = images, frames, fps
        self._number = 0
        self._start = time.monotonic()

    def read(self) -> Frame | None:
        number, self._number = self._number, self._number + 1
        if number == self._frames:
            return None
        if self._fps is not None:
            time.sleep(max(0.0, self._start + number / self._fps - time.monotonic()))
        pixels = self._images[number % len(self._images)].copy()
        pixels[0, 0] = number % 251  # no frame repeats another
        start_ns = time.monotonic_ns()
        return Frame(number, pixels, start_ns, time.monotonic_ns())


def main() -> None:
    """Measure and print; as a process of one side, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--before", type=Path, help="another checkout of the project")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side is not None:
        print(json.dumps(_measure(arguments.side)))
        return
    sides = {"before": arguments.before, "after": HERE} if arguments.before else {"now": HERE}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_models(folder)
        found: dict[str, list[Times]] = {side: [] for side in sides}
        for number in range(arguments.rounds):
            # Who goes first changes, so that neither always inherits the other's caches.
            for side in sorted(sides, reverse=number % 2 == 0):
                found[side].append(_process(sides[side], folder))
    _print(found)


def _process(checkout: Path, folder: Path) -> Times:
    program = [sys.executable, __file__, "--side", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    times: Times = json.loads(done.stdout)
    return times


def _write_models(folder: Path) -> None:
    from benchmarks.pipeline import write_int8_model

    for name, (_, shape) in SHAPES.items():
        write_int8_model(folder / f"{name}.int8.onnx", channels=CHANNELS, shape=shape)


def _measure(folder: Path) -> Times:
    found: Times = {}
    for name, (frame, _) in SHAPES.items():
        images = list(draw_frames(*frame, seed=1, count=16))
        for rate, fps in RATES.items():
            found[f"{name}, {rate}"] = _steps(folder, folder / f"{name}.int8.onnx", images, fps)
    return found


def _steps(
    folder: Path, model: Path, images: list[NDArray[np.uint8]], fps: float | None
) -> dict[str, float]:
    """Return the median of each step, and of all together, in milliseconds."""
    frames = WARM_UP + (WHOLE_SPEED_FRAMES if fps is None else PACED_FRAMES)
    verdicts = folder / "verdicts.jsonl"
    verdicts.unlink(missing_ok=True)
    with (
        open_session(model, engine="onnxruntime", threads=1) as session,
        PlayedCamera(images, frames, fps) as camera,
    ):
        settings = Settings(
            rules=Rules(budget=Budget({"total": 50_000_000}), unknown_above=1e9),
            health=HealthLimits(dark_below=0, bright_above=1, frozen_frames=10**9),
            novelty=_novelty(session.precision),
        )
        sink = JsonLinesSink(verdicts)
        pipeline = Pipeline(camera, session, settings, [sink], own_process=True)
        pipeline.start()
        pipeline.wait()
        snapshot = pipeline.finish()
        sink.close()
    if snapshot.judged != frames:
        raise SystemExit(f"{snapshot.judged} of {frames} frames were judged: {snapshot.health}")
    found = {step: snapshot.histograms[step].percentile(0.5) / 1e6 for step in STEPS}
    return {**found, "together": sum(found.values())}


def _novelty(precision: str) -> Novelty:
    """Training images anywhere, for what the distance costs does not depend on where."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.normal(size=size).astype(np.float32)
        for size in (EMBEDDING, (EMBEDDING, EMBEDDING), (CLASSES, EMBEDDING), (EMBEDDING,) * 2)
    ]
    distances = np.sort(rng.random(200)).astype(np.float32)
    return Novelty(TrainingSpace(*arrays), {precision: 1.0}, {precision: distances})


def _print(found: dict[str, list[Times]]) -> None:
    """Print the middle of all rounds, side by side."""
    sides = list(found)
    for case in found[sides[0]][0]:
        print(f"{case}, median in ms:")
        for step in (*STEPS, "together"):
            times = [statistics.median(run[case][step] for run in found[side]) for side in sides]
            shown = ", ".join(f"{side} {ms:.3f}" for side, ms in zip(sides, times, strict=True))
            ratio = f" ({times[0] / times[1]:.2f} times)" if len(times) > 1 else ""
            print(f"  {step:10} {shown}{ratio}")


if __name__ == "__main__":
    run_script(main)
