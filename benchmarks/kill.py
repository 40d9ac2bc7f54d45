"""`edgecl run` killed with SIGKILL at random moments: is what it had acknowledged still there?

    python benchmarks/kill.py --model demo/shufflenet.edgecl [--kills 100] [--fps 100] [--seed 0]

Each round starts a stream that writes `verdicts.jsonl`, a journal that goes on over all starts
(`fsync=every`, rotated), an archive and a spool with a receiver in this process, and kills it: one
round in five while it starts, the others up to three seconds after its first verdict. Before each
kill it is read what the stores show; after it, every store is held to have at least that, in whole
records without gaps, with the same statuses. A last stream ends by itself; then the receiver must
have every verdict that any spool had. Exit code 1 where anything is torn, missing or not said.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.stream.sinks.journal import journal_files

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 300.0
LONGEST_S = 3.0
STARTING = 0.2
"""Share of the kills that come while the stream starts."""

Statuses = dict[int, str]


class Receiver:
    """A web server that has a verdict as soon as it has answered."""

    def __init__(self) -> None:
        self.runs: dict[str, Statuses] = defaultdict(dict)
        self.again = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Keep quiet: a killed client resets its connection."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        """Keep a verdict; one that is torn is no JSON, and raises."""
        line = json.loads(body)
        frames = self.runs[line["run"]]
        self.again += line["frame"] in frames
        frames[line["frame"]] = line["status"]


@dataclass
class Findings:
    """What went wrong, and what is worth telling of the rest."""

    wrong: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    behind: Counter[str] = field(default_factory=Counter)
    spooled: dict[str, Statuses] = field(default_factory=dict)
    verdicts: int = 0

    def hold(self, true: bool, problem: str) -> None:
        """Keep a problem, unless it is none."""
        if not true:
            self.wrong.append(problem)
            print(f"WRONG: {problem}", flush=True)


def main() -> int:
    """Kill, start again, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--fps", type=float, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        findings = kill_often(
            arguments.model.resolve(),
            Path(place),
            kills=arguments.kills,
            fps=arguments.fps,
            seed=arguments.seed,
        )
    print(f"kills: {dict(findings.kills)}; verdicts that were compared: {findings.verdicts}")
    print(f"said at the next start: {dict(findings.said)}")
    print(f"most verdicts in memory at a kill, behind verdicts.jsonl: {dict(findings.behind)}")
    print(f"torn, missing or not said: {len(findings.wrong)}")
    return 1 if findings.wrong else 0


def kill_often(model: Path, place: Path, *, kills: int, fps: float, seed: int) -> Findings:
    """Run and kill streams in a folder.

    Args:
        model: a bundle.
        place: an empty folder.
    """
    chance, receiver, findings = random.Random(seed), Receiver(), Findings()
    command = [
        *(sys.executable, "-m", "edgecl", "run", "--model", str(model)),
        *("--engine", "onnxruntime", "--precision", "fp32", "--threads", "1"),
        *("--camera", "demo", "--fps", f"{fps:g}", "--every-frame"),
        *("--sink", f"sqlite:{place}/line.sqlite"),
        *("--sink", f"jsonl:{place}/journal.jsonl?rotate=64KiB&fsync=every"),
        *("--sink", f"webhook:http://127.0.0.1:{receiver.port}/"),
    ]
    for number in range(kills):
        early = chance.random() < STARTING
        before = set(_folders(place))
        with _started(command, place, number) as stream:
            if early:
                time.sleep(chance.uniform(0.0, LONGEST_S))
            else:
                _wait_for_verdict(stream, place, before)
                time.sleep(chance.uniform(0.0, LONGEST_S))
            seen = _seen(place)
            stream.send_signal(signal.SIGKILL)
            stream.wait()
        ran = _check(place, set(_folders(place)) - before, seen, receiver, findings)
        findings.kills["in service" if ran else "at the start"] += 1
        _tell_said(place, number, findings)
        if (number + 1) % 10 == 0:
            print(f"{number + 1} kills, {len(findings.wrong)} findings", flush=True)
    with _started([*command, "--frames", "50"], place, kills) as stream:
        findings.hold(stream.wait(PATIENCE_S) == 0, "the last stream did not end with 0")
    _tell_said(place, kills, findings)
    _drain(place, receiver, findings)
    _check_end(place, receiver, findings)
    return findings


@contextlib.contextmanager
def _started(command: list[str], place: Path, number: int) -> Iterator[subprocess.Popen[bytes]]:
    with (place / f"err{number}").open("wb") as err:
        stream = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=err,
            cwd=place,
            env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        )
        try:
            yield stream
        finally:
            stream.kill()
            stream.wait()


def _folders(place: Path) -> list[Path]:
    streams = place / "streams"
    return sorted(streams.glob("2*")) if streams.exists() else []


def _wait_for_verdict(stream: subprocess.Popen[bytes], place: Path, before: set[Path]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not any(
        file.stat().st_size
        for folder in set(_folders(place)) - before
        for file in folder.glob("verdicts.jsonl")
    ):
        if stream.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the stream gave no verdict: {sorted(place.glob('err*'))[-1]}")
        time.sleep(0.01)


def _seen(place: Path) -> dict[str, int]:
    """Records that the stores show to others: these must be there after the kill."""
    return {"archive": len(_archived(place)), "journal": _journal_lines(place)}


def _archived(place: Path) -> list[tuple[str, int, str, str]]:
    """Run, frame, status and folder of each row."""
    path = place / "line.sqlite"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(path)) as database:
        try:
            return database.execute(
                "SELECT id, frame, status, folder FROM verdicts JOIN runs ON run = number "
                "ORDER BY run, frame"
            ).fetchall()
        except sqlite3.OperationalError:  # no tables yet
            return []


def _journal_lines(place: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in journal_files(place / "journal.jsonl"))


def _spooled(place: Path) -> dict[str, Statuses]:
    """Verdicts in the spool, read from a copy: the next start must find it as it is."""
    found: dict[str, Statuses] = defaultdict(dict)
    for path in (place / "streams" / "spool").glob("webhook-*.sqlite"):
        copy = place / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, copy / file.name)
        with (
            contextlib.closing(sqlite3.connect(copy / path.name)) as database,
            contextlib.suppress(sqlite3.OperationalError),  # no tables yet
        ):
            for (body,) in database.execute("SELECT body FROM verdicts ORDER BY seq"):
                line = json.loads(body)
                found[line["run"]][line["frame"]] = line["status"]
    return found


def _check(
    place: Path,
    folders: set[Path],
    seen: dict[str, int],
    receiver: Receiver,
    findings: Findings,
) -> bool:
    """Compare the stores after a kill; whether the stream had given verdicts."""
    rows = _archived(place)
    findings.hold(len(rows) >= seen["archive"], "rows of the archive are gone")
    findings.hold(_journal_lines(place) >= seen["journal"], "lines of the journal are gone")
    waiting = _spooled(place)
    for run, frames in waiting.items():
        findings.spooled.setdefault(run, {}).update(frames)
    ran = False
    for folder in folders:
        file = folder / "verdicts.jsonl"
        lines = _whole_lines(file.read_bytes() if file.exists() else b"", findings, str(folder))
        ran = ran or bool(lines)
        findings.verdicts += len(lines)
        mine = [row for row in rows if row[3] == str(folder)]
        run = mine[0][0] if mine else ""
        stores = {
            "archive": {frame: status for _, frame, status, _ in mine},
            "spool": {**receiver.runs.get(run, {}), **waiting.get(run, {})} if run else {},
        }
        findings.hold(list(lines) == list(range(len(lines))), f"{folder}: frames are missing")
        for name, frames in stores.items():
            whole = sorted(frames) == list(range(len(frames)))
            findings.hold(whole, f"{folder}: the {name} has gaps")
            same = all(lines[frame] == frames[frame] for frame in frames.keys() & lines.keys())
            findings.hold(same, f"{folder}: the {name} has other statuses")
            if run:
                lag = len(lines) - len(frames)
                findings.behind[name] = max(findings.behind[name], lag)
    return ran


def _whole_lines(data: bytes, findings: Findings, where: str) -> Statuses:
    """Frames of all lines but a torn last one."""
    found: Statuses = {}
    for text in data.split(b"\n")[:-1]:
        try:
            line = json.loads(text)
            found[line["frame"]] = line["status"]
        except ValueError:
            findings.hold(False, f"{where}: a line within the file is torn")
    return found


def _tell_said(place: Path, number: int, findings: Findings) -> None:
    """Count what a start said of the one before it."""
    text = (place / f"err{number}").read_text(encoding="utf-8", errors="replace")
    for name, words in {
        "stream": "the stream in streams/",
        "archive": "archived verdicts are whole",
        "spool": "verdicts of an earlier stream wait",
        "torn line": "torn line",
        "damage": "was damaged",
    }.items():
        findings.said[name] += words in text
    findings.hold("was damaged" not in text, f"start {number} found damage")
    findings.hold("Traceback" not in text, f"start {number} has a traceback")


def _drain(place: Path, receiver: Receiver, findings: Findings) -> None:
    """The last stream has delivered for a moment; what waits still is as good as delivered."""
    for run, frames in _spooled(place).items():
        receiver.runs[run].update(frames)


def _check_end(place: Path, receiver: Receiver, findings: Findings) -> None:
    for run, frames in findings.spooled.items():
        lost = frames.keys() - receiver.runs.get(run, {}).keys()
        findings.hold(not lost, f"{run}: {len(lost)} verdicts of the spool never came")
    for run, frames in receiver.runs.items():
        whole = sorted(frames) == list(range(len(frames)))
        findings.hold(whole, f"{run}: the receiver has gaps")
    data = b"".join(file.read_bytes() for file in journal_files(place / "journal.jsonl"))
    numbers = [json.loads(text)["frame"] for text in data.splitlines()]
    steps = pairwise(numbers)
    findings.hold(all(b in (a + 1, 0) for a, b in steps), "the journal has gaps")
    for folder in _folders(place)[:-1]:
        if (folder / "verdicts.jsonl").exists():
            told = (folder / "broken-off.txt").exists()
            findings.hold(told, f"{folder}: nobody said that it was broken off")
    with contextlib.closing(sqlite3.connect(place / "line.sqlite")) as database:
        findings.hold(
            database.execute("PRAGMA integrity_check").fetchall() == [("ok",)],
            "the archive is damaged",
        )


if __name__ == "__main__":
    run_script(main)
