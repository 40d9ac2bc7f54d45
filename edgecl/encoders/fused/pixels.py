"""Maps as rows of pixels, and compiled kernels over them on torch's own threads."""

from __future__ import annotations

import ctypes
import functools
import importlib
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Below, calling costs more than what is saved.
FEWEST_NUMBERS = 1 << 20
# Pixels of few channels are strung together until they fill whole vectors.
VECTOR, LONG_ROW = 32, 512

Pixels = NDArray[Any]
Kernel = Callable[..., Any]

_NOT_YET = object()
_PART = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def is_large_map(x: Tensor) -> bool:
    """Whether x is a map that the compiled kernels take, and large enough to be worth it.

    Args:
        x: N×C×H×W.
    """
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.numel() >= FEWEST_NUMBERS
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
        and (_openmp() is not None or torch.get_num_threads() == 1)
        and _can_compile()
    )


def pixels_of(x: Tensor) -> Pixels:
    """A channels-last map as R×C, one row per pixel, in the same memory.

    Args:
        x: N×C×H×W; also the first channels of such a map, whose rows then lie further apart.

    Returns:
        float32, or uint16 that holds the bits of bf16.
    """
    rows = x.detach().permute(0, 2, 3, 1).flatten(0, 2)
    return (rows.view(torch.uint16) if x.dtype == torch.bfloat16 else rows).numpy()


def over_pixels(kernel: Kernel, maps: Sequence[Pixels], channels: Sequence[NDArray[Any]]) -> None:
    """Let `kernel` run over all pixels, in parts, one per thread of torch.

    Args:
        kernel: takes maps, then numbers per channel, all of one width.
        maps: R×C each.
        channels: C numbers each, float32 for the kernel.
    """
    _run(_strung(kernel, maps, channels))


def sum_over_pixels(
    kernel: Kernel, maps: Sequence[Pixels], channels: Sequence[NDArray[Any]]
) -> NDArray[np.float64]:
    """Variant of `over_pixels` for a kernel that gives two sums per channel: 2×C, of all pixels."""
    width = maps[0].shape[1]
    parts = [np.stack(sums).reshape(2, -1, width) for sums in _run(_strung(kernel, maps, channels))]
    total: NDArray[np.float64] = np.concatenate(parts, axis=1).sum(axis=1)
    return total


def over_rows(kernel: Kernel, maps: Sequence[Pixels]) -> None:
    """Let `kernel` run over parts of the rows of maps that differ in width."""
    _run(_parts(kernel, maps))


def _strung(
    kernel: Kernel, maps: Sequence[Pixels], channels: Sequence[NDArray[Any]]
) -> list[Callable[[], Any]]:
    """The parts, of rows of several pixels each; pixels that fill no such row come last."""
    count, width = maps[0].shape
    together = VECTOR // math.gcd(width, VECTOR) if width < LONG_ROW else 1
    rows = count // together
    numbers = [np.asarray(each, np.float32) for each in channels]
    repeated = [np.tile(each, together) for each in numbers]
    whole = [part[: rows * together].reshape(rows, together * width) for part in maps]
    parts = _parts(kernel, whole, repeated)
    if count % together:
        parts.append(functools.partial(kernel, *(m[rows * together :] for m in maps), *numbers))
    return parts


def _parts(
    kernel: Kernel, maps: Sequence[Pixels], constants: Sequence[NDArray[Any]] = ()
) -> list[Callable[[], Any]]:
    count, threads = len(maps[0]), torch.get_num_threads()
    edges = [count * part // threads for part in range(threads + 1)]
    return [
        functools.partial(kernel, *(m[start:stop] for m in maps), *constants)
        for start, stop in itertools.pairwise(edges)
    ]


def _run(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of all jobs.

    On the threads that torch's operations run on. After each of them torch's workers wait for the
    next, and keep their cores busy with it; other threads would have to share.
    """
    threads, openmp = torch.get_num_threads(), _openmp()
    if threads == 1 or openmp is None:
        return [job() for job in jobs]
    results: list[Any] = [_NOT_YET] * len(jobs)
    errors: list[BaseException] = []

    def take_share(_: Any) -> None:
        try:
            for job in range(openmp.omp_get_thread_num(), len(jobs), openmp.omp_get_num_threads()):
                results[job] = jobs[job]()
        except BaseException as error:  # there is only C above to raise it to
            errors.append(error)

    openmp.GOMP_parallel(_PART(take_share), None, threads, 0)
    if errors:
        raise errors[0]
    if any(result is _NOT_YET for result in results):
        # A signal of the very moment between C and Python, which ctypes printed and dropped.
        raise KeyboardInterrupt
    return results


@functools.cache
def _openmp() -> ctypes.CDLL | None:
    """The OpenMP that torch runs on, where it has the entry that GCC's programs use."""
    try:
        # torch makes it known to the whole process, under whatever file name it came.
        library = ctypes.CDLL(None)
        parallel = library.GOMP_parallel
    except (OSError, AttributeError, TypeError):
        return None
    parallel.restype = None
    parallel.argtypes = [_PART, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    return library


@functools.cache
def _can_compile() -> bool:
    try:
        importlib.import_module("edgecl.encoders.fused.norm_kernels")
    except (ImportError, RuntimeError):
        # No numba, one that does not take this NumPy, or nowhere to keep what it compiles.
        return False
    return True
