"""Kernels of our own in TensorRT's place, for a GPU that has a driver and no TensorRT for it.

What a session does is real down to the driver: context, memory, stream, events, capture. Only what
is queued between the copies is this file's: it tells bright images from dark ones, as the double
in `tests.bindings` does. Needs cuda-bindings and NVRTC, whichever bindings have the memory.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from pathlib import Path
from typing import Any

from export.engine.builder import Batches
from runtime.artifact.engine_file import EngineFile, write_engine_file
from runtime.gpu.memory import GpuDevice
from tests.bindings.driver import DriverError
from tests.bindings.tensorrt_double import INPUT, OUTPUTS, make_plan, tensorrt_module
from tests.gpu import nets

VERSION = "11.4.0.106"
THREADS = 256

# `rounds` makes the sum take longer, not larger. `stray` writes where nothing is.
SOURCE = rb"""
extern "C" __global__ void add_up(
    const volatile unsigned char* pixels, unsigned long long* sums, int count, int rounds)
{
    const volatile unsigned char* image = pixels + (long long)blockIdx.y * count;
    unsigned long long own = 0;
    for (int round = 0; round < rounds; ++round)
        for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
            own += image[i];
    for (int lanes = 16; lanes; lanes /= 2) own += __shfl_down_sync(~0u, own, lanes);
    if (threadIdx.x % 32 == 0) atomicAdd(&sums[blockIdx.y], own);
}

extern "C" __global__ void answer(
    const unsigned long long* sums, float* probabilities, float* embedding,
    int count, int rounds, int classes, int width)
{
    double mean = double(sums[blockIdx.x]) / rounds / count / 255.0;
    int label = min(int(mean * classes), classes - 1);
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        embedding[blockIdx.x * width + i] = float(mean);
        if (i < classes) probabilities[blockIdx.x * classes + i] = i == label;
    }
}

extern "C" __global__ void stray(int* nowhere) { *nowhere = 1; }
"""
PARAMETERS = {"add_up": "ppii", "answer": "pppiiii", "stray": "p"}
"""Of each kernel, in their order: a pointer or an int."""


def kernel_tensorrt() -> Any:
    """A module `tensorrt` whose engines, of `tests.bindings.tensorrt_double.make_plan`, run here.

    Raises:
        ImportError: cuda-bindings or NVRTC is not installed.
    """
    from cuda.bindings import driver, nvrtc

    checked(nvrtc.nvrtcVersion())
    return tensorrt_module(_Driver(driver), VERSION, _queue)


def write_engine(
    folder: Path, device: GpuDevice, batches: Batches, precision: str = "fp16", **fields: Any
) -> Path:
    """An engine file for a session on the module above.

    Args:
        device: the GPU that it is for.
        precision: a name alone: it changes how long the kernels take.
        fields: of the plan, beside image, classes and batches.
    """
    sizes = (batches.min, batches.opt, batches.max)
    fields = {"rounds": {"fp16": 64, "int8": 16}[precision], **fields}
    plan = make_plan(VERSION, image=list(nets.SIZE), embedding=128, batches=sizes, **fields)
    digest = hashlib.sha256(plan).hexdigest()
    described = EngineFile(
        path=folder / f"{digest[:8]}.engine",
        engine_sha256=digest,
        onnx_sha256="0" * 64,
        precision=precision,
        contract=nets.contract(),
        tensorrt=VERSION,
        module="tensorrt",
        device=device.name,
        compute_capability=device.compute_capability,
        options={},
        batches=sizes,
        built="2026-01-01T00:00:00+00:00",
        seconds=1.0,
    )
    write_engine_file(described, plan)
    return described.path


def checked(answer: tuple[Any, ...]) -> Any:
    """What a call of cuda-bindings gives beside its code.

    Raises:
        DriverError: the code is none of success.
    """
    code, *values = answer
    if int(code):
        raise DriverError("the driver", getattr(code, "name", str(code)))
    return values[0] if len(values) == 1 else tuple(values)


class _Driver:
    """What the double of TensorRT asks of its driver, from the real one."""

    lost = ""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.violations: list[str] = []

    @property
    def current(self) -> bool:
        return bool(int(checked(self.driver.cuCtxGetCurrent())))

    def take(self, kind: str, call: str, what: Any = None, size: int = 0) -> int:
        return int(checked(self.driver.cuMemAlloc(size))) if size else 0

    def give(self, kind: str, call: str, handle: int) -> None:
        if handle:
            checked(self.driver.cuMemFree(handle))


def _queue(driver: _Driver, context: Any, stream: int) -> None:
    """Queue three things: the sums are set to nothing, added up, and told."""
    plan, (count, *image) = context._engine._plan, context._shape
    pixels, rounds = image[-2] * image[-1], plan.get("rounds", 1)
    sums = context._handle
    at = {name: context.get_tensor_address(name) for name in (INPUT, *OUTPUTS)}
    checked(driver.driver.cuMemsetD8Async(sums, 0, 8 * count, stream))
    _launch("add_up", (64, count), stream, at[INPUT], sums, pixels, rounds)
    classes, width = plan["classes"], plan["embedding"]
    answers = [at[name] for name in OUTPUTS]
    _launch("answer", (count, 1), stream, sums, *answers, pixels, rounds, classes, width)
    if plan.get("stray"):
        _launch("stray", (1, 1), stream, 4096)


def _launch(name: str, grid: tuple[int, int], stream: int, *arguments: int) -> None:
    from cuda.bindings import driver

    kinds = tuple(ctypes.c_void_p if kind == "p" else ctypes.c_int for kind in PARAMETERS[name])
    function = _function(name, int(checked(driver.cuCtxGetCurrent())))
    blocks = (*grid, 1, THREADS, 1, 1)
    checked(driver.cuLaunchKernel(function, *blocks, 0, stream, (arguments, kinds), 0))


@functools.cache
def _function(name: str, context: int) -> Any:
    """A kernel, compiled and loaded once per context."""
    from cuda.bindings import driver

    module = checked(driver.cuModuleLoadData(_compiled()))
    return checked(driver.cuModuleGetFunction(module, name.encode()))


@functools.cache
def _compiled() -> bytes:
    from cuda.bindings import driver, nvrtc

    kinds = driver.CUdevice_attribute
    device = checked(driver.cuCtxGetDevice())
    major, minor = (
        checked(driver.cuDeviceGetAttribute(kind, device))
        for kind in (
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
        )
    )
    program = checked(nvrtc.nvrtcCreateProgram(SOURCE, b"kernel.cu", 0, [], []))
    checked(
        nvrtc.nvrtcCompileProgram(program, 1, [f"--gpu-architecture=sm_{major}{minor}".encode()])
    )
    binary = b" " * int(checked(nvrtc.nvrtcGetCUBINSize(program)))
    checked(nvrtc.nvrtcGetCUBIN(program, binary))
    return bytes(binary)
