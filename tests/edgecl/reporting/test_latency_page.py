"""The page of a latency report, from full reports, thin ones and hostile ones."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from edgecl.cli.bench.markdown import markdown_table
from edgecl.reporting.pages.bench.work import work_rows
from edgecl.reporting.pages.latency import latency_page, row_names
from edgecl.reporting.plots.bench.timeline import PIXELS, columns_of
from edgecl.reporting.plots.latency import STRIP_POINTS, _thin, strip_plots, tail_plots
from edgecl.reporting.plots.scatter import accuracy_plot, accuracy_tick, pareto_front
from runtime.benchmark.conditions.document import (
    Conditions,
    GpuConditions,
    JetsonConditions,
    SideEnergy,
    Spread,
)
from runtime.benchmark.document import SideAccuracy
from runtime.benchmark.facts.side import BoundShare
from runtime.benchmark.layers import LayerRow, LayerTable
from runtime.benchmark.measuring.figures import schedule_of
from runtime.benchmark.peaks import Peak, Peaks
from runtime.benchmark.report import read_report, without_raw, write_report
from runtime.errors import InputError
from runtime.files.document import plain
from tests.edgecl.reporting.latency_reports import ENGINES, make_report

HOSTILE = "<script>alert('x')</script>"

LAYERS = LayerTable(
    profiler="a profiler",
    batch=12,
    runs=30,
    total_ms=0.5,
    rows=tuple(
        LayerRow(
            layer=f"{HOSTILE} {number}",
            operator=HOSTILE,
            ms=0.5 / 12,
            share=1 / 12,
            macs=1_000_000,
            bytes=50_000,
            gmac_s=24.0,
            gb_s=1.2,
        )
        for number in range(12)
    ),
    notes=(HOSTILE,),
)
PEAKS = Peaks(
    threads=1,
    products=(
        Peak(precision="fp32", gmac_s=52.0, engine="onnxruntime", product="x"),
        Peak(precision="int8", gmac_s=205.0, engine="openvino", product="x"),
    ),
    copy_gb_s=9.5,
    seconds=1.2,
)
ENERGY = SideEnergy(
    joules_per_frame=0.0421,
    watts=9.1,
    meter="tegrastats, the module's input",
    frames=50,
    seconds=2.0,
)


def with_everything(report):
    """The report with all that may stand beside times."""
    watts = Spread.of([5.5, 6.0])
    return replace(
        report,
        command=f"edgecl bench '{HOSTILE}'",
        peaks=PEAKS,
        conditions=Conditions(
            affinity=(0, 1),
            core_mhz=Spread.of([2400.0, 1200.0]),
            gpus=(GpuConditions(name=HOSTILE, power_w=watts, throttled=("power limit",)),),
            jetson=JetsonConditions(power_mode="MAXN", input_w=watts, temperatures_c={"tj": 61.0}),
        ),
        sides=tuple(
            replace(
                side,
                macs=10_000_000,
                layers=LAYERS,
                energy=ENERGY,
                accuracy=replace(side.accuracy, escape_rate=0.0125),
            )
            for side in report.sides
        ),
    )


def write(folder, report):
    path = folder / "latency.json"
    write_report(report, path)
    return path


def test_a_full_report(tmp_path, check_page):
    path = write(tmp_path, make_report(engines=ENGINES[:1]))
    page = check_page(latency_page(path))
    assert (tmp_path / "latency.html").is_file()
    # Accuracy for wide screens and for narrow ones, three distributions, two tails, a timeline of
    # each of four sides, and the rounds.
    assert page.tags.count("svg") == 2 + 3 + 2 + 4 + 1
    for text in ("convnet against shufflenet", "97.00 %", "Skipped", "perf_counter_ns", "p99.9"):
        assert text in page.text
    assert (tmp_path / "latency.html").stat().st_size < 1_000_000


def test_an_invalid_report_says_so_first_and_what_to_try(tmp_path, check_page):
    page = check_page(
        latency_page(write(tmp_path, make_report(names=("one",), engines=ENGINES[:1], rounds=20)))
    )
    assert page.text.index("✗ INVALID") < page.text.index("The choice")
    assert "too few for p99" in page.text
    assert "and 1 more like it" in page.text
    assert "--frames 400" in page.text


def test_all_that_stands_beside_times_and_names_are_text_whatever_they_say(tmp_path, check_page):
    report = with_everything(make_report(names=(HOSTILE, "a$b$ --> c"), engines=ENGINES[:1]))
    page = check_page(latency_page(write(tmp_path, report)))
    assert page.text.count(HOSTILE) > 10
    places = [
        page.text.index(heading)
        for heading in (
            *("The choice", "Distributions", "The tail", "Timeline", "What is left", "Skipped"),
            *("Environment", "Repeat it"),
        )
    ]
    assert places == sorted(places)
    for text in (
        *("1.25 %", "0.0421", "escapes", "J/frame", "MAXN", "power limit", "5.5 to 6.0 W"),
        *("10 of 12 layers take 83 % of 0.500 ms", "FP32 52 GMAC/s, INT8 205 GMAC/s"),
        *("1200 to 2400 MHz", "tj, 61 °C", "tegrastats, the module's input"),
    ):
        assert text in page.text
    assert "edgecl bench … --layers" not in page.text
    assert f"edgecl bench '{HOSTILE}'" in page.text


def test_floor_and_share_of_the_peak():
    report = with_everything(make_report(names=("one",), engines=ENGINES[:1]))
    infer = replace(report.sides[0].steps["infer"], p50_ms=1.0)
    side = replace(report.sides[0], steps={"infer": infer}, tiles=2)
    (row,) = work_rows(replace(report, sides=(side, replace(side, macs=None))))
    # Two tiles of 10 MMAC in 1 ms are 20 GMAC/s, of 52 that the machine does in FP32.
    assert row["rate"] == pytest.approx(20)
    assert row["floor"] == pytest.approx(20 / 52)
    assert row["share"] == pytest.approx(20 / 52)


def test_a_thin_side_makes_a_page(tmp_path, check_page):
    """No accuracy, no layers, no hash, no encoder."""
    report = with_everything(make_report(names=("one",), engines=ENGINES[:1]))
    none = SideAccuracy(validation=None, test=None)
    side = replace(report.sides[0], accuracy=none, encoder=None, digest=None, layers=None)
    page = check_page(latency_page(write(tmp_path, replace(report, sides=(side,)))))
    assert "No accuracy is known" in page.text
    assert "Its accuracy" not in page.text
    assert "◆ one" not in page.text
    assert "edgecl bench … --layers" in page.text


def test_arrivals_have_a_section_and_the_bound_is_named(tmp_path, check_page):
    report = make_report(names=("one",), engines=ENGINES[:1])
    late = np.array([[10_000, 20_000, 7_000_000]])
    schedule = schedule_of(late, 1_000_000, dropped=4, busy=0.42)
    bound = BoundShare(within=0.987, interval=(0.95, 0.997))
    first = replace(report.sides[0], schedule=schedule, bound=bound)
    scenario = replace(report.scenario, kind="server", rate_hz=100.0, bound_ms=20.0)
    served = replace(report, scenario=scenario, sides=(first, report.sides[1]))
    page = check_page(latency_page(write(tmp_path, served)))
    assert page.text.index("The choice") < page.text.index("Arrivals")
    for text in ("within 20 ms", "98.70 %", "95.00 %–99.70 %", "1 of 3", "33.33 %", "42 %"):
        assert text in page.text
    assert "server, 100 frames/s" in page.text
    assert "its wait for the frame before included" in page.text
    assert "Evenness" not in page.text  # of cadence alone
    assert "Lost" not in page.text
    page = check_page(latency_page(write(tmp_path, report)))
    assert "Arrivals" not in page.text


def test_accuracies_of_zero_are_drawn():
    side = make_report(names=("one",), engines=ENGINES[:1]).sides[0]
    worst = replace(side, accuracy=SideAccuracy(validation=0.0, test=0.0))
    assert accuracy_plot([worst], names=["one"])


def test_ticks_of_accuracy_tell_apart_and_end_at_one():
    labels = [accuracy_tick(value) for value in (0.9975, 0.99875, 1.0, 1.00125)]
    assert labels == ["99.75 %", "99.875 %", "100 %", ""]


def test_a_report_without_sides_makes_a_page(tmp_path, check_page):
    report = replace(make_report(names=("one",), rounds=1), sides=(), order=())
    page = check_page(latency_page(write(tmp_path, report)))
    assert "The report holds no side." in page.text


def test_a_huge_report_makes_a_small_page(tmp_path, check_page):
    report = make_report(names=("one",), engines=ENGINES[:1])
    raw = {step: times * 250 for step, times in report.sides[0].raw_ns.items()}
    side = replace(report.sides[0], raw_ns=raw)
    page = latency_page(write(tmp_path, replace(report, sides=(side,))))
    check_page(page)
    assert page.stat().st_size < 400_000


def test_every_point_of_a_strip_is_drawn_however_many_there_are():
    """Points in order of their rank, as they are where there are many, are no line to simplify."""
    report = make_report(names=("one",), engines=ENGINES[:1], rounds=400)
    ((_, plot),) = strip_plots(report.sides[:1], ["total"], names=["one"])
    dots = max(re.findall(r' d="([^"]*)"', str(plot)), key=len)
    assert dots.count("M") == STRIP_POINTS


def test_tails_of_sides_that_differ_in_threads_alone_are_told_apart():
    side = make_report(names=("one",), engines=ENGINES[:1]).sides[0]
    sides = [replace(side, threads=1), replace(side, threads=2, workers=2)]
    ((_, plot),) = tail_plots(sides)
    colours = re.findall(r"fill: none; stroke: ([^;]+); stroke-width: 1.4", str(plot))
    assert len(set(colours)) == 2
    assert row_names(sides) == ["fp32 1 thread", "fp32 2 threads 2 workers"]


def test_a_timeline_leaves_no_stall_out():
    times = np.ones(10_007)
    times[[3, 7_777]] = 50.0, 90.0
    place, least, middle, most = columns_of(times)
    assert place.size <= PIXELS
    assert sorted(most)[-2:] == [50.0, 90.0]
    assert (least.min(), middle.max()) == (1.0, 1.0)
    assert columns_of(np.array([5.0])).tolist() == [[0.0], [5.0], [5.0], [5.0]]


def test_the_front_is_what_no_other_side_beats():
    sides = make_report(names=("one", "two"), engines=ENGINES[:1]).sides

    def side(index, p50, accuracy):
        steps = {"total": replace(sides[index].steps["total"], p50_ms=p50)}
        known = SideAccuracy(validation=accuracy, test=None)
        return replace(sides[index], steps=steps, accuracy=known)

    quick, exact = side(0, 1.0, 0.9), side(1, 5.0, 0.95)
    beaten, unknown = side(2, 5.0, 0.9), side(3, 0.5, None)
    assert pareto_front([quick, exact, beaten, unknown]) == [quick, exact]
    twin = replace(quick, label="twin")
    assert pareto_front([quick, twin]) == [quick, twin]


def test_markdown_is_one_table_and_names_are_text():
    text = markdown_table(with_everything(make_report(names=("a|b`c",), engines=ENGINES[:1])))
    lines = text.splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert {line.replace("\\|", "").count("|") for line in rows} == {10}
    assert "a\\|b\\`c fp32 onnxruntime" in rows[2]
    assert "97.00%" in rows[2]
    assert "1.25 %" in rows[2]
    assert "0.0421" in rows[2]
    assert lines[-1] == f"Repeat: `edgecl bench '{HOSTILE}'`"
    assert "<script" not in "\n".join(lines[:-1])


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
        replace(side, raw_ns={step: times[:1] for step, times in side.raw_ns.items()})
        for side in report.sides
    ]
    check_page(latency_page(write(tmp_path, replace(report, sides=tuple(sides)))))


def test_a_report_is_read_as_it_was_written(tmp_path):
    report = make_report(names=("one",), engines=ENGINES[:1])
    assert read_report(write(tmp_path, report)) == report


def test_a_side_is_named_by_what_tells_it_apart():
    first, third = make_report(names=("one",), engines=ENGINES[:1], rounds=1).sides
    assert row_names([first, third]) == ["fp32", "int8"]
    assert row_names([first]) == ["fp32"]
    assert row_names([first, third, replace(first, name="two")])[2] == "two fp32"


def test_thinning_keeps_the_slowest_frames():
    times = np.random.default_rng(0).lognormal(0, 1, 50_000)
    kept = _thin(times, STRIP_POINTS)
    assert kept.size == STRIP_POINTS
    assert set(np.sort(times)[-100:]) <= set(kept)


def test_what_is_no_report_is_refused(tmp_path):
    with pytest.raises(InputError, match="no latency report"):
        latency_page(tmp_path / "latency.json")
