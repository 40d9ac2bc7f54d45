"""The machine, what it did meanwhile, and how it was measured, as facts for people."""

from __future__ import annotations

from collections.abc import Sequence

from edgecl.reporting.numbers import duration
from runtime.benchmark.conditions.document import Conditions, Spread
from runtime.benchmark.document import LatencyReport, SideReport

FactRows = list[tuple[str, str]]


def fact_groups(report: LatencyReport) -> list[tuple[str, FactRows]]:
    """FactRows under headings; what is not known is left out."""
    groups = (
        ("The machine", _machine(report)),
        ("Meanwhile", _meanwhile(report)),
        ("Software", _software(report)),
        ("Measurement", _measurement(report)),
        ("Bundles", _bundles(report.sides)),
    )
    return [
        (name, known)
        for name, facts in groups
        if (known := [(key, value) for key, value in facts if value])
    ]


def _machine(report: LatencyReport) -> FactRows:
    environment, conditions = report.environment, report.conditions
    cpu, memory, peaks = environment.cpu, environment.memory_bytes, report.peaks
    cores = ", ".join(map(str, conditions.affinity)) if conditions else ""
    settings = {**environment.thread_variables}
    if conditions:
        settings |= conditions.thread_settings
    return [
        ("processor", f"{cpu.model}, {cpu.usable_cores or '–'} of {cpu.cores or '–'} cores"),
        ("cores used", cores),
        ("inference threads", str(environment.threads)),
        ("thread variables", ", ".join(f"{name}={value}" for name, value in settings.items())),
        ("instructions", ", ".join(name for name, there in cpu.features.items() if there)),
        ("clock governor", cpu.governor or "unknown"),
        ("memory", f"{memory / 2**30:.1f} GiB" if memory else "unknown"),
        ("GPU", ", ".join(environment.gpu.devices) or "none"),
        ("GPU driver", environment.gpu.driver or ""),
        ("Jetson", environment.gpu.jetson or ""),
        (
            "measured peaks",
            ", ".join(
                f"{peak.precision.upper()} {peak.gmac_s:.0f} GMAC/s" for peak in peaks.products
            )
            + f", copy {peaks.copy_gb_s:.3g} GB/s"
            if peaks
            else "",
        ),
    ]


def _meanwhile(report: LatencyReport) -> FactRows:
    environment, conditions = report.environment, report.conditions
    load, clocks = environment.load, environment.frequencies_mhz.after
    heat = environment.temperatures_c.after
    loads = [value for value in (load.before, load.after) if value is not None]
    clock = _spread(conditions.core_mhz, "MHz", 0) if conditions else ""
    warmth = _spread(conditions.temperature_c, "°C", 0) if conditions else ""
    return [
        ("core clock", clock or (f"{sum(clocks) / len(clocks):.0f} MHz" if clocks else "unknown")),
        ("clock swing", _swing(conditions)),
        ("temperature", warmth or (f"{max(heat.values()):.0f} °C" if heat else "unknown")),
        ("load before, after", " and ".join(f"{value:.2f}" for value in loads)),
        ("CPU used by other processes", _cores(environment.other_load_cores)),
        ("CPU used by other guests", _cores(environment.steal_cores)),
        *(_conditions(conditions) if conditions else ()),
    ]


def _swing(conditions: Conditions | None) -> str:
    clock = conditions.core_clock if conditions else None
    if clock is None:
        return ""
    how = "of the fastest core" if clock.source == "told" else "of a fixed piece of work, timed"
    return f"{clock.swing:.1%} {how}"


def _conditions(conditions: Conditions) -> FactRows:
    memory, used = conditions.memory_available_bytes, conditions.swap_used_bytes
    swapped = conditions.swapped_pages
    facts = [
        ("memory free at least", f"{memory.low / 2**30:.1f} GiB" if memory else ""),
        ("swap in use", "none" if not used else f"{used / 2**20:.0f} MiB"),
        ("pages swapped", "" if swapped is None else str(swapped)),
    ]
    for gpu in conditions.gpus:
        facts += [
            (f"{gpu.name} clock", _spread(gpu.sm_mhz, "MHz", 0)),
            (f"{gpu.name} temperature", _spread(gpu.temperature_c, "°C", 0)),
            (f"{gpu.name} power", _spread(gpu.power_w, "W", 1)),
            (f"{gpu.name} held back by", ", ".join(gpu.throttled) or "nothing"),
        ]
    jetson = conditions.jetson
    if jetson is not None:
        hottest = max(jetson.temperatures_c.items(), key=lambda entry: entry[1], default=None)
        facts += [
            ("power mode", jetson.power_mode or "unknown"),
            ("GPU clock", _spread(jetson.gpu_mhz, "MHz", 0)),
            ("power at the input", _spread(jetson.input_w, "W", 2)),
            ("hottest sensor", f"{hottest[0]}, {hottest[1]:.0f} °C" if hottest else ""),
        ]
    return facts


def _software(report: LatencyReport) -> FactRows:
    environment = report.environment
    return [
        ("system", environment.system),
        ("Python", environment.python),
        *environment.packages.items(),
    ]


def _measurement(report: LatencyReport) -> FactRows:
    scenario, environment = report.scenario, report.environment
    clock, meters = environment.clock, {side.energy.meter for side in report.sides if side.energy}
    settling = f"{1000 * scenario.settle.seconds:g} ms at the start of every turn"
    return [
        ("scenario", scenario.kind),
        ("frames", f"{scenario.rounds} rounds of {scenario.block} per side"),
        ("order", f"shuffled in every round, seed {scenario.seed}"),
        ("not counted", f"{scenario.warmup} warm-up frames, and {settling}"),
        ("frame", f"{scenario.frame.content}, {scenario.frame.distinct} distinct"),
        ("tiles", _cuts(report.sides)),
        ("clock", f"{clock.name}, {clock.overhead_ns} ns per call"),
        ("energy", ", ".join(sorted(meters))),
        ("duration", duration(environment.wall_s)),
    ]


def _bundles(sides: Sequence[SideReport]) -> FactRows:
    found = {}
    for side in sides:
        hashed = f", SHA-256 {side.digest[:16]}…" if side.digest else ""
        found[side.name] = f"{side.bundle}{hashed}"
    return list(found.items())


def _cuts(sides: Sequence[SideReport]) -> str:
    """Describe how each bundle's frames are cut; empty where none are."""
    return ", ".join(dict.fromkeys(f"{side.name}: {side.cut}" for side in sides if side.cut))


def _cores(cores: float | None) -> str:
    return "unknown" if cores is None else f"{cores:.2f} cores"


def _spread(spread: Spread | None, unit: str, digits: int) -> str:
    if spread is None:
        return ""
    low, high = f"{spread.low:.{digits}f}", f"{spread.high:.{digits}f}"
    if low == high:
        return f"{low} {unit}"
    return f"{low} to {high} {unit}, mean {spread.mean:.{digits}f}"
