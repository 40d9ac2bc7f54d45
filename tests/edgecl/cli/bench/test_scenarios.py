"""`edgecl bench` in its scenarios, with lone files, and with options that make no sense."""

from __future__ import annotations

import json
from typing import get_args

import click
import pytest

from edgecl.cli.bench import command as bench
from edgecl.cli.bench.scenario_options import SCENARIOS
from edgecl.cli.shell import run as edgecl
from runtime.benchmark import Scenario, run_benchmark
from runtime.benchmark.facts.scenario import Driver, ScenarioKind
from runtime.benchmark.scenario import BATCH, STREAMS

SMALL = ("--frames", "6", "--warmup", "1", "--frame-size", "40x60", "--engine", "onnxruntime")


@pytest.fixture(autouse=True)
def _times_alone(monkeypatch):
    """No page, and nothing measured after the times: those are other files'."""
    monkeypatch.setattr("edgecl.reporting.pages.latency.latency_page", lambda report: report)
    monkeypatch.setattr(
        bench, "measured_with_facts", lambda *given, **rest: given[3](lambda *told: None)
    )


@pytest.fixture
def measured(make_bundle, tmp_path):
    """`measured(*options)` returns the report of the tiny bundle as JSON."""

    def measure(*options):
        out = tmp_path / "out"
        bundle = make_bundle(tmp_path / "tiny.edgecl")
        assert edgecl(["bench", str(bundle), "--out", str(out), *SMALL, *options]) == 0
        return json.loads((out / "latency.json").read_text())

    return measure


def test_the_choices_are_those_of_the_types():
    assert get_args(ScenarioKind) == SCENARIOS
    defaults = {option.name: option.default for option in bench.command.params}
    assert (defaults["streams"], defaults["batch"]) == (STREAMS, BATCH)
    (driver,) = (option for option in bench.command.params if option.name == "driver")
    assert isinstance(driver.type, click.Choice)
    assert tuple(driver.type.choices) == get_args(Driver)


def test_several_frames_per_query(measured, capfd):
    report = measured("--scenario", "multi-stream", "--streams", "3")
    printed = capfd.readouterr().out
    assert "ms per 3 frames" in printed
    assert "frames/s" in printed
    assert report["scenario"]["kind"] == "multi-stream"
    assert (report["scenario"]["frames"], report["scenario"]["frames_per_query"]) == (18, 3)
    side = report["sides"][0]
    assert len(side["raw_ns"]["total"]) == len(side["starts_ns"]) == 6
    assert side["throughput"]["frames_per_s"] > 0
    assert side["harness_us"] >= 0
    assert side["warm_up"]["queries"] >= 1


def test_batch_after_batch(measured):
    report = measured("--scenario", "offline", "--batch", "4", "--frames", "24")
    assert report["scenario"]["frames"] == 24
    side = report["sides"][0]
    assert len(side["raw_ns"]["total"]) == 6
    assert side["throughput"]["interval"][0] <= side["throughput"]["frames_per_s"]
    assert "too_few_frames" not in {finding["code"] for finding in side["findings"]}


def test_arrivals_at_random_within_a_bound(measured, capfd):
    report = measured("--scenario", "server", "--rate", "500", "--bound", "10s")
    printed = capfd.readouterr().out
    assert "server, 500 frames/s" in printed
    assert "100.00% within 10000 ms" in printed
    side = report["sides"][0]
    assert (report["scenario"]["rate_hz"], report["scenario"]["bound_ms"]) == (500, 10_000)
    assert side["bound"]["within"] == 1
    assert side["schedule"]["arrivals"] == 6
    assert "wait" in side["steps"]


def test_frames_at_the_lines_rate(measured):
    report = measured("--cadence", "5ms")
    assert report["scenario"]["kind"] == "cadence"
    assert report["scenario"]["rate_hz"] == pytest.approx(200)
    side = report["sides"][0]
    assert {"wait", "capture", "health", "queue", "age", "emit", "total"} <= set(side["steps"])
    assert side["jitter"]["ends_std_ms"] is None  # a frame per turn has no frame before it
    assert side["schedule"]["arrivals"] == 6


def test_a_soak_goes_on_for_its_time(make_bundle):
    scenario = Scenario(
        (make_bundle(),),
        engines=("onnxruntime",),
        frame_size=(40, 60),
        soak_minutes=0.1 / 60,
    )
    report = run_benchmark(scenario)
    assert report.environment.wall_s >= 0.1
    assert report.scenario.soak_minutes == scenario.soak_minutes
    assert report.scenario.rounds == len(report.order) >= 2
    assert len(report.sides[0].raw_ns["total"]) == report.scenario.frames


def test_lone_files_are_sides(make_bundle, tmp_path):
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    lone = bundle / "model.fp32.onnx"
    scenario = Scenario(
        (bundle, lone, lone),
        engines=("onnxruntime",),
        frames=6,
        frame_size=(40, 60),
    )
    whole, first, second = run_benchmark(scenario).sides
    assert whole.digest is not None
    assert (first.digest, first.accuracy.test, first.precision) == (None, None, "fp32")
    assert first.label == "tiny.edgecl/model.fp32.onnx onnxruntime"
    assert second.label != first.label
    assert first.bytes == lone.stat().st_size
    assert first.answers is not None
    assert (first.answers.golden, first.valid) == (0, False)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--cadence", "30"), "cadence '30': the unit is missing"),
        (("--cadence", "fast"), "'fast' is not a time"),
        (("--cadence", "0fps"), "is not above 0"),
        (("--scenario", "server"), "scenario server has no rate"),
        (("--scenario", "cadence"), "scenario cadence has no rate"),
        (("--scenario", "server", "--rate", "abc"), "'abc' is not a valid float"),
        (("--scenario", "server", "--rate", "0"), "0.0 is not in the range"),
        (("--scenario", "server", "--rate", "nan"), "nan"),
        (("--scenario", "server", "--rate", "9", "--bound", "20"), "the unit is missing"),
        (("--scenario", "multi-stream", "--streams", "0"), "0 is not in the range"),
        (("--scenario", "offline", "--batch", "-1"), "-1 is not in the range"),
        (("--soak", "0"), "0.0 is not in the range"),
        (("--scenario", "burst"), "'burst' is not one of"),
        (("--streams", "2"), "--streams only affects --scenario multi-stream"),
        (("--batch", "2"), "--batch only affects --scenario offline"),
        (("--rate", "2"), "--rate only affects --scenario server"),
        (("--cadence", "30fps", "--bound", "2ms"), "--bound only affects --scenario server"),
        (("--scenario", "offline", "--cadence", "30fps"), "--cadence is the rate of"),
        (("--workers", "2"), "--workers only affects --scenario cadence"),
        (("--cadence", "30fps", "--workers", "0"), "0 is not in the range"),
        (("--soak", "1", "--frames", "9"), "--frames counts frames, but --soak"),
        (
            ("--cadence", "30fps", "--driver", "loadgen"),
            "the driver LoadGen takes single-stream and offline",
        ),
    ],
)
def test_what_makes_no_sense_ends_in_one_line(make_bundle, tmp_path, capfd, options, problem):
    out = tmp_path / "out"
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    assert edgecl(["bench", str(bundle), "--out", str(out), *options]) == 2
    error = capfd.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("none.onnx", (), "no model found at"),
        ("lone.onnx", ("--precision", "int8"), "is a single file"),
        ("built.engine", (), "no NVIDIA device found"),
    ],
)
def test_lone_files_that_cannot_be_used(tmp_path, capfd, monkeypatch, name, options, problem):
    monkeypatch.setattr("runtime.session.built.has_device", lambda: False)
    if name != "none.onnx":
        (tmp_path / name).write_bytes(b"")
    assert edgecl(["bench", str(tmp_path / name), "--out", str(tmp_path / "o"), *options]) == 2
    error = capfd.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
