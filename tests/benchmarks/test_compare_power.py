"""The benchmark of comparisons measures, slows a side down, goes on where it was, and counts."""

from __future__ import annotations

import sys

from benchmarks import compare_power
from benchmarks.compare_power import conclude
from tests.runtime.benchmark.comparison.drawn_reports import NEW, OLD, run, write


def test_it_counts_calls_among_pairs_and_finds_of_slowed_runs(tmp_path, capsys):
    for number in (1, 2):
        write(tmp_path / f"same-0{number}.json", run(number, steps=("total",)))
    slowed = run(5, slower=0.15, steps=("total",))
    write(tmp_path / "slowed-02.json", slowed)
    conclude(tmp_path)
    pairs, between, within = capsys.readouterr().out.strip().split("\n\n")
    assert pairs.startswith("2 reports of the same thing, 1 pairs")
    assert f"{NEW} against {OLD}: 1 no difference shown" in pairs
    assert f"{NEW} against {OLD}: 1 slower; ratio 1.1" in between
    assert f"{NEW}: 1 slower; ratio 1.1" in within


def test_a_side_is_really_slowed_and_a_report_is_not_measured_twice(
    make_bundle, tmp_path, monkeypatch, capsys
):
    command = ["compare_power.py", "--model", str(make_bundle()), "--out"]
    command += [str(tmp_path / "out"), "--reports", "1", "--minutes", "0.01", "--slower", "1"]
    command += ["--precision", "fp32", "--engines", "onnxruntime", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", command)
    compare_power.main()  # a process for each report
    first = capsys.readouterr().out
    assert "slowed-01.json: " in first
    assert ": 1 slower; ratio" in first.split("the same 1 runs")[1]
    compare_power.main()
    again = capsys.readouterr().out
    assert "slowed-01.json: " not in again
    assert "the same 1 runs" in again
