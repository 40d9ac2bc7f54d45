"""A frame in tiles against the same frame as one image, side by side in one run.

The tiles are run one by one, in the batches that edgecl runs them in, and in others. All take
turns in short blocks, since machines drift, and each round gives ratios to the frame as one image,
for which the network was exported at the frame's size. Beside the ratio of times stands that of
processor time, which other load on the machine spoils less; with one thread the two are the same on
a machine without any. Weights are random:

    python benchmarks/tiles.py [--frame 200x200] [--tile 96x96] [--at-once 1,8,12] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.inference import AS_EXPORTED, PRECISIONS, REWRITTEN, SETTLE_SECONDS, write_network
from benchmarks.script import run_script
from runtime.artifact.contract import InputContract
from runtime.artifact.tiling import Tiling
from runtime.benchmark.frames import draw_frames
from runtime.image.preprocess import Preprocessor
from runtime.machine import read_cpu
from runtime.session import Session, installed_engines, open_session
from runtime.session.base import TILES_AT_ONCE
from runtime.session.opening import default_threads
from runtime.session.tiles import infer_tiles

WHOLE = "one image"


@dataclass
class Side:
    """One way of running a frame.

    Args:
        name: of the way.
        run: runs the frame once.
        blocks: median milliseconds of each block.
        cpu_blocks: milliseconds of processor time of a run, mean of each block.
    """

    name: str
    run: Callable[[], object]
    blocks: list[float] = field(default_factory=list)
    cpu_blocks: list[float] = field(default_factory=list)

    def take_turn(self, runs: int) -> None:
        """Let others come to rest, run once unmeasured, then `runs` times."""
        time.sleep(SETTLE_SECONDS)
        self.run()
        times, cpu = [], time.process_time_ns()
        for _ in range(runs):
            start = time.perf_counter_ns()
            self.run()
            times.append(time.perf_counter_ns() - start)
        self.cpu_blocks.append((time.process_time_ns() - cpu) / runs / 1e6)
        self.blocks.append(statistics.median(times) / 1e6)


@dataclass(frozen=True)
class Row:
    """What is reported of a side.

    Args:
        way: its name.
        median_ms: of its blocks, for the whole frame.
        ratio: its time over that of the frame as one image, median of the rounds.
        low, high: tenth and ninetieth percentile of the rounds.
        cpu_ms: processor time, median of its blocks.
        cpu_ratio, cpu_low, cpu_high: the ratios of processor time.
    """

    engine: str
    precision: str
    way: str
    median_ms: float
    ratio: float
    low: float
    high: float
    cpu_ms: float
    cpu_ratio: float
    cpu_low: float
    cpu_high: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--encoder", action="append", help="may be repeated")
    parser.add_argument("--frame", type=_size, default=(200, 200), help="HxW")
    parser.add_argument("--tile", type=_size, default=(96, 96), help="HxW")
    parser.add_argument(
        "--at-once",
        type=lambda text: [int(number) for number in text.split(",")],
        default=[1, 8, TILES_AT_ONCE],
        help="tiles in a batch, with commas",
    )
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3, help="in each block")
    parser.add_argument("--json", action="store_true", help="print one object instead of tables")
    arguments = parser.parse_args()
    tiling, report = Tiling(arguments.tile), {}
    for encoder in arguments.encoder or ("convnet", "shufflenet"):
        rows = measure(
            encoder,
            arguments.frame,
            tiling,
            arguments.at_once,
            arguments.threads,
            arguments.rounds,
            arguments.runs,
        )
        report[encoder] = [asdict(row) for row in rows]
        if not arguments.json:
            show(encoder, rows)
    if arguments.json:
        facts = {"cpu": read_cpu(), "threads": arguments.threads, "frame": arguments.frame}
        json.dump({**facts, "cases": report}, sys.stdout, indent=2)
        print()


def measure(
    encoder: str,
    frame_size: tuple[int, int],
    tiling: Tiling,
    at_once: Sequence[int],
    threads: int,
    rounds: int,
    runs: int,
) -> list[Row]:
    """Run a frame in every way, in every engine and precision, in turns."""
    (frame,) = draw_frames(*frame_size, seed=1, count=1)
    tiles = Preprocessor(InputContract(*tiling.tile, tiling=tiling)).prepare(frame)
    rows = []
    with tempfile.TemporaryDirectory(prefix="edgecl-tiles-") as name, ExitStack() as stack:
        in_tiles, whole = Path(name) / "tiles", Path(name) / "whole"
        in_tiles.mkdir()
        whole.mkdir()
        of_tiles = write_network(encoder, tiling.tile, in_tiles, tiling)
        of_whole = write_network(encoder, frame_size, whole)
        graphs = [REWRITTEN if rewrites else AS_EXPORTED for _, rewrites, _ in (of_tiles, of_whole)]
        for engine in installed_engines():
            for precision in PRECISIONS:
                files = [
                    files[engine, precision, graph]
                    for (_, _, files), graph in zip((of_tiles, of_whole), graphs, strict=True)
                ]
                session = stack.enter_context(
                    open_session(files[1], precision, engine=engine, threads=threads)
                )
                sides = [_whole(session, frame)]
                sides += [
                    _tiles(
                        stack.enter_context(_open(files[0], engine, threads, count, len(tiles))),
                        tiles,
                    )
                    for count in at_once
                ]
                for turn in range(rounds):
                    first = turn % len(sides)
                    for side in (*sides[first:], *sides[:first]):
                        side.take_turn(runs)
                rows += [_row(engine, precision, side, sides[0]) for side in sides]
    return rows


def show(encoder: str, rows: Sequence[Row]) -> None:
    """Print one encoder's table."""
    print(encoder)
    for row in rows:
        print(
            f"  {row.engine:12s}{row.precision:5s}{row.way:24s}{row.median_ms:9.3f} ms "
            f"{row.ratio:6.2f}x ({row.low:.2f} to {row.high:.2f}); processor {row.cpu_ms:.3f} ms, "
            f"{row.cpu_ratio:.2f}x ({row.cpu_low:.2f} to {row.cpu_high:.2f})",
            flush=True,
        )


def _whole(session: Session, frame: np.ndarray) -> Side:
    image = frame[None, None]
    return Side(WHOLE, lambda: session.infer(image))


def _tiles(session: Session, tiles: np.ndarray) -> Side:
    name = f"{len(tiles)} tiles, {session.tiles_at_once} at once"
    return Side(name, lambda: infer_tiles(session, tiles))


def _open(path: Path, engine: str, threads: int, at_once: int, tiles: int) -> Session:
    """A session that runs other batches of tiles than edgecl does, set up for so many."""
    before, Session.tiles_at_once = Session.tiles_at_once, at_once
    try:
        session = open_session(path, engine=engine, threads=threads)
    finally:
        Session.tiles_at_once = before
    session.tiles_at_once = at_once
    session.prepare(tiles)
    return session


def _row(engine: str, precision: str, side: Side, reference: Side) -> Row:
    return Row(
        engine,
        precision,
        side.name,
        statistics.median(side.blocks),
        *_ratios(side.blocks, reference.blocks),
        statistics.median(side.cpu_blocks),
        *_ratios(side.cpu_blocks, reference.cpu_blocks),
    )


def _ratios(blocks: Sequence[float], reference: Sequence[float]) -> tuple[float, float, float]:
    """Median, tenth and ninetieth percentile of the rounds' ratios."""
    ratios = np.array(blocks) / np.array(reference)
    low, middle, high = (float(value) for value in np.percentile(ratios, (10, 50, 90)))
    return middle, low, high


def _size(text: str) -> tuple[int, int]:
    height, width = (int(side) for side in text.split("x"))
    return height, width


if __name__ == "__main__":
    run_script(main)
