"""Several processes that want one engine, and one that dies while it builds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.engine.ready import ready_engine
from runtime.artifact.engine_file import read_engine_file
from tests.export.boxes import left_in, probe, with_tensorrt


@pytest.fixture
def bundle(make_bundle):
    return with_tensorrt(make_bundle(precisions=("fp16",)))


CHILD = """
import sys, time
from pathlib import Path
import tensorrt_rtx
from export.engine import ready
from runtime.artifact.bundle import load_bundle
from tests.export.boxes import probe

folder, mode = Path(sys.argv[1]), sys.argv[2]
real = ready.build_engine

def build(trt, model, options, **rest):
    with open(folder.parent / "builds", "a") as log:
        log.write("one\\n")
    engine = real(trt, model, options, **rest)
    if mode == "wait":
        # Inside the build: the lock is held, the engine is not written.
        (folder.parent / "building").touch()
        while not (folder.parent / "go").exists():
            time.sleep(0.01)
    return engine

ready.build_engine = build
path = ready.ready_engine(load_bundle(folder), "fp16", trt=tensorrt_rtx, probe=probe(tensorrt_rtx),
                          say=lambda line: print(line, flush=True))
print(path, flush=True)
"""


@pytest.fixture
def spawn(bundle, rtx):
    """Start a process that asks for the engine; `wait` keeps it in its build until `go` exists."""
    started = []

    def start(mode: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(bundle.path), mode],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def await_file(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.01)


def test_two_processes_that_start_together_build_once(bundle, spawn):
    first = spawn("wait")
    await_file(bundle.path.parent / "building", first)
    second = spawn("now")
    assert second.stdout is not None
    waiting = second.stdout.readline()
    assert f"another process (process {first.pid}) is building an engine in" in waiting
    (bundle.path.parent / "go").touch()
    told, also = first.communicate(timeout=60)[0], second.communicate(timeout=60)[0]
    assert told.splitlines()[-1] == also.splitlines()[-1]
    assert (bundle.path.parent / "builds").read_text().splitlines() == ["one"]
    read_engine_file(Path(told.splitlines()[-1]))


def test_whoever_waits_can_be_interrupted_and_the_builder_goes_on(bundle, spawn):
    first = spawn("wait")
    await_file(bundle.path.parent / "building", first)
    second = spawn("now")
    assert second.stdout is not None
    assert "waiting for it" in second.stdout.readline()
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=60) != 0
    (bundle.path.parent / "go").touch()
    read_engine_file(Path(first.communicate(timeout=60)[0].splitlines()[-1]))


def test_a_build_that_is_killed_leaves_no_engine_and_blocks_nobody(bundle, spawn, rtx):
    process = spawn("wait")
    await_file(bundle.path.parent / "building", process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert left_in(bundle) == []
    said: list[str] = []
    ready_engine(bundle, "fp16", trt=rtx, probe=probe(rtx), say=said.append)
    assert not any("another process" in line for line in said)
