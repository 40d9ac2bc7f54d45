"""`edgecl run` for long at a camera that fails: memory, accounts, deadlines and recovery.

    python benchmarks/soak.py --model demo/shufflenet.edgecl [--minutes 30] [--fps 100]
    python benchmarks/soak.py --model demo/shufflenet.edgecl --frames 10000
    python benchmarks/soak.py --model demo/shufflenet.edgecl --frames 2000 --gige

The camera is a process of its own: Motion JPEG over HTTP (`soak_camera.py`), or, with --gige, GigE
Vision (`soak_gige.py`), which has a clock and triggers. A tenth of its frames are at fault, by the
plan in `soak_plan.py`. Printed are the growth of memory, threads and descriptors of `edgecl run`,
faults found against faults sent, the share of verdicts by their deadline, and the time from the
camera's return to the first verdict on a frame.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from benchmarks.soak_plan import LIMITS
from runtime.stream.verdict import read_verdicts

ROOT = Path(__file__).resolve().parents[1]
SYSTEM_PYTHON = "/usr/bin/python3"
"""The one that has Aravis."""
WARM_UP_S = 60
EVERY_S = 2.0
GRACE_MS = 5.0
FIRST_VERDICT_S = 120.0
OUTAGES = ("lost", "stalled")
GIGE_OPTIONS = ("--camera", "aravis:127.0.0.1", "--trigger", "external")


@dataclass(frozen=True)
class Sample:
    """Resources of a process at a moment: bytes resident, threads and descriptors."""

    at_s: float
    resident: int
    threads: int
    descriptors: int


def main() -> None:
    """Run, watch and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--frames", type=int, help="in place of --minutes")
    parser.add_argument("--fps", type=float, default=100)
    parser.add_argument("--fault-share", type=float, default=0.1)
    parser.add_argument("--budget-ms", type=float, default=50)
    parser.add_argument("--gige", action="store_true", help="a camera with a clock and triggers")
    parser.add_argument("options", nargs="*", help="of edgecl run, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        samples, code = _run(arguments, folder)
        sent = json.loads((folder / "sent.json").read_text(encoding="utf-8"))
        summary = json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))
        _print_growth(samples)
        _print_accounts(summary, sent, code)
        _print_times(folder / "run" / "verdicts.jsonl", sent["returns"], arguments.budget_ms)


def _run(arguments: argparse.Namespace, folder: Path) -> tuple[list[Sample], int]:
    """Let the stream run until the camera has sent everything; return what was sampled."""
    frames = arguments.frames or round(arguments.minutes * 60 * arguments.fps)
    log, verdicts = folder / "sent.json", folder / "run" / "verdicts.jsonl"
    camera = _camera(arguments, frames, log)
    assert camera.stdout is not None
    first = camera.stdout.readline().strip()  # an HTTP camera's port
    if not first:
        raise SystemExit("the camera did not start")
    options = GIGE_OPTIONS if arguments.gige else ("--camera", f"http://127.0.0.1:{first}/")
    limits = [f"--health-limit={name}={value}" for name, value in LIMITS.items()]
    stream = subprocess.Popen(
        [
            *(SYSTEM_PYTHON if arguments.gige else sys.executable, "-m", "edgecl", "run", *options),
            *("--model", str(arguments.model), "--every-frame", "--out", str(folder / "run")),
            *("--budget", f"total={arguments.budget_ms:g}ms", "--json", *limits),
            *arguments.options,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        cwd=ROOT,
    )
    threading.Thread(target=_obey, args=(camera, stream, verdicts), daemon=True).start()
    start, samples = time.monotonic(), []
    try:
        while not log.exists() and camera.poll() is None and stream.poll() is None:
            time.sleep(EVERY_S)
            samples.append(_sample(stream.pid, time.monotonic() - start))
        time.sleep(1.0)  # for the last frames
    finally:
        stream.send_signal(signal.SIGCONT)
        stream.send_signal(signal.SIGINT)
        code = stream.wait(60)
        camera.terminate()  # only now: it would be an outage
    return [one for one in samples if one.resident], code


def _camera(arguments: argparse.Namespace, frames: int, log: Path) -> subprocess.Popen[str]:
    program = str(Path(__file__).with_name("soak_gige.py" if arguments.gige else "soak_camera.py"))
    options = ["--frames", frames, "--fps", arguments.fps, "--fault-share", arguments.fault_share]
    return subprocess.Popen(
        [
            SYSTEM_PYTHON if arguments.gige else sys.executable,
            *(program, *map(str, options), "--log", str(log)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    )


def _environment() -> dict[str, str]:
    """The project and this Python's packages, for the system's Python, too."""
    packages = Path(np.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(packages)))}


def _obey(camera: subprocess.Popen[str], stream: subprocess.Popen[bytes], verdicts: Path) -> None:
    """Do what the camera asks for: wait for the first verdict, hold the stream, let it go on."""
    assert camera.stdout is not None
    assert camera.stdin is not None
    for line in camera.stdout:
        what = line.strip()
        until = time.monotonic() + FIRST_VERDICT_S
        while what == "begin" and time.monotonic() < until and stream.poll() is None:
            if verdicts.exists() and verdicts.stat().st_size:
                break
            time.sleep(0.1)
        if what in _SIGNALS:
            stream.send_signal(_SIGNALS[what])
        camera.stdin.write("done\n")
        camera.stdin.flush()


_SIGNALS = {"hold": signal.SIGSTOP, "release": signal.SIGCONT}


def _sample(process: int, at_s: float) -> Sample:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
        values = dict(line.split(":", 1) for line in lines)
        descriptors = len(list(Path(f"/proc/{process}/fd").iterdir()))
        return Sample(
            at_s, int(values["VmRSS"].split()[0]) << 10, int(values["Threads"]), descriptors
        )
    except (OSError, KeyError):  # it has just ended
        return Sample(at_s, 0, 0, 0)


def _print_growth(samples: list[Sample]) -> None:
    """Compare the first tenth after the warm-up with the last tenth."""
    warm = [one for one in samples if one.at_s >= min(WARM_UP_S, samples[-1].at_s / 5)]
    tenth = max(1, len(warm) // 10)
    print(f"{samples[-1].at_s / 60:.1f} minutes, {len(samples)} samples")
    for name in ("resident", "threads", "descriptors"):
        first, last = (
            sum(getattr(one, name) for one in part) / tenth
            for part in (warm[:tenth], warm[-tenth:])
        )
        unit, scale = (" MiB", 2**20) if name == "resident" else ("", 1)
        print(
            f"{name}: {first / scale:.1f}{unit} after the warm-up, {last / scale:.1f}{unit} at the "
            f"end ({last / first - 1:+.2%})"
        )


def _print_accounts(summary: dict[str, Any], sent: dict[str, Any], code: int) -> None:
    """Compare frames and faults that were sent with those that were found."""
    captured, judged, health = summary["captured"], summary["judged"], summary["health"]
    dropped, faulty, frames = summary["dropped"], summary["faulty"], sent["frames"]
    adds = summary["balanced"] and captured == judged + dropped + faulty
    wrong = "" if adds else " (does not add up)"
    print(
        f"exit {code}; sent {frames} frames, captured {captured} = {judged} judged + {dropped} "
        f"dropped + {faulty} faulty{wrong}; {frames - captured} passed over"
    )
    injected = dict(sorted(sent["counts"].items()))
    for kind, count in injected.items():
        print(f"{kind}: sent {count}, counted {health[kind]} ({health[kind] / count - 1:+.1%})")
    of_frames = sum(count for kind, count in injected.items() if kind not in OUTAGES)
    outages = sum(injected.get(kind, 0) for kind in OUTAGES)
    print(f"faults sent: {of_frames} of {frames} frames, and {outages} outages")
    others = {kind: count for kind, count in health.items() if count and kind not in injected}
    print(f"other faults counted: {others or 'none'}")


def _print_times(path: Path, returns: Sequence[float], budget_ms: float) -> None:
    lines = list(read_verdicts(path))
    numbers = [line.frame for line in lines]
    twice = len(numbers) - len(set(numbers))
    totals = [line.steps_ns["total"] / 1e6 for line in lines]
    in_time = sum(total <= budget_ms + GRACE_MS for total in totals)
    late = sum(line.late for line in lines)
    print(f"{len(lines)} verdicts, {twice} frames have more than one")
    print(
        f"by {budget_ms:g} ms + {GRACE_MS:g} ms: {in_time / len(totals):.4%}; {late} by the "
        f"fail-safe; p50 {_quantile(totals, 0.5):.2f}, p99 {_quantile(totals, 0.99):.2f}, p99.9 "
        f"{_quantile(totals, 0.999):.2f}, longest {max(totals):.2f} ms"
    )
    judged = sorted(
        datetime.fromisoformat(line.captured_at.replace("Z", "+00:00")).timestamp()
        for line in lines
        if line.label is not None
    )
    waits = [next((at - back for at in judged if at >= back), math.inf) for back in returns]
    if waits:
        print(f"recovery after {len(waits)} outages: longest {max(waits):.2f} s")


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    run_script(main)
