"""An MQTT broker that is down for minutes beside a stream: does it cost a verdict or a deadline?

    python benchmarks/broker.py --model demo/shufflenet.edgecl [--down 300] [--up 60] [--fps 100]

Mosquitto and a subscriber with a session that lasts run on this machine. A stream at the built-in
line begins with the broker up for `--up` seconds; then the broker is stopped for `--down` seconds,
and started again. Once the spool is empty the stream is ended. A second stream runs beside it
without a sink: what the machine costs, both have. Printed are the verdicts, dropped frames, late
verdicts and times of each span, and which messages never came. Exit code 1 where a message is
missing, or a frame has no verdict.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.statistics import quantile
from runtime.stream.verdict import VerdictLine, read_verdicts

PATIENCE_S = 600.0
TOPIC = "plant/line-3"


class StoppableBroker:
    """Mosquitto, which keeps its sessions while it is stopped."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous true\n"
            f"max_queued_messages 0\npersistence true\npersistence_location {folder}/\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=-3, stdout=-3)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("mosquitto does not listen")

    def stop(self) -> None:
        """Stop it; it writes its sessions first."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


class LastingSubscriber:
    """Counts how often each frame's message came, across losses of the broker."""

    def __init__(self, port: int) -> None:
        from paho.mqtt import client as paho
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self.frames: Counter[int] = Counter()
        self._ready = threading.Event()
        lasting = Properties(PacketTypes.CONNECT)
        lasting.SessionExpiryInterval = 86_400
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="lasting", protocol=paho.MQTTv5
        )
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: client.subscribe(f"{TOPIC}/verdict", qos=1)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = lambda _, __, message: self._take(message.payload)
        client.connect("127.0.0.1", port, clean_start=False, properties=lasting)
        client.loop_start()
        if not self._ready.wait(PATIENCE_S):
            raise SystemExit("the subscriber has no subscription")

    def _take(self, body: bytes) -> None:
        self.frames[json.loads(body)["frame"]] += 1


def main() -> int:
    """Stop and start the broker beside a stream, then compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--down", type=float, default=300)
    parser.add_argument("--up", type=float, default=60)
    parser.add_argument("--fps", type=float, default=100)
    parser.add_argument("--budget-ms", type=float, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        return _compare(arguments, Path(place))


def _compare(arguments: argparse.Namespace, folder: Path) -> int:
    broker = StoppableBroker(folder)
    broker.start()
    subscriber = LastingSubscriber(broker.port)
    verdicts = folder / "run" / "verdicts.jsonl"
    sink = f"mqtt:mqtt://127.0.0.1:{broker.port}/{TOPIC}"
    stream = _started(arguments, folder / "run", "--spool", str(folder / "spool"), "--sink", sink)
    beside = _started(arguments, folder / "beside")
    try:
        _wait(lambda: bool(subscriber.frames), "a first message")
        time.sleep(arguments.up)
        broker.stop()
        down = time.time()
        time.sleep(arguments.down)
        up = time.time()
        broker.start()
        _wait(lambda: _behind(verdicts, subscriber) < 2 * arguments.fps, "it catches up")
        caught_up = time.time()
    finally:
        for process in (stream, beside):
            process.send_signal(signal.SIGINT)
            process.wait(60)
    summary = json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))
    lines = read_verdicts(verdicts)
    waiting = summary["sinks"][0]["waiting"]
    end = time.monotonic() + 60
    while len(subscriber.frames) < len(lines) - waiting and time.monotonic() < end:
        time.sleep(0.1)
    broker.stop()
    print(
        f"broker down for {up - down:.0f} s; all delivered {caught_up - up:.1f} s after its start"
    )
    others = read_verdicts(folder / "beside" / "verdicts.jsonl")
    first = _at(lines[0])
    for span, begin, end_s in (("up", first, down), ("down", down, up), ("up again", up, inf)):
        _tell(span, [line for line in lines if begin <= _at(line) < end_s])
        _tell("  without a sink", [line for line in others if begin <= _at(line) < end_s])
    missing = {line.frame for line in lines} - subscriber.frames.keys()
    again = sum(count - 1 for count in subscriber.frames.values())
    print(
        f"captured {summary['captured']} = judged {summary['judged']} + dropped "
        f"{summary['dropped']} + faulty {summary['faulty']}; {len(lines)} verdicts"
    )
    print(
        f"messages: {len(subscriber.frames)} of {len(lines)}, {again} came twice; lost "
        f"{summary['sinks'][0]['lost']}, in the spool {waiting}, missing {len(missing)}"
    )
    whole = summary["captured"] == summary["dropped"] + len(lines)
    return 0 if whole and len(missing) <= waiting and not summary["sinks"][0]["lost"] else 1


def _started(arguments: argparse.Namespace, out: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "edgecl", "run", "--model", str(arguments.model)),
            *("--engine", "onnxruntime", "--precision", "fp32", "--threads", "1"),
            *("--camera", "demo", "--fps", f"{arguments.fps:g}", "--every-frame"),
            *("--budget", f"total={arguments.budget_ms:g}ms", "--out", str(out), *options),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).resolve().parents[1],
    )


def _behind(verdicts: Path, subscriber: LastingSubscriber) -> int:
    return _newest(verdicts) - max(subscriber.frames)


def _tell(span: str, lines: Sequence[VerdictLine]) -> None:
    if not lines:
        print(f"{span}: no verdicts")
        return
    totals = np.sort([line.steps_ns["total"] / 1e6 for line in lines])
    dropped = lines[-1].frame - lines[0].frame + 1 - len(lines)
    late = sum(line.late for line in lines)
    print(
        f"{span}: {len(lines)} verdicts, {dropped} dropped, {late} late ({late / len(lines):.3%}); "
        f"total p50 {quantile(totals, 0.5):.2f}, p99 {quantile(totals, 0.99):.2f} ms"
    )


def _at(line: VerdictLine) -> float:
    return datetime.fromisoformat(line.captured_at.replace("Z", "+00:00")).timestamp()


def _newest(path: Path) -> int:
    tail = path.read_bytes()[-20_000:].rpartition(b"\n")[0].rpartition(b"\n")[2]
    return int(json.loads(tail)["frame"])


def _wait(done: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"never: {what}")
        time.sleep(0.1)


if __name__ == "__main__":
    run_script(main)
