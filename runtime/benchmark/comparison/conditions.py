"""Differences around the sides of two reports, and whether they spoil a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from runtime.benchmark.comparison.document import ReportDifference
from runtime.benchmark.document import LatencyReport
from runtime.benchmark.facts.environment import Environment
from runtime.benchmark.facts.finding import INVALID
from runtime.benchmark.validity import CLOCK_LIMIT, OTHER_LOAD_LIMIT
from runtime.errors import InputError

SPOILS: Literal["spoils"] = "spoils"
NOTE: Literal["note"] = "note"

HARMLESS_CODES = frozenset({"too_few_frames"})
"""Rules of validity whose milliseconds are right all the same."""

_TASK = {
    "kind": "scenario",
    "frames_per_query": "number of frames per query",
    "rate_hz": "rate of arrivals in Hz",
    "driver": "driver",
}
"""Fields of a scenario that make it another one."""

_ONE_BOX = "measure both on one machine, in one run: edgecl bench OLD.edgecl NEW.edgecl"


def require_same_scenario(old: LatencyReport, new: LatencyReport) -> None:
    """Refuse reports whose times are not of the same task.

    Raises:
        InputError: another scenario, or frames of another size.
    """
    for name, words in _TASK.items():
        before, after = getattr(old.scenario, name), getattr(new.scenario, name)
        if before != after:
            raise InputError(
                f"the reports cannot be compared: the {words} is {_or_none(before)} in OLD and "
                f"{_or_none(after)} in NEW",
                hint="measure again with the options of the other report",
            )
    sizes = [
        f"{frame.height}x{frame.width}" + (f"x{frame.channels}" if frame.channels != 1 else "")
        for frame in (old.scenario.frame, new.scenario.frame)
    ]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"the reports cannot be compared: the frames are {sizes[0]} in OLD and {sizes[1]} in "
            "NEW",
            hint=f"measure again with --frame-size {sizes[0]}",
        )


def unsteady(report: LatencyReport, label: str) -> tuple[str, ...]:
    """Codes of the rules by which a side's milliseconds cannot be trusted."""
    findings = [*report.findings]
    findings += [
        finding for side in report.sides if side.label == label for finding in side.findings
    ]
    codes = (finding.code for finding in findings if finding.severity == INVALID)
    return tuple(dict.fromkeys(code for code in codes if code not in HARMLESS_CODES))


def differences(old: LatencyReport, new: LatencyReport) -> tuple[ReportDifference, ...]:
    """Return everything around the sides that differs, what spoils the comparison first."""
    found = [*_hardware(old.environment, new.environment), *_threads(old, new)]
    found += [*_power(old, new), *_state(old.environment, new.environment)]
    found += [*_software(old.environment, new.environment), *_reports(old, new)]
    return tuple(sorted(found, key=lambda entry: entry.severity != SPOILS))


def _hardware(old: Environment, new: Environment) -> Iterator[ReportDifference]:
    for code, words, before, after in (
        ("cpu", "the processor", old.cpu.model, new.cpu.model),
        ("cores", "the number of usable cores", old.cpu.usable_cores, new.cpu.usable_cores),
        ("cpu_features", "its instruction sets", _present(old), _present(new)),
        ("gpu", "the GPU", ", ".join(old.gpu.devices), ", ".join(new.gpu.devices)),
    ):
        yield from _changed(code, SPOILS, words, before, after, _ONE_BOX)
    yield from _changed(
        "gpu_driver", NOTE, "the GPU's driver", old.gpu.driver, new.gpu.driver,
        "where only the bundle should count, measure both in one run",
    )  # fmt: skip


def _threads(old: LatencyReport, new: LatencyReport) -> Iterator[ReportDifference]:
    before, after = old.environment.threads, new.environment.threads
    yield from _changed(
        "threads", SPOILS, "the number of inference threads", before, after,
        f"measure again with --threads {before}",
    )  # fmt: skip
    limits = [
        ", ".join(f"{name}={value}" for name, value in sorted(one.thread_variables.items()))
        for one in (old.environment, new.environment)
    ]
    yield from _changed(
        "thread_variables", SPOILS, "the environment's limit on threads", limits[0], limits[1],
        "set them alike, or unset them, and measure again",
    )  # fmt: skip


def _power(old: LatencyReport, new: LatencyReport) -> Iterator[ReportDifference]:
    modes = [_power_mode(report) for report in (old, new)]
    yield from _changed(
        "power_mode", SPOILS, "the Jetson's power mode", modes[0], modes[1],
        "set it with 'sudo nvpmodel -m MODE', and measure again",
    )  # fmt: skip
    yield from _changed(
        "soak", NOTE, "minutes of --soak", old.scenario.soak_minutes, new.scenario.soak_minutes,
        "a machine that is warm may be slower; measure both alike",
    )  # fmt: skip


def _power_mode(report: LatencyReport) -> str | None:
    conditions = report.conditions
    jetson = None if conditions is None else conditions.jetson
    return None if jetson is None else jetson.power_mode


def _state(old: Environment, new: Environment) -> Iterator[ReportDifference]:
    yield from _changed(
        "governor", SPOILS, "the frequency governor", old.cpu.governor, new.cpu.governor,
        "sudo cpupower frequency-set -g performance, and measure again",
    )  # fmt: skip
    clocks = [_mean_clock(one) for one in (old, new)]
    if min(clocks) > 0 and abs(clocks[1] / clocks[0] - 1) > CLOCK_LIMIT:
        yield ReportDifference(
            code="clock",
            severity=NOTE,
            text=f"the cores' clock: {clocks[0]:.0f} MHz in OLD, {clocks[1]:.0f} MHz in NEW",
            hint="look for heat and power limits, and measure again",
        )
    loads = [one.other_load_cores for one in (old, new)]
    if None not in loads and abs(_number(loads[1]) - _number(loads[0])) > OTHER_LOAD_LIMIT:
        yield ReportDifference(
            code="load",
            severity=NOTE,
            text=f"other processes: {_number(loads[0]):.2f} cores in OLD, "
            f"{_number(loads[1]):.2f} in NEW",
            hint="sides that are measured against an unchanged one in both reports bear it best",
        )


def _software(old: Environment, new: Environment) -> Iterator[ReportDifference]:
    for name in sorted({*old.packages, *new.packages}):
        yield from _changed(
            f"package:{name}", NOTE, name, old.packages.get(name), new.packages.get(name),
            "a difference may be its doing, not the bundle's",
        )  # fmt: skip
    for code, words, before, after in (
        ("python", "Python", old.python, new.python),
        ("system", "the system", old.system, new.system),
    ):
        hint = "a difference may be its doing, not the bundle's"
        yield from _changed(code, NOTE, words, before, after, hint)


def _reports(old: LatencyReport, new: LatencyReport) -> Iterator[ReportDifference]:
    if new.created < old.created:
        yield ReportDifference(
            code="order",
            severity=NOTE,
            text=f"NEW was made before OLD: {new.created}, {old.created}",
            hint="give the older report first",
        )
    for which, report in (("OLD", old), ("NEW", new)):
        codes = dict.fromkeys(
            code for side in report.sides for code in unsteady(report, side.label)
        )
        if codes:
            yield ReportDifference(
                code="invalid",
                severity=NOTE,
                text=f"{which} is INVALID by {', '.join(codes)}",
                hint="its own page says what to do; only medians relative to an unchanged side "
                "are judged",
            )


def _changed(
    code: str, severity: Literal["spoils", "note"], words: str, before: Any, after: Any, hint: str
) -> Iterator[ReportDifference]:
    if before != after:
        text = f"{words}: {_or_none(before)} in OLD, {_or_none(after)} in NEW"
        yield ReportDifference(code=code, severity=severity, text=text, hint=hint)


def _present(environment: Environment) -> str:
    return ", ".join(sorted(name for name, there in environment.cpu.features.items() if there))


def _mean_clock(environment: Environment) -> float:
    clocks = (*environment.frequencies_mhz.before, *environment.frequencies_mhz.after)
    return float(np.mean(clocks)) if clocks else 0.0


def _number(value: float | None) -> float:
    return 0.0 if value is None else value


def _or_none(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)
