"""Standard output and error whose reader, disk or terminal is gone."""

from __future__ import annotations

import errno
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.standard_streams import SteadyOutput, SteadyText

GUARD = "import os, sys\nfrom runtime.standard_streams import *\nguard_standard_streams()\n"


def python(code: str, **options) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", GUARD + code], timeout=60, **options)


def close_all(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more until somebody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
        return reader, writer


def text_over(descriptor: int, *, patience_s: float | None, lasting: bool = False) -> SteadyText:
    output = SteadyOutput(descriptor, "<test>", patience_s=patience_s, lasting=lasting)
    return SteadyText(io.BufferedWriter(output), encoding="utf-8", line_buffering=True)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)])
def test_no_file_gets_the_number_of_a_stream_that_was_closed(tmp_path, closed):
    code = (
        f"file = open({str(tmp_path / 'data')!r}, 'wb')\n"
        "assert file.fileno() > 2, file.fileno()\n"
        "os.write(2, b'native'); print('out'); print('err', file=sys.stderr)\n"
        "import subprocess\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n"
        "problem = problem_of_standard_output()\n"
        f"assert (problem is not None) == {1 in closed}, problem\n"
    )
    done = python(code, preexec_fn=lambda: close_all(closed))
    assert done.returncode == 0
    assert (tmp_path / "data").read_bytes() == b""


def test_a_full_disk_behind_both_streams_raises_nothing_and_is_remembered():
    code = (
        "import traceback, warnings\n"
        "print('x' * 100_000); print('y' * 100_000, file=sys.stderr); warnings.warn('w')\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: traceback.print_exc()\n"
        "sys.exit(problem_of_standard_output().errno)\n"
    )
    with open("/dev/full", "wb") as full:
        assert python(code, stdout=full, stderr=full).returncode == errno.ENOSPC


def test_a_reader_that_has_enough_is_no_problem():
    reader, writer = os.pipe()
    os.close(reader)
    code = "print('x' * 100_000)\nsys.exit(0 if problem_of_standard_output() is None else 1)"
    done = python(code, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_stalled_reader_of_standard_error_holds_nothing_up():
    reader, writer = full_pipe()
    done = python("for _ in range(1000): print('z' * 5000, file=sys.stderr)", stderr=writer)
    os.close(reader)
    os.close(writer)
    assert done.returncode == 0


def test_a_stalled_terminal_holds_nothing_up():
    keyboard, screen = pty.openpty()
    code = "for _ in range(1000): print('z' * 5000, file=sys.stderr)\nassert sys.stderr.isatty()"
    done = python(code, stderr=screen)
    os.close(keyboard)
    os.close(screen)
    assert done.returncode == 0


def test_what_comes_after_a_stall_is_written_again():
    reader, writer = full_pipe()
    text = text_over(writer, patience_s=0.01)
    text.write("lost\n")
    os.read(reader, 2**20)
    text.write("kept\n")
    assert os.read(reader, 100) == b"kept\n"
    os.close(reader)
    os.close(writer)


def test_standard_output_waits_for_its_reader():
    code = "print('x' * 300_000, end='')"
    process = subprocess.Popen([sys.executable, "-c", GUARD + code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert len(process.stdout.read()) == 300_000
    assert process.wait(timeout=60) == 0


def test_what_a_result_begins_with_is_never_followed_by_its_end(tmp_path):
    """Of a result only a beginning may be left, of a log each line is tried."""
    kept = {}
    for lasting in (True, False):
        path = tmp_path / str(lasting)
        code = (
            "import resource, signal\n"
            f"handle = os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
            "from runtime.standard_streams import SteadyOutput\n"
            f"output = SteadyOutput(handle, 'x', patience_s=1, lasting={lasting})\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))\n"
            "output.write(b'0123456789abc')\n"
            "os.ftruncate(handle, 0)\n"
            "output.write(b'next')\n"
        )
        assert python(code).returncode == 0
        kept[lasting] = path.read_bytes()
    assert kept == {True: b"", False: b"next"}


def test_no_password_of_an_address_is_written(tmp_path):
    """Not by a traceback of a library either."""
    with open(tmp_path / "log", "wb") as file:
        text = text_over(file.fileno(), patience_s=1)
        line = "ValueError: rtsp://admin:geheim@camera/1\n"
        assert text.write(line) == len(line)
        print("http://camera/video?pwd=geheim", file=text)
        text.writelines(["http://admin:ge@heim@camera/\n"])
    written = (tmp_path / "log").read_text()
    assert "heim" not in written
    assert "rtsp://admin:***@camera/1" in written


def test_native_output_is_silenced_and_ours_is_not():
    code = "silence_native_output(); os.write(2, b'native'); print('ours', file=sys.stderr)"
    assert python(code, stderr=subprocess.PIPE).stderr == b"ours\n"


def test_encoding_and_unprintable_names_are_as_they_were():
    code = "print('scratch_\\udce4.png', sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.mode)"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1:strict"}
    done = python(code, stdout=subprocess.PIPE, env=environment)
    assert done.stdout.split() == [rb"scratch_\udce4.png", b"iso8859-1", b"False", b"w"]


def test_a_stream_of_a_test_runner_stays(capfd):
    from runtime.standard_streams import guard_standard_streams

    before = sys.stdout, sys.stderr
    guard_standard_streams()
    assert (sys.stdout, sys.stderr) == before
    assert Path("/dev/null").exists()
