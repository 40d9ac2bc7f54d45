"""An unsteady clock is told from a busy core, where the machine tells its clock and where not."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from runtime.benchmark.conditions.clock import core_clock, spin_ns
from runtime.benchmark.conditions.document import Conditions, CoreClock, GpuConditions
from runtime.benchmark.conditions.judging import judge_conditions, with_conditions
from tests.edgecl.reporting.latency_reports import make_report

IDLE_MHZ, BUSY_MHZ = 800.0, 3000.0


def told(fastest):
    """Samples of four cores, of which one works."""
    return [[IDLE_MHZ, mhz, IDLE_MHZ, IDLE_MHZ] for mhz in fastest]


def swing(clock: CoreClock | None) -> float:
    assert clock is not None
    return clock.swing


def test_a_told_clock_is_that_of_the_core_that_works():
    steady = core_clock(told([IDLE_MHZ, *[BUSY_MHZ, BUSY_MHZ - 20] * 20]), [1] * 41)
    assert steady is not None
    assert steady.source == "told"
    assert steady.swing < 0.01
    wild = core_clock(told([IDLE_MHZ, *[BUSY_MHZ, BUSY_MHZ * 0.7] * 20]), [1] * 41)
    assert swing(wild) == pytest.approx(0.35, abs=0.01)


@pytest.mark.parametrize("frequencies", [[[]] * 65, [[2500.0, 2500.0]] * 65])
def test_work_is_timed_where_the_clock_is_not_told(frequencies):
    rng = np.random.default_rng(0)
    # Seven of ten samples share the core with a busy neighbour; the clock is the same all along.
    shared = np.where(rng.random(65) < 0.7, 77_000, 41_700) + rng.integers(0, 400, 65)
    busy = core_clock(frequencies, shared.tolist())
    assert busy is not None
    assert busy.source == "timed"
    assert busy.swing < 0.02
    throttled = shared.astype(float)
    throttled[40:] *= 1.3
    assert swing(core_clock(frequencies, throttled.astype(int).tolist())) == pytest.approx(
        0.23, abs=0.03
    )


def test_few_samples_tell_nothing():
    assert core_clock(told([BUSY_MHZ, IDLE_MHZ, BUSY_MHZ]), [1, 2, 1]) is None
    assert core_clock([], []) is None
    assert spin_ns() > 0


def test_an_unsteady_clock_spoils_what_follows_one_another_and_is_a_note_at_a_rate():
    report = make_report(names=("one",), engines=("onnxruntime",))
    unsteady = Conditions(core_clock=CoreClock(source="timed", swing=0.2, samples=64))
    found = with_conditions(report, unsteady)
    assert [finding.code for finding in found.findings][-1] == "unsteady_clock"
    assert not any(side.valid for side in found.sides)
    assert "20% longer" in found.findings[-1].text
    at_rate = replace(report, scenario=replace(report.scenario, rate_hz=30.0))
    noted = with_conditions(at_rate, unsteady)
    assert noted.findings[-1].severity == "note"
    assert [side.valid for side in noted.sides] == [side.valid for side in report.sides]
    steady = Conditions(core_clock=CoreClock(source="told", swing=0.09, samples=64))
    assert judge_conditions(steady) == []
    assert with_conditions(report, None) is report


def test_a_gpu_that_was_held_back_spoils_the_report():
    (finding,) = judge_conditions(
        Conditions(
            gpus=(
                GpuConditions(name="T4", throttled=("power limit", "clocks set by an application")),
            )
        )
    )
    assert (finding.code, finding.severity) == ("gpu_throttled", "invalid")
    assert finding.text.endswith("power limit")
    assert "T4 was held back by power limit" in finding.text
