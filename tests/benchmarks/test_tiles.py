"""The benchmark of tiles runs to its end on a tiny case."""

from __future__ import annotations

import json
import sys

from benchmarks import tiles
from runtime.session.opening import installed_engines

TINY = ("--encoder", "convnet", "--frame", "64x96", "--tile", "32x32", "--at-once", "1,4")


def test_every_way_has_a_ratio_to_the_frame_as_one_image(monkeypatch, capsys):
    arguments = (*TINY, "--threads", "1", "--rounds", "2", "--json")
    monkeypatch.setattr(sys, "argv", ["tiles.py", *arguments])
    tiles.main()
    rows = json.loads(capsys.readouterr().out)["cases"]["convnet"]
    assert [row["way"] for row in rows] == [
        "one image",
        "6 tiles, 1 at once",
        "6 tiles, 4 at once",
    ] * (2 * len(installed_engines()))
    for row in rows:
        assert row["median_ms"] > 0
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["way"] != "one image" or row["ratio"] == 1
