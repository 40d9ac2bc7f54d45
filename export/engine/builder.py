"""ONNX → engine. Precision is in the graph, never in a builder flag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from export.engine.modules import (
    network_flags,
    set_targets,
    take_timing_cache,
    timing_cache,
    title,
)
from export.engine.parsing import parse
from export.engine.progress import build_monitor, interruptible, silent
from runtime.artifact.contract import InputContract
from runtime.errors import InputError
from runtime.progress import StageProgress
from runtime.session.tensorrt.log import LogLine, recording

BUILDER_LEVELS = range(6)


@dataclass(frozen=True)
class Batches:
    """The batch sizes of the optimisation profile.

    Args:
        min, max: the smallest and largest batch that the engine takes.
        opt: the batch that it is tuned for.
    """

    min: int = 1
    opt: int = 1
    max: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.min <= self.opt <= self.max:
            raise InputError(
                f"batch sizes {self.min}, {self.opt}, {self.max} are out of order",
                hint="use 1 ≤ min ≤ opt ≤ max",
            )


TILES, TUNED_TILES = 32, 16
"""Largest batch of tiles that an engine is built for, and the one that it is tuned for …"""
TILE_PIXELS = TILES * 128 * 128
"""… where tiles are no larger than this together, for the memory of a small GPU."""


def usual_batches(contract: InputContract, largest: int | None = None) -> Batches:
    """Return the profile of a model's engine: single images, or a frame's tiles together.

    Args:
        largest: asked for by the user.
    """
    if contract.tiling is None:
        return Batches(max=largest or 1)
    fitting = max(1, TILE_PIXELS // (contract.height * contract.width))
    most = largest or min(TILES, fitting)
    return Batches(opt=min(TUNED_TILES, most), max=most)


@dataclass(frozen=True)
class BuildOptions:
    """Options of a build.

    Args:
        batches: what the engine takes.
        workspace: bytes of device memory that a tactic may use; None for TensorRT's own limit.
        builder_level: 0 (quick to build) to 5 (quick to run); None for TensorRT's own.
        capabilities: compute capabilities to compile for, such as `8.6`, with TensorRT for RTX.
    """

    batches: Batches = Batches()
    workspace: int | None = None
    builder_level: int | None = None
    capabilities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.builder_level is not None and self.builder_level not in BUILDER_LEVELS:
            raise InputError(
                f"builder optimisation level {self.builder_level} does not exist",
                hint=f"choose {BUILDER_LEVELS[0]} (fastest build) to {BUILDER_LEVELS[-1]} "
                "(fastest engine)",
            )
        if self.workspace is not None and self.workspace < 1:
            raise InputError(
                f"a workspace of {self.workspace} bytes is not positive",
                hint="use a positive number of bytes, or None for TensorRT's default",
            )


@dataclass(frozen=True)
class BuiltEngine:
    """Result of a build.

    Args:
        plan: the serialised engine, to be written as it is, so that trtexec loads it too.
        timing_cache: for the next build on this machine; empty with TensorRT for RTX.
        timing_cache_taken: whether the one that was given served.
        builder: TensorRT's name and version.
        log: what TensorRT said.
    """

    plan: bytes
    timing_cache: bytes
    timing_cache_taken: bool
    builder: str
    log: tuple[LogLine, ...]


def build_engine(
    trt: Any,
    model: bytes,
    options: BuildOptions | None = None,
    *,
    timing_cache_data: bytes = b"",
    where: str = "the graph",
    report: StageProgress = silent,
) -> BuiltEngine:
    """Compile an ONNX graph.

    Args:
        trt: `tensorrt` (10.3 to 11) or `tensorrt_rtx`.
        model: the ONNX file's bytes; its types are those computed in.
        timing_cache_data: of an earlier build.
        where: the file, for errors.
        report: called as the build goes on, from TensorRT's threads.

    Raises:
        RefusedGraphError: the parser does not take the graph.
        InputError: options that this TensorRT lacks, or the build failed.
        KeyboardInterrupt: Ctrl-C; TensorRT ends the build at its next step.
    """
    options = options or BuildOptions()
    with recording(trt) as (logger, lines):
        builder = trt.Builder(logger)
        network = builder.create_network(network_flags(trt))
        parser = trt.OnnxParser(network, logger)
        parse(trt, parser, model, where=where)
        config = builder.create_builder_config()
        set_targets(trt, config, options.capabilities)
        if options.workspace is not None:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace)
        if options.builder_level is not None:
            config.builder_optimization_level = options.builder_level
        taken = take_timing_cache(trt, config, timing_cache_data)
        profile = _profile(builder, network, options.batches, where)
        if config.add_optimization_profile(profile) < 0:
            raise InputError(
                f"{title(trt)} does not accept batches of {options.batches.min} to "
                f"{options.batches.max} for {where}",
                hint="export it again with a dynamic batch axis",
            )
        plan = _build(trt, builder, network, config, report, where)
        if plan is None:
            raise InputError(
                f"{title(trt)} could not build {where}: {_last_error(lines)}",
                hint="the builder's message says why; free memory or build for another target",
            )
        return BuiltEngine(
            plan=bytes(plan),
            timing_cache=timing_cache(trt, config),
            timing_cache_taken=taken,
            builder=title(trt),
            log=tuple(lines),
        )


def _build(
    trt: Any, builder: Any, network: Any, config: Any, report: StageProgress, where: str
) -> Any | None:
    with interruptible() as cancelled:
        monitor = build_monitor(trt, f"building {where}", report, cancelled)
        config.progress_monitor = monitor
        plan = builder.build_serialized_network(network, config)
    if monitor.error is not None:
        raise monitor.error
    return plan


def _profile(builder: Any, network: Any, batches: Batches, where: str) -> Any:
    profile = builder.create_optimization_profile()
    if not network.num_inputs:
        raise InputError(f"{where} has no input", hint="use a file written by 'edgecl export'")
    for place in range(network.num_inputs):
        tensor = network.get_input(place)
        batch, *rest = tensor.shape
        if -1 in rest:
            raise InputError(
                f"input {tensor.name!r} of {where} has dynamic dimensions besides the batch",
                hint="export it with a fixed image size",
            )
        sizes = (batches.min, batches.opt, batches.max)
        # A fixed batch stays what it is, whatever was asked for.
        profile.set_shape(tensor.name, *((size if batch == -1 else batch, *rest) for size in sizes))
    return profile


def _last_error(lines: list[LogLine]) -> str:
    errors = [line.text for line in lines if line.is_error]
    return " ".join(errors[-1].split()) if errors else "no reason given"
