"""The benchmark of strips: its ranges, and that it knows where the camera is."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import strips
from runtime.surfaces.strip import Strip, Zone


@pytest.mark.parametrize(
    ("share", "name"),
    [(0, "none"), (0.29, "below 30 %"), (0.3, "30 to 60 %"), (0.99, "60 to 99 %"), (1, "all")],
)
def test_a_share_has_one_range(share, name):
    assert strips.range_of(share) == name


def test_the_share_of_a_window_is_that_of_all_its_zones():
    zones = (Zone(10, 20, "scratches"), Zone(25, 40, "patches"))
    strip = Strip(np.zeros((1, 60), np.uint8), zones)
    assert strip.defect_share(0, 10) == 0
    assert strip.defect_share(10, 10) == 1
    assert strip.defect_share(15, 20) == 0.75


def test_every_frame_is_judged(make_bundle, tmp_path, monkeypatch, capsys):
    bundle = make_bundle(tmp_path / "line.edgecl")
    options = ["--strips", "2", "--frames", "40"]
    monkeypatch.setattr(sys, "argv", ["strips.py", str(bundle), *options])
    strips.main()
    printed = capsys.readouterr().out
    # The model knows none of the strip's labels, so no frame is right.
    assert "2 strips of 40 frames: 0.0%" in printed
    counts = [int(line.rsplit(" of ", 1)[1]) for line in printed.splitlines() if "% of" in line]
    assert sum(counts) == 80
