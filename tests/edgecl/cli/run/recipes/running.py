"""A stream of `edgecl run` in a process of its own, which commands are sent to."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.stream.control.socket import is_listening
from tests.edgecl.command import start

PATIENCE_S = 120.0


@contextmanager
def running(*arguments: object, out: str = "o") -> Iterator[subprocess.Popen[str]]:
    """Run a stream until the block ends, from its first verdict on."""
    process = start(
        "run",
        *("--engine", "onnxruntime", "--camera", "demo", "--fps", "50", "--out", out),
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:

        def judges() -> bool:
            assert process.poll() is None, process.communicate()
            return is_listening(Path(out)) and bool(verdicts(out))

        until(judges)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def until(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """End a stream with Ctrl-C; its exit code, and what it said."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, err


def verdicts(out: str = "o") -> list[dict[str, Any]]:
    """The whole lines that are there by now."""
    path = Path(out) / "verdicts.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]
