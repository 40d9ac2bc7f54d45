"""`edgecl bench --budget` ends with what to take, or with the step to blame."""

from __future__ import annotations

import json

import pytest

from edgecl.cli.bench import command as bench
from edgecl.cli.shell import run as edgecl
from runtime.benchmark.measuring import in_turn

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
