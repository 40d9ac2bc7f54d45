"""Raw times under the names that `trtexec --exportTimes` gives them."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from runtime.benchmark.trtexec_times import trace_of, write_traces
from runtime.errors import InputError
from tests.edgecl.reporting.latency_reports import make_report

NAMES = {
    *("startInMs", "endInMs", "startComputeMs", "endComputeMs", "startOutMs", "endOutMs"),
    *("inMs", "computeMs", "outMs", "latencyMs"),
    *("startEnqMs", "endEnqMs", "startH2dMs", "endH2dMs", "startD2hMs", "endD2hMs"),
    *("h2dMs", "d2hMs"),
}


@pytest.fixture(scope="module")
def sides():
    return make_report(names=("one",), rounds=2).sides


def gpu_side(side):
    raw = {
        "preprocess": [1_000_000, 1_000_000],
        "upload": [100_000, 200_000],
        "infer": [2_000_000, 3_000_000],
        "download": [50_000, 50_000],
        "total": [4_000_000, 5_000_000],
    }
    return replace(side, raw_ns=raw, starts_ns=[])


def test_an_engine_with_memory_of_its_own(sides):
    first, second = trace_of(gpu_side(sides[0]))
    assert set(first) == NAMES
    assert first["startInMs"] == first["startH2dMs"] == 1.0
    assert first["endInMs"] == first["startComputeMs"] == pytest.approx(1.1)
    assert first["endComputeMs"] == first["startOutMs"] == pytest.approx(3.1)
    assert first["endOutMs"] == pytest.approx(3.15)
    assert (first["inMs"], first["computeMs"], first["outMs"]) == (0.1, 2.0, 0.05)
    assert first["latencyMs"] == pytest.approx(2.15)
    assert second["startInMs"] == pytest.approx(5.0)  # after the first one's total


def test_start_times_of_the_report_are_kept(sides):
    side = replace(gpu_side(sides[0]), starts_ns=[0, 33_000_000])
    assert [entry["startInMs"] for entry in trace_of(side)] == [1.0, 34.0]


def test_an_engine_in_the_hosts_memory_has_no_input_and_output(sides):
    entries = trace_of(sides[0])
    assert len(entries) == 20
    assert {entry["inMs"] for entry in entries} == {entry["outMs"] for entry in entries} == {0}
    assert entries[0]["latencyMs"] == entries[0]["computeMs"] == sides[0].raw_ns["infer"][0] / 1e6


def test_several_sides_have_a_file_each(sides, tmp_path):
    paths = write_traces(tmp_path / "times.json", sides)
    assert [path.name for path in paths][:2] == [
        "times-one-fp32-onnxruntime.json",
        "times-one-fp32-openvino.json",
    ]
    assert len(json.loads(paths[0].read_text())) == 20
    (alone,) = write_traces(tmp_path / "alone.json", sides[:1])
    assert alone == tmp_path / "alone.json"


def test_names_cannot_leave_the_folder_nor_replace_each_other(sides, tmp_path):
    hostile = [replace(side, label="../x y") for side in sides[:2]]
    paths = write_traces(tmp_path / "t.json", hostile)
    assert [path.parent for path in paths] == [tmp_path, tmp_path]
    assert len(set(paths)) == 2


def test_without_raw_times_nothing_is_written(sides, tmp_path):
    with pytest.raises(InputError, match="no raw times"):
        write_traces(tmp_path / "t.json", [sides[0], replace(sides[1], raw_ns={})])
    assert list(tmp_path.iterdir()) == []
