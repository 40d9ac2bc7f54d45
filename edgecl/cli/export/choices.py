"""The options of `edgecl export` that say what a precision may lose and how INT8 is calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgecl.cli.options import ANY_PATH, FOLDER, option_group

if TYPE_CHECKING:
    from edgecl.exporting.job import ExportChoices

# Named here too, so that --help does not load what only an export needs; tests hold them together.
ALGORITHMS = ("auto", "minmax", "percentile", "mse", "entropy")
SELECTIONS = ("stratified", "random", "coverage")
SEARCH = "auto"
REMEDY_SECONDS = 120

OPTIONS = (
    click.option("--fp32", is_flag=True, help="Export FP32 only. FP32 is in every bundle."),
    click.option("--fp16", is_flag=True, help="Add FP16."),
    click.option("--int8", is_flag=True, help="Add INT8 for the CPU and TensorRT."),
    click.option(
        "--max-drop",
        type=click.FloatRange(0),
        default=0.5,
        show_default=True,
        help="Maximum loss of validation accuracy, in percentage points.",
    ),
    click.option(
        "--max-escapes",
        type=click.FloatRange(0, 100),
        default=1.0,
        show_default=True,
        help="Maximum share of the defects caught by FP32 that a precision may miss, in percent.",
    ),
    click.option(
        "--strict-gate",
        is_flag=True,
        help="Refuse what is beyond a limit by count, even if so few images cannot tell.",
    ),
    click.option(
        "--remedy-time",
        type=click.IntRange(0, 86_400),
        metavar="SECONDS",
        default=REMEDY_SECONDS,
        show_default=True,
        help="Time to look for a calibration or layers to keep that make refused INT8 ship; "
        "0 for none.",
    ),
    click.option(
        "--calibration",
        type=click.Choice(ALGORITHMS),
        default="auto",
        show_default=True,
        help="Calibration algorithm; auto tries all and keeps the most accurate.",
    ),
    click.option(
        "--calibration-choice",
        type=click.Choice(SELECTIONS),
        default="stratified",
        show_default=True,
        help="How calibration images are chosen; coverage spreads them over the embedding space.",
    ),
    click.option(
        "--calibration-images",
        type=click.IntRange(1),
        default=128,
        show_default=True,
        help="Number of images to calibrate on.",
    ),
    click.option(
        "--calibration-data",
        type=FOLDER,
        help="Images to calibrate on, labelled or not.  [default: the train part]",
    ),
    click.option(
        "--calibration-of",
        type=ANY_PATH,
        metavar="BUNDLE",
        help="Calibrate on exactly the images of another bundle, and with its algorithm "
        "unless --calibration is given.",
    ),
    click.option(
        "--calibration-curve",
        is_flag=True,
        help="Measure INT8 accuracy against the number of calibration images.",
    ),
    click.option(
        "--sensitivity",
        is_flag=True,
        help="Measure the loss caused by each layer when only that layer is INT8.",
    ),
    click.option(
        "--keep-fp16",
        "keep",
        multiple=True,
        metavar="LAYER",
        help="Name of a layer to keep in floating point, or auto to keep as few as the "
        "gate allows. Repeatable.",
    ),
    click.option(
        "--pass-label",
        "pass_labels",
        multiple=True,
        help="Label of a good part. Repeatable.  [default: labels named clean, ok and the like]",
    ),
    click.option(
        "--keep-confidence",
        is_flag=True,
        help="Leave confidences as trained. By default a temperature, fitted to the validation "
        "part, makes them shares of right answers.",
    ),
    click.option(
        "--heat-maps",
        is_flag=True,
        help="Add a graph that shows where the network sees a defect (class activation maps), "
        "for 'run --heat-maps'.",
    ),
    click.option(
        "--false-alarms",
        type=click.FloatRange(0, 50),
        metavar="PERCENT",
        default=1.0,
        show_default=True,
        help="Share of known images that may be called 'unknown', in percent; 0 for no limit "
        "beyond which a frame is unknown.",
    ),
    click.option(
        "--data", type=FOLDER, help="New location of the run's images, if they were moved."
    ),
)


export_options = option_group(*OPTIONS)
"""Decorator with all of `OPTIONS`, in their order."""


def choices_of(options: Mapping[str, Any]) -> ExportChoices:
    """The exporter's choices out of the values of `OPTIONS`."""
    from calibration.record import record_of_bundle
    from edgecl.exporting.job import ExportChoices
    from export.gate.decision import Limits
    from export.job import Int8Choices
    from runtime.files.user_cache import user_cache

    earlier = options["calibration_of"]
    record = record_of_bundle(earlier) if earlier is not None else None
    algorithm = options["calibration"]
    if record is not None and _is_default("calibration"):
        algorithm = record.method
    return ExportChoices(
        precisions=[name for name in ("fp16", "int8") if options[name]],
        limits=Limits(options["max_drop"], options["max_escapes"], options["strict_gate"]),
        remedy_seconds=options["remedy_time"],
        int8=Int8Choices(
            algorithm=algorithm,
            selection=options["calibration_choice"],
            images=options["calibration_images"],
            keep=tuple(name for name in options["keep"] if name != SEARCH),
            search=SEARCH in options["keep"],
            sensitivity=options["sensitivity"],
            curve=options["calibration_curve"],
            cache=user_cache("calibration"),
            repeated=record,
        ),
        as_confident_as_trained=options["keep_confidence"],
        false_alarms=options["false_alarms"] / 100,
        pass_labels=options["pass_labels"],
        data=options["data"],
        calibration_data=options["calibration_data"],
        heat_maps=options["heat_maps"],
    )


def _is_default(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is ParameterSource.DEFAULT
