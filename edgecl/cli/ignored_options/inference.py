"""Of `export`, `run` and `bench`."""

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
        "concerns INT8",
        "add --int8, or leave it out",
    ),
    Rule(
        ("calibration_choice", "calibration_images"),
        lambda v: v["calibration_of"] is not None,
        "chooses images, and --calibration-of brings its own",
        LEAVE_ONE,
    ),
    Rule(
        ("workspace", "builder_level", "max_batch"),
        lambda v: not v["build_engine"],
        "says how engines are built, and none was asked for",
        "add --build-engine, or leave it out",
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
    from runtime.session.on_gpu import why_no_gpu

    return why_no_gpu() is not None


PRECISIONS = ("auto", "fp32", "fp16", "int8")
_BUILDING = ("workspace", "builder_level")
_BUILDS = "says how TensorRT engines are built, and"

RUN = (
    Rule(
        ("precision",),
        lambda v: v["precision"] not in PRECISIONS,
        "{value} is none that there is",
        f"choose among {', '.join(PRECISIONS)}",
    ),
    Rule(
        ("precision",),
        lambda v: v["precision"] != "auto" and (_is_onnx(v) or _is_engine(v)),
        "chooses among the precisions of a bundle, and --model is a lone file of one",
        "give the bundle, or leave it out",
    ),
    Rule(
        ("engine",),
        lambda v: _is_engine(v) and v["engine"] not in ("auto", "tensorrt"),
        "{value} does not run a built .engine file, which is TensorRT's",
        "give the bundle, or leave it out",
    ),
    Rule(
        ("threads",),
        lambda v: v["device"] == "gpu" or v["engine"] == "tensorrt" or _is_engine(v),
        "is for inference on the processor, and this is on the GPU alone",
    ),
    Rule(
        ("max_misses",),
        lambda v: v["budget"] is None,
        "limits how many frames miss the budget, and there is none",
        "add --budget, or leave it out",
    ),
    Rule(
        _BUILDING,
        lambda v: _is_onnx(v) or _is_engine(v),
        f"{_BUILDS} they are built from bundles",
        "give the bundle, or leave it out",
    ),
    Rule(
        _BUILDING,
        lambda v: v["device"] == "cpu" or v["engine"] not in ("auto", "tensorrt"),
        f"{_BUILDS} this is for the processor",
    ),
    Rule(_BUILDING, _no_builder, f"{_BUILDS} TensorRT does not work here (see 'edgecl doctor')"),
)

BENCH = (
    Rule(
        ("threads",),
        lambda v: v["device"] == "gpu" or set(v["engines"]) == {"tensorrt"},
        "is for inference on the processor, and this is on the GPU alone",
    ),
    Rule(
        _BUILDING,
        lambda v: v["device"] == "cpu" or (bool(v["engines"]) and "tensorrt" not in v["engines"]),
        f"{_BUILDS} this is for the processor",
    ),
    Rule(_BUILDING, _no_builder, f"{_BUILDS} TensorRT does not work here (see 'edgecl doctor')"),
)
