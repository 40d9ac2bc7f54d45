"""Ignored options of `export`, `run`, `history`, `bench` and `camera`."""

from __future__ import annotations

from pathlib import Path

from edgecl.cli.ignored_options.rule import LEAVE_ONE, NO_SERVER, SERVER, Rule, Values

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


def no_builder(values: Values) -> bool:
    from runtime.session.built import why_no_gpu

    return why_no_gpu() is not None


PRECISIONS = ("auto", "fp32", "fp16", "int8")
BUILDING = ("workspace", "builder_level")

BUILDS = "only affects building TensorRT engines, but"

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
        ("threads",),
        lambda v: v["engine"] == "oip",
        "only affects inference on this machine, but a server infers",
    ),
    Rule(
        (*SERVER, "server_give_up_after"),
        lambda v: v["engine"] != "oip",
        NO_SERVER,
        "add --engine oip, or omit this option",
    ),
    Rule(
        ("server_model",),
        lambda v: bool(v["recipe"]) or v["shadow"] is not None,
        "names one model, but several are run",
        "omit it, and serve each as 'edgecl export --triton' names it",
    ),
    Rule(
        ("model",),
        lambda v: bool(v["recipe"]),
        "stands beside recipes, which name their bundles",
        LEAVE_ONE,
    ),
    Rule(
        ("shadow",),
        lambda v: bool(v["recipe"]),
        "is compared with one model, and follows no change of recipe",
        LEAVE_ONE,
    ),
    Rule(
        ("shadow",),
        lambda v: len(v["source"]) > 1,
        "judges beside one camera, but there are several",
        "run a stream of one camera for it, or omit this option",
    ),
    Rule(
        ("check_wrong",),
        lambda v: v["check_parts"] is None,
        "limits the wrong answers to parts, but no folder of parts is named",
        "add --check-parts, or omit this option",
    ),
    Rule(
        ("begin_with",),
        lambda v: not v["recipe"],
        "names a recipe, but there are none",
        "add --recipe ID=BUNDLE, or omit this option",
    ),
    Rule(
        ("heat_maps",),
        lambda v: bool(v["recipe"]),
        "shows where one model sees defects, and follows no change of recipe",
        LEAVE_ONE,
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
        lambda v: not v["sinks"] and v["serve"] is None,
        "is kept by sinks, but there is none",
        "add --sink sqlite:FILE, or omit this option",
    ),
    Rule(
        ("serve_token", "serve_cert", "serve_key", "serve_names"),
        lambda v: v["serve"] is None,
        "is about a page, but none is served",
        "add --serve, or omit this option",
    ),
    Rule(
        ("serve_key",),
        lambda v: v["serve_cert"] is None,
        "belongs to a certificate, but none is given",
        "add --serve-cert, or omit this option",
    ),
    Rule(
        BUILDING,
        lambda v: _is_onnx(v) or _is_engine(v),
        f"{BUILDS} those are built from bundles",
        "pass the bundle, or omit this option",
    ),
    Rule(
        BUILDING,
        lambda v: v["device"] == "cpu" or v["engine"] not in ("auto", "tensorrt"),
        f"{BUILDS} this runs on the CPU",
    ),
    Rule(BUILDING, no_builder, f"{BUILDS} TensorRT does not work here (see 'edgecl doctor')"),
)

HISTORY = (
    Rule(
        ("shifts",),
        lambda v: v["by"] not in (None, "shift"),
        "only affects --by shift",
        "add --by shift, or omit this option",
    ),
)

REPLAY = (
    Rule(
        ("precision",),
        lambda v: v["precision"] not in PRECISIONS,
        "{value} is not a precision",
        f"choose from {', '.join(PRECISIONS)}",
    ),
)

CHECK = (
    Rule(
        (
            "model",
            "verify_key",
            "precision",
            "engine",
            "device",
            "parts",
            "wrong_at_most",
            "pass_labels",
            "unsure_below",
            "camera",
            "frames",
            "reference",
            "record",
            "archive",
        ),
        lambda v: v["running"] or v["stream"] is not None,
        "only affects a check by itself; a running stream is checked by its own options",
        "leave out one of the two",
    ),
    Rule(
        ("parts", "wrong_at_most", "pass_labels", "unsure_below", "reference", "archive"),
        lambda v: v["record"] is not None,
        "only affects a check, but --record records a reference instead",
        LEAVE_ONE,
    ),
    Rule(
        ("wrong_at_most", "pass_labels", "unsure_below"),
        lambda v: v["parts"] is None,
        "only affects the answers to parts, and none are named",
        "add --parts, or omit this option",
    ),
    Rule(
        ("frames", "reference"),
        lambda v: v["camera"] is None,
        "only affects light and focus, and no camera is named",
        "add --camera, or omit this option",
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
