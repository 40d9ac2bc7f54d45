"""The training benchmark runs to its end on a tiny case."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "training.py"


def test_one_tiny_pair_gives_a_ratio():
    command = [sys.executable, str(SCRIPT), "--case", "convnet-32x32", "--pairs", "1"]
    done = subprocess.run(
        [*command, "--batch-size", "4", "--threads", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "autocast" in done.stdout
    assert "median ratio of 1 pairs" in done.stdout
    assert "goal" not in done.stdout  # a case of the user's own has none
