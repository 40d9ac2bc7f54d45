"""The benchmark of tiles runs to its end on a tiny case."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from runtime.session.opening import installed_engines

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "tiles.py"
TINY = ("--encoder", "convnet", "--frame", "64x96", "--tile", "32x32", "--at-once", "1,4")


def test_every_way_has_a_ratio_to_the_frame_as_one_image():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *TINY, "--threads", "1", "--rounds", "2", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["cases"]["convnet"]
    assert [row["way"] for row in rows] == [
        "one image",
        "6 tiles, 1 at once",
        "6 tiles, 4 at once",
    ] * (2 * len(installed_engines()))
    for row in rows:
        assert row["median_ms"] > 0
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["way"] != "one image" or row["ratio"] == 1
