"""Check of the memory for a build before it starts: the kernel kills processes that run out.

The need is estimated by a stated rule, since nothing on the box can tell it beforehand:

    need = BASE                              CUDA's context and TensorRT's own code and buffers
         + 4 × the ONNX file                 the file, the parsed network, weights on the GPU, plan
         + 2 × 64 × 4 × H × W × batch        two activations alive, 64 channels of the full image
         + workspace                         what a tactic may use

BASE and the factors are chosen to be cautious; they were not measured on a Jetson. A refusal can be
lifted with a smaller `--workspace` or `--max-batch`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from export.engine.builder import BuildOptions
from export.engine.target import Target
from runtime.errors import InputError
from runtime.machine import ROOT, read_memory

MIB = 2**20
BASE = 640 * MIB
COPIES = 4
CHANNELS = 64
ALIVE = 2
FLOAT_BYTES = 4
DEFAULT_WORKSPACE = 256 * MIB
"""Workspace counted if none is given: TensorRT skips tactics that do not fit."""
SMALLEST_WORKSPACE = 16 * MIB


@dataclass(frozen=True)
class Need:
    """Bytes that a build takes.

    Args:
        fixed: all but the workspace.
        workspace: what a tactic may use.
    """

    fixed: int
    workspace: int

    @property
    def total(self) -> int:
        """Sum of both."""
        return self.fixed + self.workspace


def estimate(onnx_bytes: int, size: tuple[int, int], options: BuildOptions) -> Need:
    """Estimate the memory that a build needs, by the rule above.

    Args:
        size: height and width of the model's input, in pixels.
    """
    pixels = size[0] * size[1] * options.batches.max
    activations = ALIVE * CHANNELS * FLOAT_BYTES * pixels
    workspace = DEFAULT_WORKSPACE if options.workspace is None else options.workspace
    return Need(BASE + COPIES * onnx_bytes + activations, workspace)


def free_memory(target: Target, root: Path = ROOT) -> int | None:
    """Bytes that a build may take: main memory where the GPU shares it, else the GPU's own.

    Args:
        root: the file tree to read, for tests.
    """
    return read_memory(root)["available"] if target.shares_memory else target.free


def preflight(
    target: Target,
    onnx_bytes: int,
    size: tuple[int, int],
    options: BuildOptions,
    *,
    root: Path = ROOT,
) -> BuildOptions:
    """Check that there is memory for a build.

    Returns:
        The options to build with. Where the GPU shares the processor's memory and no workspace
        was asked for, it is limited to half of what the rest leaves free: TensorRT's own limit is
        all there is, and the kernel ends whoever takes it.

    Raises:
        InputError: there is not enough, with both figures and what to do.
    """
    free = free_memory(target, root)
    if free is None:
        return options
    need = estimate(onnx_bytes, size, options)
    if need.total > free:
        raise InputError(_refusal(target, free, need, options), hint=_hint(free, need, options))
    if target.shares_memory and options.workspace is None:
        return replace(options, workspace=(free - need.fixed) // 2 // MIB * MIB)
    return options


def _refusal(target: Target, free: int, need: Need, options: BuildOptions) -> str:
    kind = "main memory, shared with the GPU, is" if target.shares_memory else "GPU memory is"
    return (
        f"not enough memory to build the engine: {_mib(free)} of {kind} free, about "
        f"{_mib(need.total)} needed ({_mib(need.workspace)} of it workspace, batches up to "
        f"{options.batches.max})"
    )


def _hint(free: int, need: Need, options: BuildOptions) -> str:
    room = (free - need.fixed) // MIB
    if room * MIB >= SMALLEST_WORKSPACE:
        return f"close other programs, or use --workspace {room} (MiB) or less"
    smaller = "use a smaller --max-batch, or " if options.batches.max > 1 else ""
    return f"{smaller}close other programs; no --workspace is small enough"


def _mib(count: int) -> str:
    return f"{count / MIB:,.0f} MiB"
