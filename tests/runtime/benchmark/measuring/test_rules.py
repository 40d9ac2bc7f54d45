"""Rules for memory, warm-up, arrivals and answers: each speaks by itself, with what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from runtime.benchmark.facts.side import Schedule, SideAnswers, Throughput, WarmUp
from runtime.benchmark.measuring.conduct import judge_told
from runtime.benchmark.validity import judge_machine, judge_side
from runtime.machine import Activity, read_activity

QUIET = Activity(
    busy_s=None,
    steal_s=None,
    own_s=0.0,
    throttles=None,
    load=None,
    frequencies_mhz=(),
    temperatures_c={},
    major_faults=100,
    swapped_pages=7,
)


def schedule(**changes) -> Schedule:
    values = {
        "arrivals": 400,
        "behind": 0,
        "limit_ms": 1.0,
        "p50_ms": 0.1,
        "p99_ms": 0.5,
        "max_ms": 0.9,
        **changes,
    }
    return Schedule(**values)


@pytest.mark.parametrize(
    ("told", "code", "severity", "text"),
    [
        ({"schedule": schedule(behind=3)}, "behind_schedule", "note", "3 of 400"),
        ({"schedule": schedule(behind=5)}, "behind_schedule", "invalid", "5 of 400"),
        ({"schedule": schedule(dropped=1)}, "dropped_frames", "invalid", "1 frame was lost"),
        ({"schedule": schedule(busy=0.97)}, "overloaded", "invalid", "97%"),
        (
            {"answers": SideAnswers(golden=8, other_labels=0, faults=2)},
            "no_answer",
            "invalid",
            "2 fr",
        ),
        (
            {"answers": SideAnswers(golden=8, other_labels=1, faults=0)},
            "other_answers",
            "invalid",
            "1 of 8 golden images",
        ),
        (
            {"answers": SideAnswers(golden=0, other_labels=0, faults=0, problem="it is gone")},
            "other_answers",
            "invalid",
            "it is gone",
        ),
        ({"warm_up": WarmUp(queries=830, seconds=5.0, stable=False)}, "not_warm", "invalid", "830"),
    ],
)
def test_each_rule_speaks_by_itself(told, code, severity, text):
    (finding,) = judge_told(**told)
    assert (finding.code, finding.severity) == (code, severity)
    assert text in finding.text
    assert finding.hint


def test_what_keeps_to_the_rules_is_not_spoken_of():
    good: dict[str, Any] = {
        "schedule": schedule(busy=0.9),
        "answers": SideAnswers(golden=8, other_labels=0, faults=0),
        "warm_up": WarmUp(queries=90, seconds=1.0, stable=True),
        "drift": 0.2,
    }
    assert judge_told(**good) == []
    assert judge_told(warm_up=WarmUp(queries=3, seconds=0.1, stable=None)) == []


def test_page_faults_and_swapping_are_invalid():
    (finding,) = judge_machine(QUIET, replace(QUIET, major_faults=111), 1.0, None)
    assert (finding.code, finding.severity) == ("page_faults", "invalid")
    (finding,) = judge_machine(QUIET, replace(QUIET, swapped_pages=264), 1.0, None)
    assert (finding.code, finding.severity) == ("swapping", "invalid")
    some = replace(QUIET, major_faults=110, swapped_pages=263)
    assert judge_machine(QUIET, some, 1.0, None) == []
    silent = replace(QUIET, major_faults=None, swapped_pages=None)
    assert judge_machine(QUIET, silent, 1.0, None) == []


def test_the_counters_are_read_from_proc(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/stat").write_text("7 (a) b) S 1 7 7 0 -1 4194304 900 0 42 0 1 1 0 0\n")
    (tmp_path / "proc/vmstat").write_text("nr_free 9\npswpin 30\npswpout 12\npgfault 99\n")
    found = read_activity(tmp_path)
    assert (found.major_faults, found.swapped_pages) == (42, 42)
    bare = read_activity(tmp_path / "none")
    assert (bare.major_faults, bare.swapped_pages) == (None, None)


def test_offline_needs_turns_where_others_need_frames():
    steady = np.random.default_rng(0).normal(5e6, 1e4, (10, 2)).astype(np.int64)
    few = Throughput(frames_per_s=100.0, interval=None)
    assert [f.code for f in judge_side(steady, "offline", throughput=few)] == ["too_few_turns"]
    enough = Throughput(frames_per_s=100.0, interval=(99.0, 101.0))
    assert judge_side(steady, "offline", throughput=enough) == []
    assert [f.code for f in judge_side(steady, "multi-stream")] == ["too_few_frames"]
