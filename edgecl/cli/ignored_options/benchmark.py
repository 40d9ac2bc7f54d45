"""The tables of bench and compare."""

from __future__ import annotations

from edgecl.cli.ignored_options.inference import (
    BUILDING,
    BUILDS,
    no_builder,
)
from edgecl.cli.ignored_options.rule import LEAVE_ONE, NO_SERVER, SERVER, Rule, Values


def _scenario(values: Values) -> str:
    asked: str | None = values["scenario"]
    return asked or ("single-stream" if values["cadence_hz"] is None else "cadence")


BENCH = (
    Rule(
        ("markdown",),
        lambda v: v["as_json"],
        "and --json are two forms of one output",
        LEAVE_ONE,
    ),
    Rule(
        ("cadence_hz",),
        lambda v: v["scenario"] not in (None, "cadence"),
        "is the rate of --scenario cadence, but this is another one",
        LEAVE_ONE,
    ),
    *(
        Rule(
            (option,),
            lambda v, scenario=scenario: _scenario(v) != scenario,  # type: ignore[misc]
            f"only affects --scenario {scenario}",
            f"add --scenario {scenario}, or omit this option",
        )
        for option, scenario in (
            ("streams", "multi-stream"),
            ("batch", "offline"),
            ("rate_hz", "server"),
            ("bound_ms", "server"),
            ("worker_counts", "cadence"),
        )
    ),
    Rule(
        ("frames",),
        lambda v: v["soak_minutes"] is not None,
        "counts frames, but --soak measures for a time",
        LEAVE_ONE,
    ),
    Rule(
        ("max_drop",),
        lambda v: v["budget"] is None,
        "only applies to --budget, which is not set",
        "add --budget, or omit this option",
    ),
    Rule(
        ("threads",),
        lambda v: v["device"] == "gpu" or set(v["engines"]) == {"tensorrt"},
        "only affects CPU inference, but this runs on the GPU only",
    ),
    Rule(
        ("threads",),
        lambda v: set(v["engines"]) == {"oip"},
        "only affects inference on this machine, but a server infers",
    ),
    Rule(
        SERVER,
        lambda v: "oip" not in v["engines"],
        NO_SERVER,
        "add --engine oip, or omit this option",
    ),
    Rule(
        BUILDING,
        lambda v: v["device"] == "cpu" or (bool(v["engines"]) and "tensorrt" not in v["engines"]),
        f"{BUILDS} this runs on the CPU",
    ),
    Rule(BUILDING, no_builder, f"{BUILDS} TensorRT does not work here (see 'edgecl doctor')"),
)

COMPARE = (
    Rule(
        ("strict",),
        lambda v: v["limit"] is None,
        "is about a limit, but there is none",
        "add --fail-if-slower PERCENT, or omit this option",
    ),
    Rule(
        ("markdown",),
        lambda v: v["as_json"],
        "and --json are two forms of one output",
        LEAVE_ONE,
    ),
    Rule(
        ("steps",),
        lambda v: v["as_json"],
        "changes nothing beside --json, which has every step",
    ),
)
