"""Standard output or error that is full, closed or not read: the work goes on, the code is true."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from tests.edgecl.command import finish

FULL = "No space left on device"


@pytest.fixture
def stream(make_bundle, tmp_path, monkeypatch) -> list[object]:
    """A stream of 30 frames, quickly."""
    monkeypatch.chdir(tmp_path)
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    start_of_it = ["run", "--model", bundle, "--engine", "onnxruntime", "--camera", "demo"]
    return [*start_of_it, "--fps", "300", "--frames", "30", "--every-frame", "--out", "o"]


def judged_all() -> bool:
    verdicts = Path("o/verdicts.jsonl").read_text().splitlines()
    summary = json.loads(Path("o/summary.json").read_text())
    return len(verdicts) == 30 == summary["judged"] and summary["balanced"] is True


@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_standard_error_on_a_full_disk_does_not_end_a_stream(stream, debug):
    with open("/dev/full", "w") as full:
        assert finish(*stream, *debug, stderr=full)[0] == 0
    assert judged_all()


@pytest.mark.parametrize("closed", [(2,), (1, 2), (0, 1, 2)])
def test_streams_that_were_closed_get_into_no_file(stream, closed):
    def close_all() -> None:
        for descriptor in closed:
            os.close(descriptor)

    code, _, _ = finish(*stream, preexec_fn=close_all)
    assert code == 0
    assert judged_all()


def test_a_reader_of_standard_error_that_stalls_or_goes_does_not_hold_a_stream(stream):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writer, bytes(4096)):
            pass
    os.set_blocking(writer, True)
    assert finish(*stream, stderr=writer)[0] == 0
    assert judged_all()
    os.close(reader)
    assert finish(*stream[:-1], "gone", stderr=writer)[0] == 0
    os.close(writer)
    assert Path("gone/summary.json").is_file()


def without_reader(*arguments: object) -> tuple[int, str]:
    reader, writer = os.pipe()
    os.close(reader)
    code, _, err = finish(*arguments, stdout=writer)
    os.close(writer)
    return code, err


def test_a_reader_that_went_away_leaves_the_code_to_the_work(stream):
    assert without_reader("doctor", "--json") == (0, "")
    assert without_reader(*stream)[0] == 0
    failing = ["--budget", "total=1us", "--max-misses", "0.1", "--out", "late"]
    code, err = without_reader(*stream[:-2], *failing)
    assert code == 1
    assert "missed the budget" in err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments", [["doctor", "--json"], ["--help"], ["--version"], ["run", "-h"]]
)
def test_what_only_standard_output_holds_is_lost_with_it(arguments):
    with open("/dev/full", "w") as full:
        code, _, err = finish(*arguments, stdout=full)
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith(f"edgecl: cannot write to standard output ({FULL})")


def test_results_that_are_in_files_are_named_where_standard_output_is_full(stream):
    with open("/dev/full", "w") as full:
        code, _, err = finish(*stream, stdout=full)
        assert code == 0
        assert err.splitlines()[-1].endswith(f"({FULL}); the results are in o [output-lost]")
        code, _, err = finish(*stream[:-1], "asked", "--json", stdout=full)
    assert code == 2
    assert "the results are in asked" in err.splitlines()[-1]
    assert judged_all()


def test_a_document_that_was_asked_for_is_lost_where_standard_output_is_closed(stream):
    def close_output() -> None:
        os.close(1)

    code, _, err = finish(*stream, preexec_fn=close_output)
    assert code == 0, "verdicts and summary are in files"
    code, _, err = finish(*stream[:-1], "asked", "--json", preexec_fn=close_output)
    assert code == 2
    told = "cannot write to standard output (it is closed); the results are in asked"
    assert told in err.splitlines()[-1]
    assert Path("asked/summary.json").is_file()


def test_a_gate_that_failed_stays_failed_where_standard_output_is_full(stream):
    failing = ["--budget", "total=1us", "--max-misses", "0.1", "--out", "late"]
    with open("/dev/full", "w") as full:
        code, _, err = finish(*stream[:-2], *failing, stdout=full)
    assert code == 1
    assert [line.startswith("edgecl: ") for line in err.splitlines()[-2:]] == [True, True]
