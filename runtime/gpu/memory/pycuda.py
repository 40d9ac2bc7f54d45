"""Device memory through pycuda. It has no CUDA graphs (2026.1); cuda-bindings lend theirs."""

from __future__ import annotations

import atexit
import functools
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
from runtime.gpu.memory.cuda_bindings import GraphCapture
from runtime.gpu.memory.errors import OUT_OF_MEMORY, GpuError, gpu_error


class PycudaMemory(DeviceMemory):
    """One GPU through pycuda.

    Args:
        cuda: the module `pycuda.driver`.
        version: pycuda's.
        ordinal: the GPU's number.
        graphs: captures graphs, where cuda-bindings is there too. Both talk to one driver.

    Raises:
        GpuError: there is no such GPU, or no driver that answers.
    """

    name = "pycuda"

    def __init__(
        self, cuda: Any, version: str, ordinal: int = 0, graphs: GraphCapture | None = None
    ) -> None:
        self.version = version
        self.graphs = graphs is not None
        self._graphs = graphs
        self._cuda = cuda
        self._call = call = _caller(cuda)
        call(cuda.init)
        gpu = call(cuda.Device, ordinal)
        major, minor = call(gpu.compute_capability)
        self.device = GpuDevice(call(gpu.name), f"{major}.{minor}", int(call(gpu.total_memory)))
        self._current = _Current(call, _primary_context(cuda, ordinal), cuda.Context.pop)

    def describe(self) -> str:
        lent = f" with graphs of cuda-bindings {self._graphs.version}" if self._graphs else ""
        return f"{super().describe()}{lent}"

    def current(self) -> AbstractContextManager[None]:
        return self._current

    def stream(self) -> DeviceStream:
        return _Stream(self._call, self._call(self._cuda.Stream, NON_BLOCKING))

    def event(self) -> Event:
        return _Event(self._call, self._call(self._cuda.Event))

    def allocate(self, size: int) -> Buffer:
        allocation = self._call(self._cuda.mem_alloc, size)
        return Buffer(int(allocation), size, lambda: self._call(allocation.free))

    def page_locked(self, shape: tuple[int, ...], dtype: DTypeLike) -> HostArray:
        array = self._call(self._cuda.pagelocked_empty, shape, np.dtype(dtype))
        allocation = array.base
        return HostArray(array, lambda: self._call(allocation.free))

    def upload(self, to: Buffer, source: HostArray, size: int, stream: DeviceStream) -> None:
        assert isinstance(stream, _Stream)
        self._call(self._cuda.memcpy_htod_async, to.address, source.bytes[:size], stream.raw)

    def download(self, to: HostArray, source: Buffer, size: int, stream: DeviceStream) -> None:
        assert isinstance(stream, _Stream)
        self._call(self._cuda.memcpy_dtoh_async, to.bytes[:size], source.address, stream.raw)

    def free(self) -> int:
        return int(self._call(self._cuda.mem_get_info)[0])

    def capture(self, stream: DeviceStream, work: Callable[[], None]) -> Graph:
        if self._graphs is None:
            return super().capture(stream, work)
        return self._graphs.capture(stream, work)


@functools.cache
def _caller(cuda: Any) -> Callable[..., Any]:
    """A function that calls one of pycuda's and turns its errors into ours.

    A pycuda error is a class, and a sentence such as `cuMemAlloc failed: out of memory`.
    """

    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except cuda.Error as error:
            # pycuda destroys streams and events with their last reference, which must not be this
            # error's: it may live on after the block in which they can be destroyed.
            del function, arguments
            cause = error.with_traceback(None)
            name, _, text = str(error).partition(" failed: ")
            known = OUT_OF_MEMORY if isinstance(error, cuda.MemoryError) else ""
            raise gpu_error(name, name=known, text=text.partition(" - ")[0].strip()) from cause

    return call


@functools.cache
def _primary_context(cuda: Any, ordinal: int) -> Any:
    """Return the primary context, taken once per process and released at its end.

    pycuda lets a primary context go on the thread that took it alone, and leaves it current there;
    and one that is merely forgotten it takes for a context of its own (2026.1).
    """
    call = _caller(cuda)
    context = call(call(cuda.Device, ordinal).retain_primary_context)

    def let_go() -> None:
        with suppress(GpuError):
            call(context.detach)

    atexit.register(let_go)
    return context


class _Current(AbstractContextManager[None]):
    """Push and pop, on whichever thread: pycuda aborts a process whose thread ends without a pop.

    pycuda frees streams, events and memory by a context that is current, or on the thread that
    took the context; hence everything happens inside the block.
    """

    def __init__(self, call: Callable[..., Any], context: Any, pop: Callable[[], None]) -> None:
        self._call = call
        self._context = context
        self._pop = pop

    def __enter__(self) -> None:
        self._call(self._context.push)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._call(self._pop)
        except GpuError:
            if error is None:  # else the first one says more
                raise


class _Stream(DeviceStream):
    def __init__(self, call: Callable[..., Any], raw: Any) -> None:
        super().__init__(self._drop)
        self._call = call
        self.raw: Any = raw
        self.handle = int(raw.handle)

    def synchronize(self) -> None:
        self._call(self.raw.synchronize)

    def _drop(self) -> None:
        self.raw = None  # pycuda destroys a stream with its last reference


class _Event(Event):
    def __init__(self, call: Callable[..., Any], raw: Any) -> None:
        super().__init__(self._drop)
        self._call = call
        self.raw: Any = raw

    def record(self, stream: DeviceStream) -> None:
        assert isinstance(stream, _Stream)
        self._call(self.raw.record, stream.raw)

    def since(self, earlier: Any) -> int:
        return round(float(self._call(self.raw.time_since, earlier.raw)) * 1e6)

    def _drop(self) -> None:
        self.raw = None
