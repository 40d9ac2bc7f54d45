"""Quick measurements for the tests of the command."""

from __future__ import annotations

import pytest

from runtime.benchmark import afterwards
from runtime.benchmark.measuring import in_turn
from runtime.benchmark.peaks import Peak, Peaks


@pytest.fixture(autouse=True)
def _peaks_known_beforehand(monkeypatch):
    peak = Peak(precision="fp32", gmac_s=50.0, engine="onnxruntime", product="none")
    peaks = Peaks(threads=1, products=(peak,), copy_gb_s=10.0, seconds=0.0)
    monkeypatch.setattr(afterwards, "measure_peaks", lambda threads: peaks)


@pytest.fixture(autouse=True)
def _quick_turns(monkeypatch):
    """Turns settle by count alone, and one window of queries is warm enough."""
    monkeypatch.setattr(in_turn, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("runtime.benchmark.run.is_stable", lambda windows, rule: True)
