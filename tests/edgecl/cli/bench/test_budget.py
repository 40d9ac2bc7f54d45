"""`edgecl bench --budget` ends with what to take, or with the step to blame."""

from __future__ import annotations

import json
import shlex

import pytest
from msgspec.structs import replace

from edgecl.cli.bench import command as bench
from edgecl.cli.bench.scenario_lines import duration_line
from edgecl.cli.run.command import command as run_verb
from edgecl.cli.shell import run as edgecl
from edgecl.reporting.pages.bench.choice import advised_command
from runtime.benchmark import Scenario
from runtime.benchmark.facts.advice import Advice
from runtime.benchmark.measuring import in_turn
from tests.edgecl.reporting.latency_reports import ENGINES, make_report

SMALL = ("--frames", "6", "--warmup", "1", "--frame-size", "40x60", "--engine", "onnxruntime")


@pytest.fixture(autouse=True)
def _quick_turns(monkeypatch):
    monkeypatch.setattr(in_turn, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(
        bench, "measured_with_facts", lambda *given, **rest: given[3](lambda *told: None)
    )


def test_too_few_frames_prove_no_budget(make_bundle, tmp_path, capsys):
    out = tmp_path / "out"
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    code = edgecl(["bench", str(bundle), "--out", str(out), *SMALL, "--budget", "total=1s"])
    assert code == 1
    assert "takes --frames 3688, or more" in capsys.readouterr().out
    report = json.loads((out / "latency.json").read_text())
    assert report["advice"]["chosen"] == ""
    assert report["advice"]["budget_ms"] == {"total": 1000.0}
    assert "p99.9 of total takes" in (out / "latency.html").read_text()


def test_sides_differ_in_their_threads(make_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.session.opening.default_threads", lambda: 3)
    out = tmp_path / "out"
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    edgecl(["bench", str(bundle), "--out", str(out), *SMALL, "--budget", "total=1s"])
    sides = json.loads((out / "latency.json").read_text())["sides"]
    assert {side["threads"] for side in sides} == {1, 3}
    assert all(f"{side['threads']} thread" in side["label"] for side in sides)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--budget", "total"), "--budget"),
        (("--budget", "soon=20ms"), "soon"),
        (("--budget", "total=fast"), "fast"),
        (("--max-drop", "1"), "--budget"),
    ],
)
def test_what_is_no_budget_is_one_line(make_bundle, tmp_path, capsys, options, told):
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    assert edgecl(["bench", str(bundle), "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


def test_what_is_taken_is_told_as_a_command_that_runs_it():
    report = make_report(names=("my line",), engines=ENGINES[:1])
    first = replace(report.sides[0], threads=1, workers=2)
    advice = Advice(budget_ms={"total": 20.0}, chosen=first.label, conclusion="take it", options=())
    found = replace(report, sides=(first, report.sides[1]), advice=advice)
    command = advised_command(found)
    assert command == (
        "edgecl run --model 'my line.edgecl' --precision fp32 --engine onnxruntime --threads 1 "
        "--workers 2 --budget total=20ms"
    )
    with run_verb.make_context("run", [*shlex.split(command)[2:], "--camera", "0"]) as context:
        assert context.params["workers"] == 2  # the options are those of the verb
    assert advised_command(replace(found, advice=replace(advice, chosen=""))) == ""
    assert advised_command(report) == ""


def test_a_long_measurement_says_so_beforehand():
    scenario = Scenario((), kind="cadence", rate_hz=30.0, frames=3700)
    assert scenario.side_seconds == pytest.approx((3700 + 5 * scenario.rounds) / 30, abs=3)
    assert duration_line(24, 124.0).startswith("24 sides of 124 s each take 50 min; name")
    assert duration_line(1, 5.0) == ""
    assert duration_line(9, Scenario(()).side_seconds) == ""
