"""Does the live page slow the line? p99 of `total` with viewers, beside none, in one stream.

    python benchmarks/live_page.py --model demo/shufflenet.edgecl [--viewers 3] [--pairs 10]

One stream of the built-in line is served all the while. Spells without a viewer and spells with
some take turns, and each pair gives a ratio of the percentiles of `total`. Viewers are processes
of their own that read events and fetch images as a browser does. Elsewhere they would not need
this machine, so they run when nothing else does. Also printed is the processor's time
that an answer to the serving process takes in the judging one, on its own thread. Run it alone on
the machine; goal: p99 at most 1.05 of that without.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from numpy.typing import NDArray

from benchmarks.script import run_script
from runtime.camera.demo import DemoCamera
from runtime.health import HealthLimits
from runtime.machine import read_cpu
from runtime.serving.live.source import LiveSource, ShownStream
from runtime.serving.live.state import Ask, Told
from runtime.serving.live.window import CameraWindow
from runtime.serving.opening import open_pages
from runtime.session import Session, open_session
from runtime.stream.budget import TOTAL
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sinks import JsonLinesSink, Sink
from runtime.stream.verdict import Verdict

SETTLE_S = 1.0
"""Time after viewers came or left that counts for neither side, in seconds."""


class TotalTimes(Sink):
    """Keeps `total` of each frame, with when its verdict went out."""

    name = "times"
    isolated = True

    def __init__(self) -> None:
        self._frames: list[tuple[float, float]] = []  # when each ended in s, `total` in ms

    def emit(self, verdict: Verdict) -> None:
        """Keep a verdict's time."""
        total = verdict.steps[TOTAL]
        self._frames.append(((verdict.captured_ns + total) / 1e9, total / 1e6))

    def between(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Return float64, the milliseconds of the verdicts that went out in between."""
        ends, totals = np.array(self._frames).reshape(-1, 2).T
        return totals[(ends >= start_s) & (ends < end_s)]


@dataclass
class TimedAnswers:
    """Answers of a source, with the processor's time that each took on its thread."""

    source: LiveSource
    took_ms: list[float] = field(default_factory=list)

    def __call__(self, ask: Ask) -> tuple[Told, Sequence[NDArray[np.generic]]]:
        """Answer, and keep the time."""
        start = time.thread_time()
        answer = self.source.answer(ask)
        self.took_ms.append(1e3 * (time.thread_time() - start))
        return answer


@dataclass(frozen=True)
class Spell:
    """A while with or without viewers: `total` in milliseconds."""

    viewers: int
    totals_ms: NDArray[np.float64]

    @property
    def p99(self) -> float:
        """Return the 99 % quantile."""
        return float(np.quantile(self.totals_ms, 0.99))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, help="a bundle")
    parser.add_argument("--viewers", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each spell")
    parser.add_argument("--fps", type=float, default=60.0)
    parser.add_argument("--frame", type=_size, default=(256, 1600), help="HxW in pixels")
    parser.add_argument("--threads", type=int, default=1, help="of inference")
    parser.add_argument("--view", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.view is not None:
        view(arguments.view)
        return
    if arguments.model is None:
        parser.error("--model is missing")
    with open_session(arguments.model, threads=arguments.threads) as session:
        spells, answers = measure(
            session,
            shape=arguments.frame,
            fps=arguments.fps,
            viewers=arguments.viewers,
            pairs=arguments.pairs,
            seconds=arguments.seconds,
        )
        cpu = read_cpu()
        print(
            f"{cpu['cores']}-core {cpu['model']}, {session.describe()}, {arguments.fps:g} frames/s"
        )
    for line in report(spells, answers):
        print(line)


def measure(
    session: Session,
    *,
    shape: tuple[int, int],
    fps: float | None,
    viewers: int,
    pairs: int,
    seconds: float,
) -> tuple[list[Spell], list[float]]:
    """Run the stream, and let viewers come and go.

    Returns:
        The spells in turns, and the milliseconds that answers took.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = JsonLinesSink(Path(folder) / "verdicts.jsonl")
        pages = open_pages("127.0.0.1:0", lambda text: print(text, file=sys.stderr))
        port = int(pages.url.rstrip("/").rpartition(":")[2])
        camera, window, times = DemoCamera(shape, fps=fps), CameraWindow(), TotalTimes()
        settings = Settings(every_frame=False, health=HealthLimits())
        pipeline = Pipeline(
            camera, session, settings, [file, times], own_process=True, on_verdict=window.take
        )
        source = LiveSource("benchmark", session.describe(), sinks=[file])
        source.watch(ShownStream("", pipeline, camera, window, file))
        answers = TimedAnswers(source)
        pages.server.start(answers)
        pipeline.start()
        spells = []
        try:
            time.sleep(SETTLE_S + seconds / 4)
            for pair in range(pairs):
                # Who goes first changes: a machine drifts.
                for count in (0, viewers) if pair % 2 else (viewers, 0):
                    spells.append(Spell(count, _spell(times, port, count, seconds)))
        finally:
            pipeline.close()
            pages.server.close()
            file.close()
    return spells, answers.took_ms


def _spell(times: TotalTimes, port: int, viewers: int, seconds: float) -> NDArray[np.float64]:
    command = [sys.executable, __file__, "--view", str(port)]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    looking = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=here)
        for _ in range(viewers)
    ]
    try:
        for process in looking:
            assert process.stdout is not None
            if process.stdout.readline() != "looking\n":
                raise RuntimeError("a viewer did not see the page")
        time.sleep(SETTLE_S)
        start = time.monotonic()
        time.sleep(seconds)
        return times.between(start, time.monotonic())
    finally:
        for process in looking:
            process.kill()
            process.wait()
        time.sleep(SETTLE_S if looking else 0)


def report(spells: Sequence[Spell], answers: Sequence[float]) -> list[str]:
    """Return the figures as lines."""
    alone = [spell for spell in spells if not spell.viewers]
    seen = [spell for spell in spells if spell.viewers]
    ratios = [with_them.p99 / without.p99 for with_them, without in zip(seen, alone, strict=True)]
    lines = []
    for name, side in (("no viewer", alone), (f"{seen[0].viewers} viewers", seen)):
        totals = np.concatenate([spell.totals_ms for spell in side])
        p50, p99, worst = np.quantile(totals, [0.5, 0.99, 1.0])
        lines.append(
            f"{name}: {len(totals)} frames, p50 {p50:.3f} ms, p99 {p99:.3f} ms, max {worst:.1f} ms"
        )
    lines.append(
        f"p99 with viewers / without, of {len(ratios)} pairs: median "
        f"{statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f}), goal 1.05"
    )
    if answers:
        lines.append(
            f"an answer takes {statistics.median(answers):.2f} ms of the processor (p99 "
            f"{np.quantile(answers, 0.99):.2f} ms), {len(answers)} were given"
        )
    return lines


def view(port: int) -> None:
    """Look at the page as a browser does, until killed: events, and each new image."""
    events = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    events.request("GET", "/live/events")
    answer = events.getresponse()
    images = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    fetched: set[str] = set()
    told = False
    while line := answer.readline():
        if not line.startswith(b"data: ") or len(line) < 20:
            continue
        (camera,) = json.loads(line[6:])["cameras"]
        wanted = [f"/live/0/thumbnail/{seen['frame']}.jpg" for seen in camera["rejects"]]
        if camera["newest"]:
            wanted.append(f"/live/0/image/{camera['newest']['frame']}.jpg")
        for path in wanted:
            if path not in fetched:
                images.request("GET", path)
                images.getresponse().read()
        fetched = set(wanted)
        if not told:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            print("looking", flush=True)
            told = True


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width)


if __name__ == "__main__":
    run_script(main)
