"""Device memory through NVIDIA's cuda-bindings, from 12.8 on."""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from runtime.gpu.memory.base import (
    NON_BLOCKING,
    Buffer,
    DeviceMemory,
    DeviceStream,
    Event,
    GpuDevice,
    Graph,
    HostArray,
)
from runtime.gpu.memory.errors import GpuError, gpu_error


class CudaBindingsMemory(DeviceMemory):
    """One GPU through cuda-bindings.

    Args:
        driver: the module `cuda.bindings.driver`.
        version: the package's.
        ordinal: the GPU's number.

    Raises:
        GpuError: there is no such GPU, or no driver that answers.
    """

    name = "cuda-bindings"
    graphs = True

    def __init__(self, driver: Any, version: str, ordinal: int = 0) -> None:
        self.version = version
        self._call = _caller(driver)
        self._graphs = GraphCapture(driver, version)
        self._call("cuInit", 0)
        gpu = self._call("cuDeviceGet", ordinal)
        attribute = driver.CUdevice_attribute
        major, minor = (
            self._call("cuDeviceGetAttribute", which, gpu)
            for which in (
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
        name = self._call("cuDeviceGetName", 128, gpu).split(b"\0")[0].decode(errors="replace")
        total = int(self._call("cuDeviceTotalMem", gpu))
        self.device = GpuDevice(name.strip(), f"{major}.{minor}", total)
        self._current = _Current(self._call, _primary_context(driver, ordinal))

    def current(self) -> AbstractContextManager[None]:
        return self._current

    def stream(self) -> DeviceStream:
        return _Stream(self._call, self._call("cuStreamCreate", NON_BLOCKING))

    def event(self) -> Event:
        return _Event(self._call, self._call("cuEventCreate", 0))

    def allocate(self, size: int) -> Buffer:
        address = int(self._call("cuMemAlloc", size))
        return Buffer(address, size, lambda: self._call("cuMemFree", address))

    def page_locked(self, shape: tuple[int, ...], dtype: DTypeLike) -> HostArray:
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        address = int(self._call("cuMemHostAlloc", size, 0))
        block = (ctypes.c_ubyte * size).from_address(address)
        array = np.ctypeslib.as_array(block).view(kind).reshape(shape)
        return HostArray(array, lambda: self._call("cuMemFreeHost", address))

    def upload(self, to: Buffer, source: HostArray, size: int, stream: DeviceStream) -> None:
        assert isinstance(stream, _Stream)
        self._call("cuMemcpyHtoDAsync", to.address, source.address, size, stream.raw)

    def download(self, to: HostArray, source: Buffer, size: int, stream: DeviceStream) -> None:
        assert isinstance(stream, _Stream)
        self._call("cuMemcpyDtoHAsync", to.address, source.address, size, stream.raw)

    def free(self) -> int:
        return int(self._call("cuMemGetInfo")[0])

    def capture(self, stream: DeviceStream, work: Callable[[], None]) -> Graph:
        return self._graphs.capture(stream, work)


class GraphCapture:
    """CUDA graphs in any stream of the driver's, whoever made it.

    Args:
        driver: the module `cuda.bindings.driver`.
        version: the package's.
    """

    def __init__(self, driver: Any, version: str) -> None:
        self.version = version
        self._call = _caller(driver)
        # Of this thread only: another session may allocate meanwhile.
        self._mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

    def capture(self, stream: DeviceStream, work: Callable[[], None]) -> Graph:
        """The same as `DeviceMemory.capture`."""
        self._call("cuStreamBeginCapture", stream.handle, self._mode)
        try:
            work()
        except BaseException:
            # The stream must leave capture; what it captured up to here is useless.
            with suppress(GpuError):
                captured = self._call("cuStreamEndCapture", stream.handle)
                if int(captured):
                    self._call("cuGraphDestroy", captured)
            raise
        captured = self._call("cuStreamEndCapture", stream.handle)
        try:
            return _Graph(self._call, self._call("cuGraphInstantiate", captured, 0))
        finally:
            self._call("cuGraphDestroy", captured)


@functools.cache
def _caller(driver: Any) -> Callable[..., Any]:
    """A function that calls the driver's by name and turns its result code into an error."""

    def call(name: str, *arguments: Any) -> Any:
        try:
            code, *values = getattr(driver, name)(*arguments)
        except RuntimeError as error:  # no libcuda, or one that is too old for this function
            raise gpu_error(name, text=str(error).splitlines()[0]) from error
        if int(code):
            raise gpu_error(name, name=getattr(code, "name", str(code)), text=_words(driver, code))
        return values[0] if len(values) == 1 else tuple(values)

    return call


def _words(driver: Any, code: Any) -> str:
    with suppress(Exception):  # no words are no reason to lose the error
        status, text = driver.cuGetErrorString(code)
        if not int(status):
            return str(text.decode(errors="replace"))
    return ""


@functools.cache
def _primary_context(driver: Any, ordinal: int) -> Any:
    """Return the primary context, taken once per process and kept, since making it takes long."""
    call = _caller(driver)
    return call("cuDevicePrimaryCtxRetain", call("cuDeviceGet", ordinal))


class _Current(AbstractContextManager[None]):
    def __init__(self, call: Callable[..., Any], context: Any) -> None:
        self._call = call
        self._context = context

    def __enter__(self) -> None:
        self._call("cuCtxPushCurrent", self._context)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._call("cuCtxPopCurrent")
        except GpuError:
            if error is None:  # else the first one says more
                raise


class _Stream(DeviceStream):
    def __init__(self, call: Callable[..., Any], raw: Any) -> None:
        super().__init__(lambda: call("cuStreamDestroy", raw))
        self._call = call
        self.raw = raw
        self.handle = int(raw)

    def synchronize(self) -> None:
        self._call("cuStreamSynchronize", self.raw)


class _Event(Event):
    def __init__(self, call: Callable[..., Any], raw: Any) -> None:
        super().__init__(lambda: call("cuEventDestroy", raw))
        self._call = call
        self.raw = raw

    def record(self, stream: DeviceStream) -> None:
        assert isinstance(stream, _Stream)
        self._call("cuEventRecord", self.raw, stream.raw)

    def since(self, earlier: Any) -> int:
        return round(float(self._call("cuEventElapsedTime", earlier.raw, self.raw)) * 1e6)


class _Graph(Graph):
    def __init__(self, call: Callable[..., Any], raw: Any) -> None:
        super().__init__(lambda: call("cuGraphExecDestroy", raw))
        self._call = call
        self.raw = raw

    def launch(self, stream: DeviceStream) -> None:
        self._call("cuGraphLaunch", self.raw, stream.handle)
