"""The advisor takes the cheapest side that keeps a budget, losing no accuracy, or says why none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from runtime.benchmark import read_report
from runtime.benchmark.advisor import advise, blamed_step
from runtime.benchmark.document import LatencyReport, SideAccuracy, SideReport
from runtime.benchmark.facts.finding import Finding
from runtime.benchmark.report import summarise
from runtime.stream.budget import parse_budget

REPORT = Path(__file__).parent / "latency_schema_1.json"
MS = 1_000_000


@pytest.fixture(scope="module")
def recorded() -> LatencyReport:
    return read_report(REPORT)


def side(
    recorded: LatencyReport,
    label: str,
    *,
    infer: float,
    accuracy: float | None = 0.97,
    frames: int = 4000,
    stall: float = 0.0,
) -> SideReport:
    """A side whose frames take `infer` ms and 1 ms beside it; every hundredth stalls in emit."""
    emit = np.full(frames, 0.5 * MS)
    emit[::100] += stall * MS
    times = {
        "preprocess": np.full(frames, 0.5 * MS),
        "infer": np.full(frames, infer * MS),
        "emit": emit,
    }
    times["total"] = np.sum(list(times.values()), axis=0)
    raw = {step: values.astype(np.int64) for step, values in times.items()}
    return structs.replace(
        recorded.sides[0],
        label=label,
        accuracy=SideAccuracy(validation=None, test=accuracy),
        steps={step: summarise(values) for step, values in raw.items()},
        raw_ns={step: values.tolist() for step, values in raw.items()},
    )


def asked(recorded, *sides, budget="total=10ms", threads=1, allowed_loss=0.0):
    scenario = structs.replace(recorded.scenario, threads=threads)
    report = structs.replace(recorded, sides=sides, scenario=scenario)
    return advise(report, parse_budget(budget), allowed_loss=allowed_loss)


def test_of_those_that_keep_the_budget_the_cheapest_is_taken(recorded):
    advice = asked(
        recorded,
        side(recorded, "fp32", infer=8.0),
        side(recorded, "int8", infer=2.0),
        side(recorded, "slow", infer=12.0),
    )
    assert advice.chosen == "int8"
    assert [option.standing for option in advice.options] == ["meets", "meets", "over"]
    assert "int8 is the cheapest that keeps total 10 ms" in advice.conclusion


def test_inference_costs_all_its_threads(recorded):
    (option,) = asked(recorded, side(recorded, "int8", infer=2.0), threads=4).options
    assert option.cost_ms == pytest.approx(0.5 + 4 * 2.0 + 0.5)


def test_accuracy_is_not_traded_for_speed_beyond_what_is_allowed(recorded):
    sides = (
        side(recorded, "exact", infer=8.0),
        side(recorded, "rough", infer=1.0, accuracy=0.96),
        side(recorded, "untold", infer=1.0, accuracy=None),
    )
    strict = asked(recorded, *sides)
    assert strict.chosen == "exact"
    assert [option.standing for option in strict.options[1:]] == ["less accurate"] * 2
    assert asked(recorded, *sides, allowed_loss=0.01).chosen == "rough"


def test_bundles_without_any_accuracy_are_compared_by_time_alone(recorded):
    advice = asked(recorded, side(recorded, "a.onnx", infer=2.0, accuracy=None))
    assert advice.chosen == "a.onnx"


def test_where_none_keeps_it_the_step_to_blame_is_named(recorded):
    advice = asked(recorded, side(recorded, "int8", infer=2.0, stall=20.0))
    assert advice.chosen == ""
    assert advice.options[0].blame == "emit"
    assert "no side keeps total 10 ms" in advice.conclusion
    assert "emit is to blame" in advice.conclusion


def test_a_limit_of_a_step_is_kept_by_that_step(recorded):
    advice = asked(recorded, side(recorded, "int8", infer=2.0), budget="total=10ms,infer=1ms")
    assert advice.options[0].blame == "infer"


def test_too_few_frames_prove_nothing(recorded):
    advice = asked(recorded, side(recorded, "int8", infer=2.0, frames=500))
    assert advice.chosen == ""
    assert advice.options[0].standing == "unproven"
    assert "takes --frames 3688" in advice.conclusion


def test_what_is_slow_as_a_rule_is_blamed_on_what_takes_longest():
    raw = {
        "infer": np.full(100, 9 * MS),
        "emit": np.full(100, 1 * MS),
        "total": np.full(100, 10 * MS),
    }
    blame = blamed_step(raw, "total", 5 * MS)
    assert blame is not None
    assert (blame.step, blame.excess_ms) == ("infer", 9.0)
    assert blamed_step(raw, "total", 11 * MS) is None


def test_a_side_that_lost_frames_or_answered_wrongly_is_never_taken(recorded):
    lost = Finding("dropped_frames", "invalid", "3 frames were lost", "use a lower --cadence")
    quick = structs.replace(side(recorded, "quick", infer=1.0), findings=(lost,))
    advice = asked(recorded, quick, side(recorded, "sound", infer=4.0))
    assert advice.chosen == "sound"
    assert (advice.options[1].standing, advice.options[1].reason) == ("unfit", lost.text)
    assert "quick: 3 frames were lost" in asked(recorded, quick).conclusion


def test_fewer_workers_are_taken_where_more_bring_nothing(recorded):
    sides = [
        structs.replace(side(recorded, f"{count}", infer=2.0), workers=count) for count in (2, 1)
    ]
    assert asked(recorded, *sides).chosen == "1"


def test_the_size_is_named_where_sides_differ_in_it_and_so_is_a_report_that_is_invalid(recorded):
    small = structs.replace(side(recorded, "small", infer=1.0), input=(1, 96, 96), tiles=6)
    large = structs.replace(side(recorded, "large", infer=2.0), input=(1, 128, 800))
    report = structs.replace(recorded, sides=(large, small), valid=True)
    budget = parse_budget("total=10ms")
    told = advise(report, budget).conclusion
    assert told.startswith("small (6 tiles of 1x96x96 per frame) is the cheapest that keeps")
    assert "INVALID" not in told
    told = advise(structs.replace(report, sides=(large,), valid=False), budget).conclusion
    assert told.startswith("large is the cheapest")
    assert told.endswith("The report is INVALID: see why before you rely on it")
