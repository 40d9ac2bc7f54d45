"""Parts while streams run."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from runtime.errors import InputError
from runtime.stream.parts.joining import PartJoin
from runtime.stream.parts.rule import PartRule, part_rule
from runtime.stream.parts.verdict import read_parts
from runtime.stream.sinks import JsonLinesSink
from runtime.stream.verdict import Status
from tests.runtime.stream.parts.test_matching import MS, verdict
from tests.runtime.stream.test_pipeline import ListSink

NAMES = ("left", "right")


def test_a_part_goes_to_the_sinks_and_to_its_file(tmp_path: Path):
    sink, lines = ListSink(), JsonLinesSink(tmp_path / "parts.jsonl")
    join = PartJoin(NAMES, PartRule(None, None), [sink], lines)
    join.start()
    left, right = (join.sink_for(name) for name in NAMES)
    for number in range(3):
        left.emit(verdict(number, number))
        right.emit(verdict(number, number, Status.REJECT if number == 1 else Status.PASS))
    left.emit(verdict(3, 3))
    join.close()
    join.close()
    lines.close()
    assert sink.statuses == ["pass", "reject", "pass", "fault"]
    assert [v.camera for v in sink.verdicts] == ["left", "right", "left", "right"]
    parts = read_parts(tmp_path / "parts.jsonl")
    assert [part.status for part in parts] == [v.decision.status for v in sink.verdicts]
    assert parts[1].cameras["left"].status is Status.PASS
    assert parts[3].reason == "right: the stream ended before its frame"
    raw = json.loads((tmp_path / "parts.jsonl").read_text().splitlines()[3])
    assert raw["cameras"]["right"]["frame"] is None
    account = join.account
    assert account.parts == 4
    assert account.statuses["fault"] == 1
    assert account.missing == {"left": 0, "right": 1}


def test_the_deadline_speaks_while_nobody_else_does():
    sink = ListSink()
    # Its deadline is there when it comes, for its capture began long ago.
    join = PartJoin(NAMES, PartRule(None, 30 * MS), [sink])
    join.start()
    import time

    now = time.monotonic_ns()
    join.add("left", verdict(0, now / MS))
    sink.wait_for(1)
    assert sink.statuses == ["fault"]
    assert sink.verdicts[0].steps["total"] >= 30 * MS
    join.close()


def test_a_camera_whose_count_is_lost_is_missing_from_then_on():
    lost = threading.Event()
    sink = ListSink()
    join = PartJoin(NAMES, PartRule(None, None), [sink])
    left, right = join.sink_for("left"), join.sink_for("right", lambda: not lost.is_set())
    for camera in (left, right):
        camera.emit(verdict(0, 0))
    lost.set()
    for camera in (left, right):
        camera.emit(verdict(1, 1))
    assert sink.statuses == ["pass", "fault"]
    assert "no longer count the triggers" in sink.verdicts[1].decision.reason
    assert join.account.unmatched_frames == 1


@pytest.mark.parametrize(
    ("window", "deadline", "budget_ms", "in_service", "rule"),
    [
        ("20ms", None, None, True, PartRule(20 * MS, 1020 * MS)),
        ("20ms", None, 50, True, PartRule(20 * MS, 70 * MS)),
        ("20ms", "1s", 50, True, PartRule(20 * MS, 1000 * MS)),
        ("trigger", None, None, True, PartRule(None, 1000 * MS)),
        ("trigger", None, 50, False, PartRule(None, 50 * MS)),
        ("trigger", None, None, False, PartRule(None, None)),
        ("20ms", None, None, False, PartRule(20 * MS, 1020 * MS)),
    ],
)
def test_the_deadline_follows_from_budget_and_source(window, deadline, budget_ms, in_service, rule):
    budget_ns = None if budget_ms is None else budget_ms * MS
    assert part_rule(window, deadline, budget_ns=budget_ns, in_service=in_service) == rule


@pytest.mark.parametrize("text", ["", "20", "0ms", "-1ms", "soon", "20parsecs"])
def test_what_is_not_a_time_is_refused(text):
    with pytest.raises(InputError):
        part_rule(text, None, budget_ns=None, in_service=True)
