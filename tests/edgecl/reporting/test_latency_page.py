"""The page of a latency report, from full reports, thin ones and hostile ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecl.reporting.pages.latency import latency_page, row_names
from edgecl.reporting.plots.latency import STRIP_POINTS, _thin
from runtime.benchmark.report import Measurement, build_report, write_report
from runtime.errors import InputError
from runtime.machine import read_activity

HOSTILE = "<script>alert('x')</script>"


ENGINES = ("onnxruntime", "openvino")


def make_report(*, names=("convnet", "shufflenet"), engines=ENGINES, rounds=40, change=None):
    """A report as the benchmark writes it, of made-up times."""
    rng = np.random.default_rng(0)
    sides, times = [], []
    for name in names:
        for precision, scale in (("fp32", 5.0), ("int8", 2.0)):
            for engine in engines:
                sides.append(
                    {
                        "label": f"{name} {precision} {engine}",
                        "name": name,
                        "precision": precision,
                        "engine": engine,
                        "accuracy": {"validation": 0.98, "test": 0.97},
                        "bytes": 1_000_000,
                    }
                )
                steps = {
                    "preprocess": rng.lognormal(0, 0.1, (rounds, 10)) * 1e5,
                    "infer": rng.lognormal(0, 0.2, (rounds, 10)) * scale * 1e6,
                }
                steps["total"] = steps["preprocess"] + steps["infer"]
                times.append({step: array.astype(np.int64) for step, array in steps.items()})
    now = read_activity()
    measured = Measurement(
        sides=sides,
        times=times,
        order=[list(range(len(sides)))] * rounds,
        before=now,
        after=replace(now, busy_s=None),
        wall_s=10.0,
        threads=1,
        left_out=[{"label": "x", "reason": names[0]}],
    )
    scenario = {"frames": rounds * 10, "rounds": rounds, "block": 10, "threads": 1, "seed": 0}
    report = build_report(measured, scenario=scenario)
    if change:
        change(report)
    return report


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
    assert "and 7 more candidates like it" in page.text
    assert "--frames 400" in page.text


def test_names_are_text_whatever_they_say(tmp_path, check_page):
    page = check_page(latency_page(write(tmp_path, make_report(names=(HOSTILE, "a$b$ --> c")))))
    assert page.text.count(HOSTILE) > 10


@pytest.mark.parametrize(
    "gone", ["scenario", "environment", "findings", "left_out", "created", "valid", "sides"]
)
def test_parts_may_be_missing(tmp_path, check_page, gone):
    report = make_report(engines=ENGINES[:1], change=lambda report: report.pop(gone))
    check_page(latency_page(write(tmp_path, report)))


@pytest.mark.parametrize("gone", ["raw_ns", "steps", "accuracy", "ratio", "bytes", "engine"])
def test_fields_of_a_side_may_be_missing(tmp_path, check_page, gone):
    def change(report):
        for side in report["sides"]:
            del side[gone]

    check_page(
        latency_page(
            write(tmp_path, make_report(names=("one",), engines=ENGINES[:1], change=change))
        )
    )


def test_one_frame_makes_a_page(tmp_path, check_page):
    def change(report):
        report["scenario"]["rounds"] = 1
        for side in report["sides"]:
            side["raw_ns"] = {step: times[:1] for step, times in side["raw_ns"].items()}

    check_page(latency_page(write(tmp_path, make_report(names=("one",), rounds=1, change=change))))


def test_a_side_is_named_by_what_tells_it_apart():
    sides = [
        {"name": "one", "precision": precision, "engine": "onnxruntime"}
        for precision in ("fp32", "int8")
    ]
    assert row_names(sides) == ["fp32", "int8"]
    assert row_names(sides[:1]) == ["fp32"]
    assert row_names([*sides, {**sides[0], "name": "two"}])[2] == "two fp32"


def test_thinning_keeps_the_slowest_frames():
    times = np.random.default_rng(0).lognormal(0, 1, 50_000)
    kept = _thin(times)
    assert kept.size == STRIP_POINTS
    assert set(np.sort(times)[-100:]) <= set(kept)


def test_what_is_no_report_is_refused(tmp_path):
    with pytest.raises(InputError, match="no latency report"):
        latency_page(tmp_path / "latency.json")
