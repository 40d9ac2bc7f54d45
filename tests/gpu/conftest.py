"""A machine with a GPU, or a reason to skip."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.untrained import write_bundle
from export.engine.builder import Batches, BuildOptions
from export.engine.ready import ready_engine
from export.engine.target import SHARING, target_of
from runtime.artifact.bundle import Bundle
from runtime.errors import InputError

OPTIONS = BuildOptions(Batches(1, 1, 4))


@pytest.fixture(scope="session")
def box() -> Any:
    """What the probe says of this machine; without a GPU and TensorRT the test is skipped."""
    from runtime.gpu.probe import probe_gpu

    probe = probe_gpu()
    try:
        target_of(probe)
    except InputError as error:
        pytest.skip(f"needs an NVIDIA GPU with TensorRT: {error}")
    return probe


@pytest.fixture(params=["pycuda", "cuda-bindings"])
def memory(request: pytest.FixtureRequest) -> str:
    """The name of each memory backend in turn."""
    from runtime.gpu.memory import open_memory

    try:
        open_memory(request.param)
    except InputError as error:
        pytest.skip(str(error))
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


@pytest.fixture(params=["tensorrt", "kernels"])
def either(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Like `engine`; and in its place an engine file whose work is kernels of our own.

    The second is for GPUs that TensorRT is not for, and proves all but TensorRT.
    """
    if request.param == "tensorrt":
        return cast("Callable[..., Path]", request.getfixturevalue("engine"))
    from runtime.gpu.memory import open_memory
    from tests.gpu.kernel import kernel_tensorrt, write_engine

    try:
        module, device = kernel_tensorrt(), open_memory().device
    except (ImportError, InputError, RuntimeError) as error:
        pytest.skip(f"needs an NVIDIA GPU with cuda-bindings and NVRTC: {error}")
    monkeypatch.setattr("runtime.session.tensorrt.session.load_tensorrt", lambda name: module)

    def ready(precision: str = "fp16") -> Path:
        return write_engine(tmp_path, device, OPTIONS.batches, precision)

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


@contextmanager
def full_gpu(memory: str) -> Iterator[None]:
    """A GPU whose last byte is taken; the test is skipped where that would hit the machine."""
    from runtime.gpu.memory import GpuMemoryError, open_memory

    gpu = open_memory(memory)
    if gpu.device.compute_capability in SHARING:
        pytest.skip("this GPU shares its memory with the machine: filling it would end others")
    held = []
    size = 2**32
    with gpu.current():
        while size >= 256:
            try:
                held.append(gpu.allocate(size))
            except GpuMemoryError:
                size //= 2
    try:
        yield
    finally:
        with gpu.current():
            for buffer in held:
                buffer.close()


def device_slack(memory: str) -> int:
    """Bytes that others may take of this GPU meanwhile: on a Jetson that is the whole machine."""
    from runtime.gpu.memory import open_memory

    return (128 if open_memory(memory).device.compute_capability in SHARING else 32) * 2**20


def device_free(memory: str) -> int:
    """Bytes of device memory that nobody holds."""
    from runtime.gpu.memory import open_memory

    gpu = open_memory(memory)
    with gpu.current():
        return int(gpu.free())
