"""A machine with a GPU, or a reason to skip."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.untrained import write_bundle
from export.engine.builder import Batches, BuildOptions
from export.engine.ready import ready_engine
from export.engine.target import target_of
from runtime.bundle import Bundle
from runtime.errors import InputError

OPTIONS = BuildOptions(Batches(1, 1, 4))


@pytest.fixture(scope="session")
def box() -> Any:
    """What the probe says of this machine; without a GPU and TensorRT the test is skipped."""
    from runtime.device_probe import probe_gpu

    probe = probe_gpu()
    try:
        target_of(probe)
    except InputError as error:
        pytest.skip(f"needs an NVIDIA GPU with TensorRT: {error}")
    return probe


@pytest.fixture(params=["pycuda", "cuda-bindings"])
def memory(request: pytest.FixtureRequest, box: Any) -> str:
    """The name of each memory backend in turn."""
    module = {"pycuda": "pycuda", "cuda-bindings": "cuda.bindings"}[request.param]
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture(scope="session")
def bundle(box: Any, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The small network in FP16 and INT8."""
    from tests.gpu import nets

    return write_bundle(
        tmp_path_factory.mktemp("gpu") / "small.edgecl",
        {"fp16": nets.convolutions(half=True), "int8": nets.int8()},
        nets.contract(),
    )


@pytest.fixture(scope="session")
def engine(box: Any, bundle: Bundle) -> Callable[[str], Path]:
    """`engine(precision)`: the path of an engine for batches of 1 to 4, built once."""

    def ready(precision: str = "fp16") -> Path:
        return ready_engine(bundle, precision, options=OPTIONS, probe=box)

    return ready


@pytest.fixture
def tell(capfd: pytest.CaptureFixture[str], record_property: Any) -> Callable[[str, str], None]:
    """Show a figure on the terminal and keep it in the test's report; nothing is asserted of it."""

    def telling(name: str, text: str) -> None:
        record_property(name, text)
        with capfd.disabled():
            print(f"\n  {name}: {text}", flush=True)  # noqa: T201 - figures for who runs it

    return telling


def host_bytes() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def device_free(memory: str) -> int:
    """Bytes of device memory that nobody holds."""
    from runtime.gpu import open_memory

    gpu = open_memory(memory)
    with gpu.current():
        return int(gpu.free())
