"""Ignored options of `export`, `run`, `history`, `bench` and `camera`."""

from __future__ import annotations

from pathlib import Path

from edgecl.cli.ignored_options.rule import LEAVE_ONE, Rule, Values

EXPORT = (
    Rule(
        (
            "calibration",
            "calibration_choice",
            "calibration_images",
            "calibration_data",
            "calibration_of",
            "calibration_curve",
            "sensitivity",
            "keep",
        ),
        lambda v: not v["int8"],
        "only affects INT8",
        "add --int8, or omit this option",
    ),
    Rule(
        ("calibration_choice", "calibration_images"),
        lambda v: v["calibration_of"] is not None,
        "conflicts with --calibration-of, which defines the calibration images",
        LEAVE_ONE,
    ),
    Rule(
        ("workspace", "builder_level", "max_batch"),
        lambda v: not v["build_engine"],
        "only affects TensorRT engines, and none are built",
        "add --build-engine, or omit this option",
    ),
)


def _is_onnx(values: Values) -> bool:
    model: Path | None = values["model"]
    return model is not None and model.suffix == ".onnx"


def _is_engine(values: Values) -> bool:
    from runtime.artifact.engine_file import ENGINE_SUFFIX

    model: Path | None = values["model"]
    return model is not None and model.suffix == ENGINE_SUFFIX


def _no_builder(values: Values) -> bool:
    from runtime.session.built import why_no_gpu

    return why_no_gpu() is not None


PRECISIONS = ("auto", "fp32", "fp16", "int8")
_BUILDING = ("workspace", "builder_level")
_BUILDS = "only affects building TensorRT engines, but"

RUN = (
    Rule(
        ("journal_keep",),
        lambda v: v["journal_rotate"] is None,
        "has no effect on a file that is not rotated",
        "add --journal-rotate, or omit this option",
    ),
    Rule(
        ("precision",),
        lambda v: v["precision"] not in PRECISIONS,
        "{value} is not a precision",
        f"choose from {', '.join(PRECISIONS)}",
    ),
    Rule(
        ("precision",),
        lambda v: v["precision"] != "auto" and (_is_onnx(v) or _is_engine(v)),
        "selects a precision of a bundle, but --model is a single file",
        "pass the bundle, or omit this option",
    ),
    Rule(
        ("engine",),
        lambda v: _is_engine(v) and v["engine"] not in ("auto", "tensorrt"),
        "{value} cannot run a built .engine file; only TensorRT can",
        "pass the bundle, or omit this option",
    ),
    Rule(
        ("threads",),
        lambda v: v["device"] == "gpu" or v["engine"] == "tensorrt" or _is_engine(v),
        "only affects CPU inference, but this runs on the GPU only",
    ),
    Rule(
        ("max_misses",),
        lambda v: v["budget"] is None,
        "limits budget misses, but no budget is set",
        "add --budget, or omit this option",
    ),
    Rule(
        ("spool",),
        lambda v: not v["sinks"],
        "keeps verdicts for other machines, but none is named",
        "add --sink, or omit this option",
    ),
    Rule(
        ("on_late",),
        lambda v: "total" not in (v["budget"] or ""),
        "speaks at the deadline of a total budget, but none is set",
        "add --budget total=TIME, or omit this option",
    ),
    Rule(
        ("unknown_above",),
        lambda v: v["unknown"] == "off",
        "limits the distance of known frames, but --unknown off calls none unknown",
        LEAVE_ONE,
    ),
    Rule(
        ("part_of",),
        lambda v: len(v["source"]) < 2,
        "joins the verdicts of several cameras, but there is only one",
        "give each camera: --camera left=0 --camera right=1",
    ),
    Rule(
        ("part_of",),
        lambda v: v["every_frame"] is False,
        "needs every frame of each camera, but only the latest ones are judged",
        "omit --latest",
    ),
    Rule(
        ("part_deadline",),
        lambda v: v["part_of"] is None,
        "limits how long a part waits for its cameras, but parts are not joined",
        "add --part-of, or omit this option",
    ),
    Rule(
        ("lot",),
        lambda v: not v["sinks"],
        "is kept by sinks, but there is none",
        "add --sink sqlite:FILE, or omit this option",
    ),
    Rule(
        _BUILDING,
        lambda v: _is_onnx(v) or _is_engine(v),
        f"{_BUILDS} those are built from bundles",
        "pass the bundle, or omit this option",
    ),
    Rule(
        _BUILDING,
        lambda v: v["device"] == "cpu" or v["engine"] not in ("auto", "tensorrt"),
        f"{_BUILDS} this runs on the CPU",
    ),
    Rule(_BUILDING, _no_builder, f"{_BUILDS} TensorRT does not work here (see 'edgecl doctor')"),
)

BENCH = (
    Rule(
        ("threads",),
        lambda v: v["device"] == "gpu" or set(v["engines"]) == {"tensorrt"},
        "only affects CPU inference, but this runs on the GPU only",
    ),
    Rule(
        _BUILDING,
        lambda v: v["device"] == "cpu" or (bool(v["engines"]) and "tensorrt" not in v["engines"]),
        f"{_BUILDS} this runs on the CPU",
    ),
    Rule(_BUILDING, _no_builder, f"{_BUILDS} TensorRT does not work here (see 'edgecl doctor')"),
)

HISTORY = (
    Rule(
        ("shifts",),
        lambda v: v["by"] not in (None, "shift"),
        "only affects --by shift",
        "add --by shift, or omit this option",
    ),
)

CAMERA = (
    Rule(
        ("out",),
        lambda v: v["record"] is None,
        "is the folder for recorded frames, but none are recorded",
        "add --record, or omit this option",
    ),
    Rule(
        ("per", "flat_frames"),
        lambda v: v["record_flat"] is None,
        "only affects a flat-field, and none is recorded",
        "add --record-flat, or omit this option",
    ),
    Rule(
        ("seconds", "snapshot", "record"),
        lambda v: v["record_flat"] is not None,
        "only affects a measurement, but --record-flat records a flat-field instead",
        LEAVE_ONE,
    ),
)
