"""Quick benchmarks for the tests of `edgecl bench`."""

from __future__ import annotations

import pytest

from runtime.benchmark.measuring import in_turn


@pytest.fixture(autouse=True)
def quick_turns(monkeypatch):
    """Turns settle by count alone, and one window of queries is warm enough."""
    monkeypatch.setattr(in_turn, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("runtime.benchmark.run.is_stable", lambda windows, rule: True)
