"""The page of a latency report, from full reports, thin ones and hostile ones."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as replace_fields

from edgecl.reporting.pages.latency import latency_page, row_names
from edgecl.reporting.plots.latency import STRIP_POINTS, _thin
from runtime.benchmark.document import SideAccuracy, SideIdentity, SkippedSide
from runtime.benchmark.facts.scenario import FrameFacts, ScenarioFacts, Settling
from runtime.benchmark.report import (
    Measurement,
    build_report,
    read_report,
    without_raw,
    write_report,
)
from runtime.errors import InputError
from runtime.files.document import plain
from runtime.machine import read_activity

HOSTILE = "<script>alert('x')</script>"


def write(folder, report):
    path = folder / "latency.json"
    write_report(report, path)
    return path


def test_a_full_report(tmp_path, check_page):
    path = write(tmp_path, make_report())
    page = check_page(latency_page(path))
    assert (tmp_path / "latency.html").is_file()
    assert page.tags.count("svg") == 6  # accuracy, every frame, steps, two tails, drift
    for text in ("convnet against shufflenet", "97.00 %", "Skipped", "perf_counter_ns", "p99.9"):
        assert text in page.text
    assert (tmp_path / "latency.html").stat().st_size < 1_000_000


def test_an_invalid_report_says_so_first_and_what_to_try(tmp_path, check_page):
    page = check_page(latency_page(write(tmp_path, make_report(rounds=20))))
    assert page.text.index("✗ INVALID") < page.text.index("Candidates")
    assert "too few for p99" in page.text
    assert "and 7 more sides like it" in page.text
    assert "--frames 400" in page.text


def test_names_are_text_whatever_they_say(tmp_path, check_page):
    page = check_page(latency_page(write(tmp_path, make_report(names=(HOSTILE, "a$b$ --> c")))))
    assert page.text.count(HOSTILE) > 10


@pytest.mark.parametrize(
    "gone", ["scenario", "findings", "sides", "sides.0.steps", "sides.0.bytes"]
)
def test_a_report_that_lacks_a_part_is_refused_and_the_part_named(tmp_path, gone):
    value = plain(make_report(names=("one",), engines=ENGINES[:1]))
    *above, last = gone.split(".")
    place: Any = value
    for key in above:
        place = place[int(key) if key.isdigit() else key]
    del place[last]
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(value))
    with pytest.raises(
        InputError, match=f"latency.json is malformed: it lacks the field '.*{last}'"
    ):
        latency_page(path)


def test_a_report_without_raw_times_makes_a_page(tmp_path, check_page):
    check_page(
        latency_page(write(tmp_path, without_raw(make_report(names=("one",), engines=ENGINES[:1]))))
    )


def test_one_frame_makes_a_page(tmp_path, check_page):
    report = make_report(names=("one",), engines=ENGINES[:1], rounds=1)
    sides = [
        replace_fields(side, raw_ns={step: times[:1] for step, times in side.raw_ns.items()})
        for side in report.sides
    ]
    check_page(latency_page(write(tmp_path, replace_fields(report, sides=tuple(sides)))))


def test_a_report_is_read_as_it_was_written(tmp_path):
    report = make_report(names=("one",), engines=ENGINES[:1])
    assert read_report(write(tmp_path, report)) == report


def test_a_side_is_named_by_what_tells_it_apart():
    first, third = make_report(names=("one",), engines=ENGINES[:1], rounds=1).sides
    assert row_names([first, third]) == ["fp32", "int8"]
    assert row_names([first]) == ["fp32"]
    assert row_names([first, third, replace_fields(first, name="two")])[2] == "two fp32"


def test_thinning_keeps_the_slowest_frames():
    times = np.random.default_rng(0).lognormal(0, 1, 50_000)
    kept = _thin(times)
    assert kept.size == STRIP_POINTS
    assert set(np.sort(times)[-100:]) <= set(kept)


def test_what_is_no_report_is_refused(tmp_path):
    with pytest.raises(InputError, match="no latency report"):
        latency_page(tmp_path / "latency.json")
