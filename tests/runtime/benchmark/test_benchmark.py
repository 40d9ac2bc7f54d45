"""The benchmark: sides take turns, raw times are kept, and trust follows stated rules."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from runtime.artifact.tiling import Tiling
from runtime.benchmark import (
    SCHEMA,
    Scenario,
    read_report,
    run_benchmark,
    without_raw,
    write_report,
)
from runtime.benchmark.document import Ratio, SideAccuracy, SkippedSide
from runtime.benchmark.frames import draw_frames
from runtime.benchmark.measuring import in_turn
from runtime.benchmark.report import summarise
from runtime.benchmark.scenario import turns_of_rounds
from runtime.benchmark.sides import Side
from runtime.benchmark.validity import judge_machine, judge_side
from runtime.errors import InputError
from runtime.files.document import plain
from runtime.machine import Activity
from runtime.session.base import TILES_AT_ONCE, Session

QUIET = Activity(
    busy_s=100.0,
    steal_s=1.0,
    own_s=50.0,
    throttles=0,
    load=0.1,
    frequencies_mhz=(2600.0, 2600.0),
    temperatures_c={},
)
LATER = replace(QUIET, busy_s=110.0, own_s=60.0)  # ten seconds, all of them our own


@pytest.fixture(autouse=True)
def _settle_by_count_alone(monkeypatch):
    """Turns of a known length, and quick tests."""
    monkeypatch.setattr(in_turn, "SETTLE_SECONDS", 0.0)


def small(*bundles, **changes):
    values = {
        "bundles": bundles,
        "engines": ("onnxruntime",),
        "threads": 1,
        "frames": 60,
        "warmup": 1,
        "frame_size": (40, 60),
        "stability": None,
        **changes,
    }
    return Scenario(**values)


def steady(count: int = 400, *, seed: int = 0) -> np.ndarray:
    """Rounds × 10 of about 5 ms."""
    rng = np.random.default_rng(seed)
    return rng.normal(5e6, 1e5, (count // 10, 10)).astype(np.int64)


def codes(findings) -> set[str]:
    return {finding.code for finding in findings}


def test_every_side_takes_one_turn_per_round_in_changing_order():
    order = list(islice(turns_of_rounds(3, seed=0), 200))
    assert all(sorted(turns) == [0, 1, 2] for turns in order)
    firsts = Counter(turns[0] for turns in order)
    assert min(firsts.values()) > 40
    assert order == list(islice(turns_of_rounds(3, seed=0), 200))
    assert order != list(islice(turns_of_rounds(3, seed=1), 200))


def test_the_sides_really_judge_in_turns(make_bundle, tmp_path, monkeypatch):
    seen: list[str] = []
    judge = Side.judge

    def spy(self, frame):
        seen.append(self.plan.precision)
        return judge(self, frame)

    monkeypatch.setattr(Side, "judge", spy)
    bundle = make_bundle(precisions=("fp32", "int8"))
    scenario = small(bundle)
    report = run_benchmark(scenario)
    assert (scenario.block, scenario.rounds) == (2, 30)
    turn = scenario.block + in_turn.SETTLE_QUERIES
    measured = seen[2:]  # one warm-up frame of each side comes first
    turns = [measured[start : start + turn] for start in range(0, len(measured), turn)]
    assert len(turns) == 60
    assert all(len(set(names)) == 1 for names in turns)
    labels = ["fp32", "int8"]
    assert [names[0] for names in turns] == [labels[i] for turns in report.order for i in turns]


def test_the_report_keeps_every_frame(make_bundle, tmp_path):
    told = []
    report = run_benchmark(
        small(make_bundle(precisions=("fp32", "fp16"))),
        progress=lambda done, total, what: told.append((done, total)),
    )
    assert [side.precision for side in report.sides] == ["fp32", "fp16"]
    for side in report.sides:
        assert set(side.raw_ns) == {"preprocess", "infer", "decide", "total"}
        raw = {step: np.array(times) for step, times in side.raw_ns.items()}
        assert all(times.shape == (60,) for times in raw.values())
        assert (raw["total"] >= raw["preprocess"] + raw["infer"] + raw["decide"]).all()
        assert side.steps["total"].max_ms == pytest.approx(raw["total"].max() / 1e6)
        assert side.accuracy == SideAccuracy(validation=1.0, test=1.0)
    assert report.sides[0].ratio == Ratio(median=1.0, interval=None)
    assert report.sides[1].ratio.interval is not None
    assert report.environment.packages["onnxruntime"]
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)

    path = tmp_path / "deep" / "latency.json"
    write_report(report, path)
    assert read_report(path) == report
    assert max(map(len, path.read_text().splitlines())) > 200  # an array stands on one line
    assert "raw_ns" not in plain(without_raw(report))["sides"][0]


def test_a_frame_is_judged_with_all_its_tiles(make_bundle, tmp_path, monkeypatch):
    seen: list[int] = []
    real = Session.infer

    def spy(self, batch):
        seen.append(len(batch))
        return real(self, batch)

    tiled = make_bundle(tmp_path / "tiled.edgecl", tiling=Tiling((16, 24), (16, 8)))
    monkeypatch.setattr(Session, "infer", spy)
    report = run_benchmark(small(tiled, make_bundle(), frames=2, warmup=1, frame_size=(40, 60)))
    cut, stretched = report.sides
    assert (cut.tiles, cut.input, cut.cut) == (18, (16, 24), "18 tiles of 16x24 per frame")
    assert (stretched.tiles, stretched.cut) == (None, "")
    assert seen.count(9) >= 6  # two batches a frame
    assert set(seen) <= {1, 9, TILES_AT_ONCE}  # these in the warm-up
    assert "tiles" not in plain(stretched)
    write_report(report, tmp_path / "latency.json")
    assert read_report(tmp_path / "latency.json").sides[0].tiles == 18


def test_too_few_frames_say_so_instead_of_inventing_a_tail():
    summary = summarise(np.arange(1, 101) * 1_000_000)
    assert summary.p50_ms == 50
    assert summary.p90_ms == 90
    assert summary.p99_ms is None
    assert summary.p99_9_interval_ms is None
    assert summarise(np.arange(1, 4001) * 1000).p99_9_ms == pytest.approx(3.996)


def test_frames_are_rounded_up_to_whole_turns():
    assert Scenario(bundles=(), frames=400).block == 10
    odd = Scenario(bundles=(), frames=401)
    assert odd.rounds * odd.block == 410
    one = Scenario(bundles=(), frames=1)
    assert (one.rounds, one.block) == (1, 1)


@pytest.mark.parametrize(
    "change", [{"frames": 0}, {"warmup": -1}, {"threads": 0}, {"frame_size": (0, 5)}]
)
def test_a_scenario_without_sense_is_refused(change):
    with pytest.raises(InputError, match="too small"):
        Scenario(bundles=(), **change)


def test_the_same_bundle_twice_has_two_names(make_bundle, tmp_path):
    path = make_bundle()
    other = make_bundle(tmp_path / "elsewhere" / "tiny.edgecl")
    report = run_benchmark(small(path, path, other, frames=2))
    names = [side.name for side in report.sides]
    assert len(set(names)) == 3
    assert names[1] == f"{names[0]} #2"
    assert names[2] == "elsewhere/tiny"


def test_what_is_not_there_is_refused_by_name(make_bundle, tmp_path):
    path = make_bundle()
    with pytest.raises(InputError, match="has no int8"):
        run_benchmark(small(path, precisions=("int8",)))
    with pytest.raises(InputError, match="unknown engine 'warp'"):
        run_benchmark(small(path, engines=("warp",)))
    with pytest.raises(InputError, match="no bundle"):
        run_benchmark(small(tmp_path / "none.edgecl"))
    with pytest.raises(InputError, match="no bundle given"):
        run_benchmark(small())


def test_a_side_that_does_not_load_is_left_out_and_named(make_bundle, monkeypatch):
    def refuse(self, plan, **rest):
        if plan.precision == "fp16":
            raise InputError("this engine has no fp16")
        original(self, plan, **rest)

    original = Side.__init__
    monkeypatch.setattr(Side, "__init__", refuse)
    monkeypatch.setattr("runtime.benchmark.planning.installed_engines", lambda: ("onnxruntime",))
    path = make_bundle(precisions=("fp32", "fp16"))
    report = run_benchmark(small(path, engines=(), frames=2))
    assert [side.precision for side in report.sides] == ["fp32"]
    assert report.left_out == (
        SkippedSide(label="tiny fp16 onnxruntime", reason="this engine has no fp16"),
    )
    with pytest.raises(InputError, match="no fp16"):
        run_benchmark(small(path, frames=2))
    with pytest.raises(InputError, match="no engine can load"):
        run_benchmark(small(path, engines=(), precisions=("fp16",), frames=2))


def test_frames_are_distinct_textured_and_repeatable():
    frames = draw_frames(64, 200, seed=4)
    assert all(frame.shape == (64, 200) and frame.dtype == np.uint8 for frame in frames)
    assert len({frame.tobytes() for frame in frames}) == len(frames)
    assert all(frame.std() > 10 for frame in frames)
    assert all(20 < frame.mean() < 230 for frame in draw_frames(40, 60, seed=0))
    assert frames[0].tobytes() == draw_frames(64, 200, seed=4)[0].tobytes()


def test_a_steady_side_on_a_quiet_machine_is_valid():
    assert judge_side(steady()) == []
    assert judge_machine(QUIET, LATER, 10.0, None) == []


def test_few_frames_drift_and_a_wide_median_are_invalid():
    assert codes(judge_side(steady(100))) == {"too_few_frames"}
    slower = steady()
    slower[20:] = slower[20:] * 11 // 10
    (finding,) = judge_side(slower)
    assert finding.code == "drift"
    assert "slower" in finding.text
    noisy = np.random.default_rng(0).lognormal(15, 1.0, (40, 10)).astype(np.int64)
    assert "uncertain_median" in codes(judge_side(noisy))
    assert all(finding.hint for finding in judge_side(noisy))


def test_the_machines_own_troubles_are_invalid():
    busy = replace(LATER, busy_s=115.0)
    assert codes(judge_machine(QUIET, busy, 10.0, None)) == {"other_load"}
    robbed = replace(LATER, steal_s=3.0)
    assert codes(judge_machine(QUIET, robbed, 10.0, None)) == {"steal"}
    hot = replace(LATER, throttles=4, frequencies_mhz=(1500.0, 1500.0))
    assert codes(judge_machine(QUIET, hot, 10.0, None)) == {"throttled", "clock_fell"}


def test_a_governor_is_a_note_and_silence_is_no_fault():
    (finding,) = judge_machine(QUIET, LATER, 10.0, "powersave")
    assert (finding.code, finding.severity) == ("governor", "note")
    silent = replace(QUIET, busy_s=None, steal_s=None, throttles=None, frequencies_mhz=())
    assert judge_machine(silent, silent, 10.0, "performance") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no json", "cannot be read"),
        ("[]", "not a latency report"),
        ('{"kind": "latency", "schema": 99}', "schema 99"),
    ],
)
def test_a_report_that_is_none_is_refused(tmp_path, text, problem):
    path = tmp_path / "latency.json"
    with pytest.raises(InputError, match="no latency report"):
        read_report(path)
    path.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_report(path)


RECORDED = Path(__file__).parent / "latency_schema_1.json"


def test_a_recorded_report_of_schema_1_is_read_as_one_of_schema_2(tmp_path):
    assert json.loads(RECORDED.read_text())["schema"] == 1
    report = read_report(RECORDED)
    assert (report.schema, report.scenario.kind, report.scenario.driver) == (
        SCHEMA,
        "single-stream",
        "edgecl",
    )
    assert report.scenario.queries == report.scenario.frames == 6
    assert report.sides[0].warm_up is None
    assert all(len(times) == 6 for times in report.sides[0].raw_ns.values())
    write_report(report, tmp_path / "latency.json")
    assert read_report(tmp_path / "latency.json") == report


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": 0}, "schema"),
        ({"schema": 3}, "up to schema 2"),
        ({"scenario": 5}, "scenario"),
        ({"scenario": None}, "scenario"),
        ({"schema": 2}, "scenario.kind"),
    ],
)
def test_what_schema_1_never_was_is_refused(tmp_path, change, problem):
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(json.loads(RECORDED.read_text()) | change))
    with pytest.raises(InputError, match=problem):
        read_report(path)
