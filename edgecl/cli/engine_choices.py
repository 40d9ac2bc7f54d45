"""The options that say how TensorRT engines are built, and the building for several verbs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import EdgeclError, InputError
from runtime.progress import Say, StageProgress

if TYPE_CHECKING:
    from export.engine.builder import BuildOptions
    from runtime.artifact.bundle import Bundle
    from runtime.artifact.contract import InputContract

MIB = 2**20

WORKSPACE = click.option(
    "--workspace",
    type=click.IntRange(1),
    metavar="MIB",
    help="TensorRT workspace limit in MiB.  [default: TensorRT's own limit; half of the "
    "free memory where GPU and CPU share memory]",
)
LEVEL = click.option(
    "--builder-level",
    type=click.IntRange(0, 5),
    help="TensorRT builder optimisation level: 0 builds fastest, 5 runs fastest.  "
    "[default: TensorRT's own]",
)
ENGINE = click.option(
    "--build-engine",
    is_flag=True,
    help="Build TensorRT engines for this machine's GPU now. Otherwise the first 'edgecl "
    "run' on the target builds them.",
)
MAX_BATCH = click.option(
    "--max-batch",
    type=click.IntRange(1),
    metavar="N",
    help="Maximum batch size of the engines, which are tuned for single images, or for a "
    "frame's tiles.  [default: 1; up to 32 tiles]",
)


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `edgecl export` its options about engines."""
    for option in (MAX_BATCH, LEVEL, WORKSPACE, ENGINE):
        command = option(command)
    return command


def build_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb that may build an engine on its first call the options for that."""
    for option in (LEVEL, WORKSPACE):
        command = option(command)
    return command


def options_of(values: Mapping[str, Any], contract: InputContract) -> BuildOptions | None:
    """Return the build options; None where none was given, so that any engine will do.

    Args:
        values: of `engine_options` or `build_options`.
        contract: of the model that the engine is for.
    """
    workspace, builder_level = values.get("workspace"), values.get("builder_level")
    largest = values.get("max_batch")
    if workspace is None and builder_level is None and largest is None:
        return None
    from export.engine.builder import BuildOptions, usual_batches

    return BuildOptions(
        usual_batches(contract, largest),
        workspace=None if workspace is None else workspace * MIB,
        builder_level=builder_level,
    )


def require_builder(values: Mapping[str, Any]) -> None:
    """Check before the work that this machine can build the engines that were asked for.

    Raises:
        InputError: it has no TensorRT or no GPU.
    """
    if not values["build_engine"]:
        return
    from export.engine.target import target_of
    from runtime.gpu.probe import probe_gpu

    try:
        target_of(probe_gpu())
    except EdgeclError as error:
        raise InputError(
            f"--build-engine: {error.problem}",
            hint="omit --build-engine: the first 'edgecl run' on the target builds the "
            f"engine; to build for this machine: {error.hint}",
        ) from error


def build_asked(
    out: Path, values: Mapping[str, Any], report: StageProgress, say: Say
) -> list[Path]:
    """Build the engines of a new bundle, if they were asked for.

    FP32 gets one only where it was named, or is all that there is.

    Returns:
        The engines.

    Raises:
        InputError: one cannot be built; the bundle is there all the same.
    """
    if not values["build_engine"]:
        return []
    from export.engine.builder import BuildOptions, usual_batches
    from export.engine.ready import ready_engine
    from runtime.artifact.bundle import load_bundle

    bundle = load_bundle(out)
    contract = bundle.contract.input
    options = options_of(values, contract) or BuildOptions(usual_batches(contract))
    try:
        return [
            ready_engine(bundle, name, options=options, report=report, say=say)
            for name in _worth_building(list(bundle.tensorrt), fp32=values["fp32"])
        ]
    except EdgeclError as error:
        raise InputError(
            f"wrote {out}, but without an engine: {error.problem}", hint=error.hint
        ) from error


def engine_builder(
    values: Mapping[str, Any], report: StageProgress, say: Say, *, own_only: bool
) -> Callable[[Bundle, str], Path]:
    """Return the function that a session calls for the engine of a bundle and precision.

    Args:
        values: of `build_options`.
        own_only: trust only engines that this box built; for bundles whose signature was checked.
    """

    def engine_for(bundle: Bundle, precision: str) -> Path:
        from export.engine.ready import ready_engine

        options = options_of(values, bundle.contract.input)
        return ready_engine(
            bundle, precision, options=options, report=report, say=say, own_only=own_only
        )

    return engine_for


def _worth_building(names: Sequence[str], *, fp32: bool) -> list[str]:
    return [name for name in names if name != "fp32" or fp32 or len(names) == 1]
