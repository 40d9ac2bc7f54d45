"""Boxes for tests: a driver, a TensorRT and a set of bindings in the place of the real ones."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.engine_file import EngineFile, write_engine_file
from runtime.gpu.memory.choosing import forget_memory
from tests.bindings.cuda_bindings_double import cuda_driver
from tests.bindings.driver import Driver
from tests.bindings.pycuda_double import pycuda_driver
from tests.bindings.surface import TENSORRT
from tests.bindings.tensorrt_double import make_plan, tensorrt_module

BACKENDS = ("pycuda", "cuda-bindings", "both")
"""With both, pycuda has the memory and cuda-bindings the graphs."""
CONTRACT = ModelContract(InputContract(8, 12), ("dark", "middle", "bright"), ("bright",))


@dataclass
class Box:
    """A machine with a GPU, as tests see it."""

    driver: Driver
    trt: Any
    backend: str
    folder: Path

    @property
    def memory(self) -> str:
        """The bindings that have the memory."""
        return memory_of(self.backend)

    @property
    def graphs(self) -> bool:
        """Whether graphs can be captured."""
        return self.backend != "pycuda"

    @property
    def version(self) -> str:
        """TensorRT's."""
        return str(self.trt.__version__)

    def engine(self, plan: bytes | None = None, **fields: Any) -> Path:
        """Write an engine with its sidecar; `fields` are the sidecar's."""
        data = make_plan(self.version) if plan is None else plan
        path = self.folder / f"{hashlib.sha256(data).hexdigest()[:8]}.engine"
        described = {
            "precision": "fp16",
            "contract": CONTRACT,
            "tensorrt": self.version,
            "module": "tensorrt",
            "device": "Orin",
            "compute_capability": "8.7",
            "options": {},
            "batches": (1, 1, 4),
            "built": "2026-01-01T00:00:00+00:00",
            "seconds": 1.0,
            "onnx_sha256": "0" * 64,
            "engine_sha256": hashlib.sha256(data).hexdigest(),
        }
        write_engine_file(EngineFile(path=path, **{**described, **fields}), data)
        return path


def memory_of(backend: str) -> str:
    """The bindings that have the memory, of one of `BACKENDS`."""
    return "pycuda" if backend == "both" else backend


def install(patch: pytest.MonkeyPatch, driver: Driver, backend: str) -> None:
    """Make these bindings the only ones that can be imported."""
    modules: dict[str, ModuleType | None] = {"pycuda.driver": None, "cuda.bindings.driver": None}
    for name in ("pycuda", "cuda", "cuda.bindings"):
        modules[name] = ModuleType(name)
    if backend != "cuda-bindings":
        modules["pycuda.driver"] = pycuda_driver(driver)
    if backend != "pycuda":
        modules["cuda.bindings.driver"] = cuda_driver(driver)
    for name, module in modules.items():
        patch.setitem(sys.modules, name, module)  # None refuses the import
    forget_memory()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each set of bindings alone, and both."""
    return str(request.param)


@pytest.fixture(params=TENSORRT)
def version(request: pytest.FixtureRequest) -> str:
    """The TensorRT versions whose surface is kept."""
    return str(request.param)


@pytest.fixture
def driver(backend: str, monkeypatch: pytest.MonkeyPatch):
    """A driver behind one set of bindings. What must never happen fails the test at its end."""
    made = Driver()
    install(monkeypatch, made, backend)
    yield made
    forget_memory()
    assert made.violations == []
    assert made.pushed == 0


@pytest.fixture
def box(
    driver: Driver, backend: str, version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A box with a GPU, per TensorRT version and set of bindings."""
    trt = tensorrt_module(driver, version)
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    return Box(driver, trt, backend, tmp_path)
