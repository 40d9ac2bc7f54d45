"""torch, torch.compile and NNCF as sides beside a bundle, with the run's own weights."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.rivals.sides import rival_plans
from runtime.artifact.bundle import load_bundle
from runtime.benchmark.advisor import advise
from runtime.benchmark.planning import plan_sides
from runtime.benchmark.report import read_report
from runtime.errors import InputError
from runtime.session.golden import read_golden
from runtime.stream.budget import parse_budget
from tests.edgecl.exporting.conftest import exported

__all__ = ["exported"]

SMALL = ("--frames", "6", "--warmup", "1", "--frame-size", "64x64", "--threads", "1")


def test_torch_answers_the_golden_images_as_the_trained_network_did(exported, trained_run):
    plans = plan_sides([exported.bundle], ["fp32"], ["onnxruntime"])
    rivals = {plan.label: plan for plan in rival_plans([trained_run], plans)}
    eager = rivals["line fp32 torch"]
    assert list(rivals)[:2] == ["line fp32 torch", "line fp32 torch.compile"]
    assert eager.opener is not None
    golden = read_golden(load_bundle(exported.bundle))
    assert golden is not None
    with eager.opener(1) as session:
        assert (session.engine, session.precision) == ("torch", "fp32")
        found = session.infer(golden.images).probabilities
    assert np.abs(found - golden.probabilities).max() < 0.05  # sharpened at export
    assert (found.argmax(axis=1) == golden.probabilities.argmax(axis=1)).all()


def test_rivals_stand_in_the_report_and_no_advice_takes_one(exported, trained_run, tmp_path, capfd):
    out = tmp_path / "out"
    beside = ("--engine", "onnxruntime", "--precision", "fp32", "--rivals", str(trained_run))
    assert edgecl(["bench", str(exported.bundle), "--out", str(out), *SMALL, *beside]) == 0
    report = read_report(out / "latency.json")
    sides = {side.engine: side for side in report.sides}
    assert not sides["onnxruntime"].rival
    assert sides["torch"].rival
    assert sides["torch"].accuracy.best_known == sides["onnxruntime"].accuracy.best_known
    assert sides["torch"].answers is not None
    assert (sides["torch"].answers.other_labels, sides["torch"].answers.faults) == (0, 0)
    assert "torch.compile" in {*sides, *(entry.label.split()[-1] for entry in report.left_out)}
    if importlib.util.find_spec("nncf") is None:
        assert any("nncf is not installed" in entry.reason for entry in report.left_out)
    else:
        assert sides["nncf"].accuracy.best_known is None  # nobody measured it
    options = advise(report, parse_budget("total=10s")).options
    assert [option.label for option in options] == [sides["onnxruntime"].label]
    page = (out / "latency.html").read_text()
    assert "torch" in page
    assert "rival" in json.loads((out / "latency.json").read_text())["sides"][1]


def test_a_run_of_no_bundle_is_refused(make_bundle, trained_run, tmp_path, capfd):
    plans = plan_sides([make_bundle()], [], ["onnxruntime"])
    with pytest.raises(InputError, match="none of the bundles was exported from the run"):
        rival_plans([Path(trained_run)], plans)
