"""What ten sinks at once add to a frame: the same stream without and with them, in turns.

    python benchmarks/sinks.py --model demo/shufflenet.edgecl [--rounds 8] [--frames 500] [--fps 50]

Each round runs one stream without sinks and one with ten (three files of lines, one of them
rotated and one forced to the disk; two archives; two webhooks; two of the caller's own; and one
that fails on every verdict), the order changing from round to round. Printed are the medians of
`total` and of `total` with `emit`, and the difference of the rounds' medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from runtime.camera import open_camera
from runtime.session import Session, open_session
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sinks import Sink, open_sink
from runtime.stream.verdict import Verdict

STEPS = ("total", "emit")


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
    """Run both sides in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--fps", type=float, default=50)
    arguments = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    medians: dict[bool, dict[str, list[float]]] = {
        many: {step: [] for step in STEPS} for many in (False, True)
    }
    with open_session(arguments.model, engine="onnxruntime", threads=1) as session:
        for turn in range(arguments.rounds):
            for many in (turn % 2 == 0, turn % 2 == 1):
                with tempfile.TemporaryDirectory() as place:
                    sinks = _ten(Path(place), server.server_address[1]) if many else []
                    snapshot = _run(session, arguments.frames, arguments.fps, sinks)
                for step in STEPS:
                    (middle,) = snapshot.histograms[step].percentiles([0.5])
                    medians[many][step].append(middle / 1e6)
    for many, steps in medians.items():
        told = ", ".join(f"{step} {statistics.median(v):.3f} ms" for step, v in steps.items())
        print(f"{'ten sinks' if many else 'no sink'}: median of {arguments.rounds} rounds: {told}")
    for name, chosen in (("total", STEPS[:1]), ("total and emit", STEPS)):
        added = [
            sum(medians[True][step][turn] - medians[False][step][turn] for step in chosen)
            for turn in range(arguments.rounds)
        ]
        low, high = min(added), max(added)
        print(
            f"added to {name}: median {statistics.median(added):.3f} ms ({low:.3f} to {high:.3f})"
        )


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


def _run(session: Session, frames: int, fps: float, sinks: Sequence[Sink]) -> Snapshot:
    with open_camera("demo", fps=fps) as camera:
        settings = Settings(every_frame=True, frames=frames)
        pipeline = Pipeline(camera, session, settings, sinks, own_process=True)
        pipeline.start()
        pipeline.wait()
        snapshot = pipeline.finish()
    for sink in sinks:
        sink.close()
    return snapshot


if __name__ == "__main__":
    main()
