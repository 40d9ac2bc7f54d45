"""Queries that MLCommons' LoadGen issues, and what is read of its summary."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from runtime.artifact.bundle import load_bundle
from runtime.benchmark.frames import draw_frames
from runtime.benchmark.measuring.loadgen import UnderLoadGen, joined
from runtime.benchmark.planning import Plan
from runtime.benchmark.sides import TOTAL, Side
from runtime.errors import InputError

with_loadgen = pytest.mark.skipif(
    importlib.util.find_spec("mlperf_loadgen") is None,
    reason="LoadGen is not installed: pip install 'edgecl[loadgen]'",
)
FRAMES = draw_frames(40, 60, seed=0)


@pytest.fixture
def side(make_bundle):
    opened = Side(Plan("tiny", load_bundle(make_bundle()), "fp32", "onnxruntime"), threads=1)
    yield opened
    opened.close()


@with_loadgen
def test_loadgen_sees_what_a_query_takes(side, capfd):
    asker = UnderLoadGen(side, FRAMES, "single-stream", 1)
    turn = asker.ask(80, 0)
    assert all(len(times) == 80 for times in turn.times.values())
    assert turn.loadgen is not None
    assert turn.loadgen.p90_ms is not None
    own = float(np.quantile(turn.times[TOTAL], 0.9)) / 1e6
    assert turn.loadgen.p90_ms > 0.5 * own
    assert turn.loadgen.samples_per_s is None
    assert turn.faults == 0
    assert capfd.readouterr().out == ""  # --json stays JSON


@with_loadgen
def test_offline_has_all_frames_at_once_and_judges_them_in_batches(side):
    turn = UnderLoadGen(side, FRAMES, "offline", 4).ask(5, 1)
    assert len(turn.times[TOTAL]) == 5
    assert turn.loadgen is not None
    assert turn.loadgen.samples_per_s is not None
    assert turn.loadgen.p90_ms is None
    both = joined([turn.loadgen, turn.loadgen])
    assert both == turn.loadgen


@with_loadgen
def test_a_side_that_fails_ends_the_test_with_its_own_error(side, monkeypatch):
    def fail(batch):
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(side.session, "infer", fail)
    with pytest.raises(RuntimeError, match="the device is gone"):
        UnderLoadGen(side, FRAMES, "single-stream", 1).ask(10, 0)


def test_without_loadgen_the_extra_is_named(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(InputError, match="LoadGen is not installed") as caught:
        UnderLoadGen(None, FRAMES, "single-stream", 1)  # type: ignore[arg-type]
    assert "edgecl[loadgen]" in (caught.value.hint or "")
