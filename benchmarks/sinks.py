"""What ten sinks at once add to a frame: with them and without, in turns of a second.

    python benchmarks/sinks.py --model demo/shufflenet.edgecl [--turns 120] [--fps 50]

One stream runs; in every second turn its verdicts go to ten sinks (three files of lines, one of
them rotated and one forced to the disk; two archives; two webhooks; two of the caller's own; and
one that fails on every verdict). The first half of each turn is left out, since sinks write up to a
quarter of a second later. Printed are the medians of `total` and of `emit`, the processor's time
per frame, and what a turn with sinks has more than the one before it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.camera import open_camera
from runtime.session import open_session
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sinks import Sink, open_sink
from runtime.stream.sinks.isolated import isolated
from runtime.stream.verdict import Verdict

TURN_S = 1.0


class _Switched(Sink):
    """Hands the verdicts of every second turn to others, and keeps what each frame took."""

    isolated = True

    def __init__(self, others: Sequence[Sink], frames: int) -> None:
        self._others = others
        self._frames = frames
        self.turns: dict[int, list[tuple[float, float]]] = defaultdict(list)
        self.processor_s: dict[int, float] = {}  # of the process, when a turn begins

    def emit(self, verdict: Verdict) -> None:
        turn, place = divmod(verdict.number, self._frames)
        self.processor_s.setdefault(turn, time.process_time())
        start = time.monotonic_ns()
        if turn % 2:
            for other in self._others:
                other.emit(verdict)
        taken = time.monotonic_ns() - start
        if place >= self._frames // 2:
            self.turns[turn].append((verdict.steps["total"] / 1e6, taken / 1e6))


class _Own(Sink):
    """Looks at each verdict, and fails where it is told to."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name = name
        self._fails = fails

    def emit(self, verdict: Verdict) -> None:
        if self._fails:
            raise OSError("no such machine")
        str(verdict.decision.label)


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def main() -> None:
    """Run the stream and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=120)
    parser.add_argument("--fps", type=float, default=50)
    arguments = parser.parse_args()
    # Another process: what a web server takes is not the stream's.
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    server.start()
    frames = round(TURN_S * arguments.fps)
    settings = Settings(every_frame=True, frames=frames * (arguments.turns // 2 * 2 + 2))
    with (
        tempfile.TemporaryDirectory() as place,
        open_session(arguments.model, engine="onnxruntime", threads=1) as session,
        open_camera("demo", fps=arguments.fps) as camera,
    ):
        sinks = [isolated(sink) for sink in _ten(Path(place), port.get(timeout=60))]
        switched = _Switched(sinks, frames)
        pipeline = Pipeline(camera, session, settings, [switched], own_process=True)
        pipeline.start()
        pipeline.wait()
        pipeline.finish()
        for sink in sinks:
            sink.close()
    # The first two turns warm everything up.
    turns = {n: np.array(values) for n, values in switched.turns.items() if n >= 2 and values}
    for many, side in ((0, "no sink"), (1, "ten sinks")):
        held = np.concatenate([values for n, values in turns.items() if n % 2 == many])
        (free, total), (_, emit) = np.quantile(held, (0.1, 0.5), axis=0).T
        print(
            f"{side}: {len(held)} frames, total p10 {free:.3f} and p50 {total:.3f} ms, "
            f"emit p50 {emit:.3f} ms"
        )
        spent = [
            (switched.processor_s[n + 1] - switched.processor_s[n]) * 1e3 / frames
            for n in turns
            if n % 2 == many and n + 1 in switched.processor_s
        ]
        print(f"  processor time of the whole process: {np.median(spent):.3f} ms per frame")
    pairs = [n for n in turns if n % 2 and n - 1 in turns]
    added = [np.median(turns[n][:, 0]) - np.median(turns[n - 1][:, 0]) for n in pairs]
    low, middle, high = np.quantile(added, (0.25, 0.5, 0.75))
    print(
        f"added to total: median of {len(added)} pairs of turns {middle:.3f} ms "
        f"(quartiles {low:.3f} and {high:.3f})"
    )


def _serve(port: multiprocessing.Queue[int]) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    port.put(server.server_address[1])
    server.serve_forever()


def _ten(folder: Path, port: int) -> list[Sink]:
    texts = [
        "jsonl:one.jsonl",
        "jsonl:two.jsonl?rotate=64KiB&keep=5",
        "jsonl:three.jsonl?fsync=every",
        "sqlite:one.sqlite",
        "sqlite:two.sqlite",
        f"webhook:http://127.0.0.1:{port}/one",
        f"webhook:http://127.0.0.1:{port}/two",
    ]
    opened = [open_sink(text, folder, spool=folder / "spool") for text in texts]
    return [*opened, _Own("one"), _Own("two"), _Own("fails", fails=True)]


if __name__ == "__main__":
    run_script(main)
