"""Time that a flat-field adds to the preparation of a frame, beside the plain path in one run.

Both prepare the same frames for the same model, in turns, since machines drift:

    python benchmarks/flat_field.py [--rounds 60]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.artifact.contract import InputContract
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import Tiling
from runtime.benchmark.frames import draw_frames
from runtime.image.flat.field import PER, FlatField, FlatRecord, Per
from runtime.image.preprocess import Preprocessor
from runtime.image.view import FrameView

LINE_CAMERA = (256, 1600)
TILES = InputContract(96, 96, tiling=Tiling((96, 96)))
STRETCHED = InputContract(128, 800, "auto")
INNER = Roi(left=100, top=16, width=1400, height=224)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    for line in measured(LINE_CAMERA, rounds):
        print(line)


def measured(size: tuple[int, int], rounds: int) -> Iterator[str]:
    """Yield a line per kind of frame, model and flat-field."""
    gray = draw_frames(*size, seed=0)
    kinds: dict[int, list[NDArray[np.uint8]] | list[NDArray[np.uint16]]] = {
        8: gray,
        12: [np.left_shift(frame, 4, dtype=np.uint16) for frame in gray],
    }
    for bits, frames in kinds.items():
        for name, contract in (("tiles 96x96", TILES), ("stretched to 128x800", STRETCHED)):
            for per in PER:
                flat = drawn_flat(size=size, bits=bits, per=per)
                for roi in (None, INNER) if size == LINE_CAMERA else (None,):
                    views = (FrameView(roi), FrameView(roi, flat))
                    plain, corrected = (
                        Preprocessor(contract, bits=bits, view=view) for view in views
                    )
                    before, after = in_turns(plain, corrected, frames, rounds)
                    region = "" if roi is None else f", ROI {roi}"
                    yield (
                        f"{size[1]}x{size[0]} of {bits} bits, {name}, per {per}{region}: plain "
                        f"{before:.3f} ms, corrected {after:.3f} ms, {after - before:+.3f} ms, "
                        f"{after / before:.1f}x"
                    )


def drawn_flat(
    *, size: tuple[int, int] = (50, 70), bits: int = 8, per: Per = "column", seed: int = 0
) -> FlatField:
    """A camera whose offset and light differ from column to column, or from pixel to pixel."""
    rng = np.random.default_rng(seed)
    white = (1 << bits) - 1
    shape = size if per == "pixel" else (1, size[1])
    dark = rng.uniform(0.005, 0.03, shape) * white
    bright = dark + rng.uniform(0.4, 0.8, shape) * white
    record = FlatRecord(
        camera="drawn",
        recorded="2026-11-27T12:00:00+00:00",
        per=per,
        height=size[0],
        width=size[1],
        dtype="uint8" if bits == 8 else "uint16",
        bits=bits,
        frames=32,
        noise=1.0,
    )
    return FlatField(record, dark.astype(np.float32), bright.astype(np.float32))


def in_turns(
    plain: Preprocessor,
    corrected: Preprocessor,
    frames: list[NDArray[np.uint8]] | list[NDArray[np.uint16]],
    rounds: int,
) -> tuple[float, float]:
    """Return the median milliseconds per frame of both."""
    taken: tuple[list[int], list[int]] = [], []
    for number in range(-1, rounds):
        for times, preprocess in zip(taken, (plain, corrected), strict=True):
            for frame in frames:
                start = time.perf_counter_ns()
                preprocess.prepare(frame)
                if number >= 0:  # the first round warms up
                    times.append(time.perf_counter_ns() - start)
    before, after = (float(np.median(times)) / 1e6 for times in taken)
    return before, after


if __name__ == "__main__":
    run_script(main)
