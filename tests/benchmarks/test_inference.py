"""The inference benchmark runs to its end on a tiny case."""

from __future__ import annotations

import json
import sys

from benchmarks import inference

TINY = ("--encoder", "shufflenet", "--size", "32x48", "--threads", "1", "--rounds", "2")


def test_every_side_has_a_ratio_and_a_share_of_the_peak(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["inference.py", *TINY, "--runs", "1", "--json"])
    inference.main()
    report = json.loads(capsys.readouterr().out)
    case = report["cases"]["shufflenet"]
    assert report["threads"] == 1
    assert case["macs"] > 0
    assert case["rewrites"]
    sides = {(row["engine"], row["precision"], row["graph"]) for row in case["sides"]}
    assert {
        ("onnxruntime", precision, graph)
        for precision in ("fp32", "int8")
        for graph in ("as exported", "rewritten")
    } <= sides
    reference = case["sides"][0]
    assert (reference["engine"], reference["precision"]) == ("onnxruntime", "fp32")
    assert reference["ratio"] == reference["low"] == reference["high"] == 1
    for row in case["sides"]:
        assert row["median_ms"] > 0
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["share_of_peak"] > 0
        assert row["goal"] == 0  # a size of the user's own has none
    for speeds in case["peak"].values():
        assert all(speed > 0 for speed in speeds.values())
