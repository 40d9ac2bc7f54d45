"""What the README's images are made of; the photographs themselves need a browser."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from docs import screenshots
from docs.check import ROOT
from edgecl.cli.shell import run as edgecl
from runtime.benchmark import Scenario, run_benchmark
from runtime.files.document import to_text
from runtime.stream.summary import read_summary


def test_the_terminal_shows_both_commands(workplace, capsys):
    assert edgecl(["run", "--camera", "parts", "--out", "stream", "--json"]) == 0
    summary = read_summary(workplace / "stream" / "summary.json")
    assert json.loads(capsys.readouterr().out) == json.loads(to_text(summary))
    report = run_benchmark(Scenario([workplace / "line.edgecl"], engines=["onnxruntime"], frames=5))
    page = screenshots.terminal_page(
        [
            ("edgecl run --camera parts", screenshots.show_stream(summary)),
            ("edgecl bench line.edgecl", screenshots.show_report(report, sides=1)),
        ]
    )
    assert "captured 9 = judged 9 + dropped 0 + faulty 0" in page
    assert "line fp32 onnxruntime" in page
    assert "5 frames are too few for p99" in page
    assert 'color: #6ecd82; text-decoration-color: #6ecd82">pass 3' in page  # in green
    assert capsys.readouterr().out == ""


def test_empty_rows_at_the_foot_are_cut():
    pixels = np.full((100, 8, 3), 255, np.uint8)
    pixels[40] = 0
    assert screenshots.trimmed(pixels, margin=5).shape == (46, 8, 3)
    assert screenshots.trimmed(pixels[50:], margin=5).shape == (50, 8, 3)


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "images").glob("*.png")), ids=str)
def test_images_are_small(path):
    assert path.stat().st_size <= screenshots.LARGEST
    assert cv2.imread(str(path)) is not None
