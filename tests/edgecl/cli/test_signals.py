"""SIGTERM and a lost terminal end every verb as Ctrl-C does, also in a container."""

from __future__ import annotations

import functools
import json
import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from edgecl.cli.signals import ended_like_ctrl_c, stop_signals
from tests.edgecl.command import start

UNSHARE = ("unshare", "--fork", "--pid", "--kill-child")


@pytest.fixture
def endless(make_bundle, tmp_path, monkeypatch) -> list[object]:
    """A stream that nothing but a signal ends."""
    monkeypatch.chdir(tmp_path)
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    command = ["run", "--model", bundle, "--engine", "onnxruntime", "--camera", "demo"]
    return [*command, "--fps", "200", "--out", "o"]


@functools.cache
def has_pid_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True).returncode == 0


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    # A long wait: it ends a hang, and a crowded machine may take minutes to get here.
    deadline = time.monotonic() + 400
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)


def begun(*arguments: object, **options) -> subprocess.Popen[str]:
    process = start(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    wait_for(Path("o/verdicts.jsonl"), process)
    return process


def summary() -> dict[str, object]:
    found: dict[str, object] = json.loads(Path("o/summary.json").read_text())
    return found


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_what_is_sent_twice_at_once_ends_a_stream_with_its_summary(endless, number):
    process = begun(*endless)
    for _ in range(3):  # as the kernel, the shell and `timeout` do
        process.send_signal(number)
        time.sleep(0.01)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert (summary()["interrupted"], summary()["balanced"]) == (True, True)


def test_a_terminal_that_is_gone_takes_no_summary_along(endless):
    keyboard, screen = pty.openpty()
    process = start(*endless, stdin=screen, stdout=screen, stderr=screen, start_new_session=True)
    os.close(screen)
    wait_for(Path("o/verdicts.jsonl"), process)
    os.close(keyboard)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 130
    assert summary()["balanced"] is True


def test_nohup_lets_a_stream_go_on(endless):
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process = begun(*endless, "--frames", "150", preexec_fn=ignore)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert summary()["interrupted"] is False


def begun_bench(make_bundle, tmp_path, monkeypatch, **options) -> subprocess.Popen[str]:
    """A benchmark that nothing but a signal ends, in its folder."""
    monkeypatch.chdir(tmp_path)
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    size = ["--frames", "1000000", "--warmup", "0", "--frame-size", "40x60"]
    command = ["bench", bundle, "--engine", "onnxruntime", *size]
    process = start(*command, stderr=subprocess.PIPE, **options)
    assert process.stderr is not None
    process.stderr.readline()
    return process


def training(class_folders: Path, run: Path) -> list[object]:
    quick = ["--image-size", "32x32", "--method", "none", "--batch-size", "16", "--autocast", "off"]
    long = ["--epochs", "500", "--patience", "500"]  # a signal that is lost fails, and hangs nobody
    return ["train", "--data", class_folders, *quick, *long, "--out", run]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_training_clears_up_and_says_one_line(class_folders, tmp_path, number):
    run = tmp_path / "run"
    process = start(*training(class_folders, run), stderr=subprocess.PIPE)
    wait_for(run / "checkpoint.pt", process)
    process.send_signal(number)
    process.send_signal(number)  # sent twice is asked once
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert [line for line in err.splitlines() if line.startswith("edgecl")] == [
        "edgecl: interrupted"
    ]
    assert "Traceback" not in err
    assert not list(run.glob(".*")), "a temporary file was left behind"


@pytest.fixture
def namespaces() -> None:
    if not has_pid_namespaces():
        pytest.skip("this machine lets nobody make a process number 1 (unshare --pid)")


def end_process_1(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send the only child of `unshare` a signal, which the kernel passes on to handlers alone."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    return err


@pytest.mark.usefixtures("namespaces")
def test_a_bench_that_is_process_1_obeys(make_bundle, tmp_path, monkeypatch):
    """As any verb but `run`, which hears signals in its own way."""
    process = begun_bench(make_bundle, tmp_path, monkeypatch, before=UNSHARE)
    assert end_process_1(process, signal.SIGTERM).splitlines()[-1] == "edgecl: interrupted"


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_stream_that_is_process_1_obeys(endless, number):
    end_process_1(begun(*endless, before=UNSHARE), number)
    assert (summary()["interrupted"], summary()["balanced"]) == (True, True)


def test_a_bench_that_is_ended_leaves_no_folder(make_bundle, tmp_path, monkeypatch):
    process = begun_bench(make_bundle, tmp_path, monkeypatch)
    assert [path.parent.name for path in Path().glob("bench/*")] == ["bench"]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert not Path("bench").exists()


def test_ranks_of_torchrun_are_left_to_torchrun(monkeypatch):
    from edgecl.cli.signals import ended_like_ctrl_c

    with ended_like_ctrl_c():
        assert callable(signal.getsignal(signal.SIGTERM))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with ended_like_ctrl_c():
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_at_the_start_ends_the_stream_all_the_same():
    """In a finaliser, as in a callback of an import, an exception is printed and forgotten."""

    class Struck:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with ended_like_ctrl_c():
        struck = Struck()
        del struck
        with stop_signals() as received:
            assert received == [signal.SIGINT]
    with ended_like_ctrl_c(), stop_signals() as received:
        assert received == []
