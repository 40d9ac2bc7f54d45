"""Reports compared: what is called, against what, and what is refused or noted."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from runtime.benchmark.comparison import compare_reports, compare_sides
from runtime.errors import InputError
from runtime.files.document import parse_document, plain
from tests.runtime.benchmark.comparison.drawn_reports import (
    BLOCK,
    NEW,
    OLD,
    machine,
    read,
    report,
    run,
    side,
    times,
)

PATHS = (Path("old.json"), Path("new.json"))


def compared(old, new, **choices):
    return compare_reports(read(old), read(new), paths=PATHS, **choices)


def side_of(found, label=NEW):
    return next(entry for entry in found.sides if entry.new == label)


def codes(found, severity):
    return {entry.code for entry in found.differences if entry.severity == severity}


def test_of_the_same_thing_hardly_any_pair_is_called_different():
    runs = [run(seed, steps=("total",)) for seed in range(5)]
    headlines = [side_of(compared(*pair)).headline for pair in combinations(runs, 2)]
    assert len(headlines) == 10
    assert sum(entry.verdict != "no difference shown" for entry in headlines) <= 1
    assert all(entry.smallest_shown < 0.05 for entry in headlines)


def test_a_slowdown_is_found_between_reports_and_within_one():
    for seed in range(3):
        slowed = run(10 + seed, slower=0.05, day=2, steps=("total",))
        between = side_of(compared(run(seed, steps=("total",)), slowed))
        assert (between.against, between.headline.verdict) == (OLD, "slower")
        (within,) = compare_sides(read(slowed), path=PATHS[0]).sides
        assert within.headline.verdict == "slower"
        interval = within.headline.interval
        assert interval is not None
        assert interval[0] < 1.05 < interval[1]
        assert (within.old, within.new, within.against) == (OLD, NEW, None)


def test_a_side_that_became_faster_is():
    assert side_of(compared(run(1, slower=0.08), run(2))).headline.verdict == "faster"


def test_the_median_of_the_total_is_the_headline_and_the_others_are_there():
    found = side_of(compared(run(1), run(2)))
    assert (found.headline.step, found.headline.percentile) == ("total", "p50")
    assert found.figures[0] == found.headline
    assert {(one.step, one.percentile) for one in found.figures} == {
        (step, percentile) for step in ("total", "infer") for percentile in ("p50", "p90", "p99")
    }


def test_a_percentile_with_too_few_frames_is_left_out():
    few = [report([side(OLD, times(machine(seed, rounds=30), seed))], rounds=30) for seed in (1, 2)]
    (found,) = compared(*few).sides
    assert 30 * BLOCK < 368
    assert {one.percentile for one in found.figures} == {"p50", "p90"}


def test_the_first_side_is_compared_by_its_milliseconds_with_room_for_the_machine():
    quiet = [report([side(OLD, times(machine(1) ** 0, seed))], day=seed) for seed in (1, 2)]
    (found,) = compared(*quiet).sides
    assert found.against is None
    assert found.headline.verdict == "no difference shown"
    assert 0.06 < found.headline.smallest_shown < 0.1
    slow = report([side(OLD, times(machine(1) ** 0, 3, ms=2.5))], day=3)
    assert compared(quiet[0], slow).sides[0].headline.verdict == "slower"


def test_milliseconds_of_a_report_that_is_invalid_decide_nothing():
    old, new = run(1), run(2, slower=0.5)
    new["findings"] = [
        {"code": "other_load", "severity": "invalid", "text": "busy", "hint": "wait"}
    ]
    found = compared(old, new)
    first = side_of(found, OLD)
    assert (first.headline.verdict, first.headline.interval) == ("undecided", None)
    assert "other_load" in first.why_undecided
    other = side_of(found)
    assert other.headline.verdict == "slower"  # against the unchanged side
    tails = [one for one in other.figures if one.percentile != "p50"]
    assert {one.verdict for one in tails} == {"undecided"}
    assert all(one.ratio == pytest.approx(one.new_ms / one.old_ms, abs=1e-3) for one in tails)
    assert "invalid" in codes(found, "note")


def test_too_few_frames_for_p99_leave_the_median_right():
    old, new = run(1), run(2)
    for value in (old, new):
        value["sides"][0]["findings"] = [
            {"code": "too_few_frames", "severity": "invalid", "text": "few", "hint": "more"}
        ]
    assert side_of(compared(old, new), OLD).headline.interval is not None


def test_a_side_is_measured_against_one_of_its_engine_where_there_is_one():
    speed = machine(1)
    labels = [OLD, "old int8 openvino", NEW, "new int8 openvino"]
    runs = [
        report([side(label, times(speed, day * 10 + k)) for k, label in enumerate(labels)], day=day)
        for day in (1, 2)
    ]
    found = compared(*runs)
    assert [entry.against for entry in found.sides] == [None, OLD, OLD, "old int8 openvino"]
    # Another version of the engine: no side that runs on it is unchanged.
    runs[1]["sides"][1]["engine_version"] = runs[1]["sides"][3]["engine_version"] = "9"
    assert [entry.against for entry in compared(*runs).sides] == [None, OLD, OLD, OLD]
    # Another first bundle: the second one is what did not change.
    runs[1]["sides"][0]["digest"] = "another"
    assert [entry.against for entry in compared(*runs).sides] == [NEW, NEW, None, NEW]
    runs[1]["sides"][2]["digest"] = None
    assert [entry.against for entry in compared(*runs).sides] == [None] * 4


def test_the_order_and_the_names_of_the_bundles_may_change():
    old, new = run(1), run(2)
    new["sides"].reverse()
    assert [entry.against for entry in compared(old, new).sides] == [OLD, None]
    new["sides"][1] |= {"label": "moved int8 onnxruntime", "name": "moved"}
    against = {entry.new: entry.against for entry in compared(old, new).sides}
    assert against == {NEW: "moved int8 onnxruntime", "moved int8 onnxruntime": None}


def test_another_engine_on_a_machine_of_another_speed_is_known_worse():
    speed = machine(1)
    labels = [OLD, "new int8 openvino"]
    runs = [
        report([side(one, times(speed * slow, k)) for k, one in enumerate(labels)], day=day)
        for day, slow in ((1, 1.0), (2, 1.0), (3, 1.3))
    ]
    near, far = (side_of(compared(runs[0], one), labels[1]).headline for one in runs[1:])
    assert 0.04 < near.smallest_shown < far.smallest_shown / 3


def test_sides_are_matched_by_what_they_are_where_their_names_differ():
    first, second = run(1), run(2)
    second["sides"][1] |= {"label": "line int8 onnxruntime", "name": "line", "encoder": "wide"}
    first["sides"][1] |= {"encoder": "wide"}
    found = compared(first, second)
    assert [(entry.old, entry.new) for entry in found.sides] == [
        (OLD, OLD),
        (NEW, "line int8 onnxruntime"),
    ]
    second["sides"][1]["encoder"] = "other"
    found = compared(first, second)
    assert [plain(entry) for entry in found.only_in] == [
        {"report": "old", "label": NEW},
        {"report": "new", "label": "line int8 onnxruntime"},
    ]
    (pair,) = compared(first, second, sides=(NEW, "line int8 onnxruntime")).sides
    assert pair.against == OLD


def test_without_a_side_in_common_the_sides_are_listed():
    first = report([side(OLD, times(machine(1), 1))])
    second = report([side("other fp32 openvino", times(machine(2), 2), encoder=None)])
    with pytest.raises(InputError, match=f"no side in common: OLD has '{OLD}'; NEW has 'other"):
        compared(first, second)
    with pytest.raises(InputError, match="NEW has no side 'nobody'"):
        compared(first, second, sides=(OLD, "nobody"))


@pytest.mark.parametrize(
    ("place", "name", "value", "code"),
    [
        ("cpu", "model", "Other CPU", "cpu"),
        ("cpu", "usable_cores", 4, "cores"),
        ("cpu", "governor", "powersave", "governor"),
        ("cpu", "features", {"AVX2": True, "VNNI": True}, "cpu_features"),
        ("gpu", "devices", ["T4"], "gpu"),
        (None, "threads", 2, "threads"),
        (None, "thread_variables", {"OMP_NUM_THREADS": "1"}, "thread_variables"),
    ],
)
def test_what_spoils_a_comparison_is_said(place, name, value, code):
    new = run(2)
    facts = new["environment"] if place is None else new["environment"][place]
    facts[name] = value
    found = compared(run(1), new)
    assert not found.comparable
    assert codes(found, "spoils") == {code}
    assert all(entry.hint for entry in found.differences)


def test_what_is_worth_knowing_is_noted():
    new = run(2)
    new["environment"] |= {"python": "3.12", "other_load_cores": 1.5, "system": "Linux 7"}
    new["environment"]["packages"] = {"openvino": "2026"}
    new["environment"]["frequencies_mhz"]["after"] = [1300.0]
    new["sides"][1] |= {"digest": "another", "device": "CPU (2 threads)", "tiles": 4}
    new["created"] = "2025-01-01T00:00:00+00:00"
    found = compared(run(1), new)
    assert found.comparable
    assert codes(found, "note") == {
        *("package:onnxruntime", "package:openvino", "python", "system", "load", "clock"),
        *("bundle", "device", "tiles", "order"),
    }


def test_times_of_another_task_are_refused():
    new = run(2)
    new["scenario"]["frame"]["width"] = 61
    with pytest.raises(InputError, match="the frames are 40x60 in OLD and 40x61 in NEW"):
        compared(run(1), new)


def test_another_scenario_is_refused():
    new = run(2) | {"schema": 2}
    new["scenario"] |= {"kind": "cadence", "rate_hz": 30.0}
    with pytest.raises(InputError, match="the scenario is single-stream in OLD and cadence in NEW"):
        compared(run(1), new)
    old = run(1) | {"schema": 2}
    old["scenario"] |= {"kind": "cadence", "rate_hz": 25.0}
    with pytest.raises(InputError, match=r"rate of arrivals in Hz is 25\.0 in OLD and 30\.0"):
        compared(old, new)


def test_the_power_mode_of_a_jetson_spoils_a_comparison_and_a_soak_is_noted():
    runs = [run(seed) | {"schema": 2} for seed in (1, 2)]
    for value, mode, minutes in zip(runs, ("MAXN", "15W"), (None, 30.0), strict=True):
        value["scenario"] |= {"kind": "single-stream", "soak_minutes": minutes}
        value["conditions"] = {"jetson": {"power_mode": mode}}
    found = compared(*runs)
    assert codes(found, "spoils") == {"power_mode"}
    assert "soak" in codes(found, "note")


def test_a_step_without_times_is_left_out():
    old = run(1)
    old["sides"][1]["raw_ns"]["infer"] = []
    assert {one.step for one in side_of(compared(old, run(2))).figures} == {"total"}


def test_what_has_no_times_is_refused():
    bare = run(2)
    bare["sides"][1]["raw_ns"] = {}
    with pytest.raises(InputError, match=r"new\.json has no raw times of 'new int8"):
        compared(run(1), bare)
    with pytest.raises(InputError, match=r"old\.json has no side"):
        compared(report([]), run(1))
    for time in (-1, 1 << 70):
        strange = run(2)
        strange["sides"][0]["raw_ns"]["infer"][5] = time
        with pytest.raises(InputError, match="a time in 'infer' that no clock gives"):
            compared(run(1), strange)
    with pytest.raises(InputError, match="the same report"):
        compared(run(1), run(1))
    with pytest.raises(InputError, match="has one side"):
        compare_sides(read(report([side(OLD, times(machine(1), 1))])), path=PATHS[0])
    with pytest.raises(InputError, match="twice"):
        compare_sides(read(run(1)), path=PATHS[0], sides=(OLD, OLD))


def test_few_turns_give_a_ratio_without_an_interval():
    short = [report([side(OLD, times(machine(seed, rounds=5), seed))], rounds=5) for seed in (1, 2)]
    (found,) = compared(*short, limit=0.05).sides
    assert (found.headline.verdict, found.limit) == ("undecided", "undecided")
    assert found.why_undecided == "5 turns are too few for an interval, which needs 8"


@pytest.mark.parametrize(
    ("slower", "limit", "stands"),
    [(0.2, 0.05, "exceeded"), (0.05, 0.05, "undecided"), (0.0, 0.1, "kept"), (-0.2, 0.0, "kept")],
)
def test_a_limit_is_held_to_the_interval(slower, limit, stands):
    assert side_of(compared(run(1), run(2, slower=slower), limit=limit)).limit == stands


def test_the_document_is_read_back():
    found = compared(run(1), run(2), limit=0.05)
    assert parse_document(plain(found), type(found), where="here") == found
