"""Choice of the bindings to the GPU: pycuda first, cuda-bindings where it cannot be imported."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.errors import InputError
from runtime.gpu.memory.base import DeviceMemory
from runtime.gpu.memory.cuda_bindings import CudaBindingsMemory, GraphCapture
from runtime.gpu.memory.errors import GpuError
from runtime.gpu.memory.pycuda import PycudaMemory

AUTO = "auto"


@dataclass(frozen=True)
class Backend:
    """A set of bindings.

    Args:
        module: what is imported.
        package: whose version is told.
        install: the command that brings it.
        oldest: release whose calls are those that are made here.
    """

    module: str
    package: str
    install: str
    oldest: tuple[int, int]


BACKENDS: Mapping[str, Backend] = {
    "pycuda": Backend(
        "pycuda.driver",
        "pycuda",
        "pip install pycuda, with the CUDA toolkit",
        (2024, 1),
    ),
    "cuda-bindings": Backend(
        "cuda.bindings.driver",
        "cuda-bindings",
        "pip install 'cuda-bindings>=12.8'",
        (12, 8),
    ),
}


def open_memory(name: str = AUTO, ordinal: int = 0) -> DeviceMemory:
    """The GPU's memory. Chosen once per process: the same arguments give the same object.

    Args:
        name: a key of `BACKENDS`, or `auto` for the first that can be imported.
        ordinal: the GPU's number.

    Raises:
        InputError: no such bindings, none that can be imported, or no GPU that answers.
    """
    with _CHOOSING:
        return _opened(name, ordinal)


def forget_memory() -> None:
    """Let the next `open_memory` choose anew; for tests."""
    _opened.cache_clear()


_CHOOSING = threading.Lock()


@functools.cache
def _opened(name: str, ordinal: int) -> DeviceMemory:
    if name != AUTO and name not in BACKENDS:
        raise InputError(
            f"unknown memory backend {name!r}", hint=f"choose from {', '.join(BACKENDS)}"
        )
    refused = []
    for label in BACKENDS:
        if name not in (AUTO, label):
            continue
        try:
            module, version = _load(label)
        except ImportError as error:
            refused.append(f"{label} ({error})")
            continue
        try:
            return _MAKERS[label](module, version, ordinal)
        except GpuError as error:
            raise InputError(
                f"GPU {ordinal} cannot be used through {label}: {error}",
                hint="run 'edgecl doctor' for details, or use --device cpu",
            ) from error
    install = BACKENDS["pycuda" if name == AUTO else name].install
    raise InputError(
        f"no usable CUDA driver bindings: {', '.join(refused)}",
        hint=f"install them: {install}" + ("; or cuda-bindings" if name == AUTO else ""),
    )


def _load(label: str) -> tuple[Any, str]:
    """The module of a backend, and its version.

    Raises:
        ImportError: with one line that says why it cannot be used.
    """
    backend = BACKENDS[label]
    try:
        module = importlib.import_module(backend.module)
    except (ImportError, OSError) as error:
        raise ImportError((str(error).splitlines() or [type(error).__name__])[0]) from error
    version = _version(backend.package)
    if _is_older(version, backend.oldest):
        raise ImportError(f"{version} is older than {'.'.join(map(str, backend.oldest))}")
    return module, version


def _pycuda(module: Any, version: str, ordinal: int) -> DeviceMemory:
    """pycuda, with the graphs of cuda-bindings where that is there too."""
    try:
        graphs = GraphCapture(*_load("cuda-bindings"))
    except ImportError:
        return PycudaMemory(module, version, ordinal)
    return PycudaMemory(module, version, ordinal, graphs)


_MAKERS: Mapping[str, Callable[[Any, str, int], DeviceMemory]] = {
    "pycuda": _pycuda,
    "cuda-bindings": CudaBindingsMemory,
}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _is_older(version: str, oldest: tuple[int, int]) -> bool:
    release = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return bool(release) and release < oldest
