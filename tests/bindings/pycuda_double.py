"""pycuda's driver module over the tests' driver, with the names and calls of the real one alone."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

import numpy as np

from tests.bindings.driver import Driver, DriverError, QueuedStream
from tests.bindings.surface import PYCUDA, held, hold_class, read_surface


def pycuda_driver(driver: Driver) -> Any:
    """The module `pycuda.driver`."""
    surface = read_surface(f"pycuda-{PYCUDA}")
    module: Any = ModuleType("pycuda.driver")
    builtins = {"Exception": Exception}
    for name in sorted(surface["errors"], key=lambda name: name != "Error"):
        base = surface["errors"][name]
        setattr(module, name, type(name, (builtins.get(base) or getattr(module, base),), {}))

    def guarded(function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except DriverError as error:
            kind = {
                "CUDA_ERROR_OUT_OF_MEMORY": module.MemoryError,
                "CUDA_ERROR_LAUNCH_FAILED": module.LaunchError,
                "CUDA_ERROR_NO_DEVICE": module.RuntimeError,
            }.get(error.code, module.LogicError)
            failure = kind(f"{error.call} failed: {error.text}")
            error.__traceback__ = None  # the real one has no Python frames that keep arguments
        raise failure

    for name, kind in _classes(driver, guarded).items():
        setattr(module, name, hold_class(kind, surface["classes"][name]))
    for name, function in _functions(driver, guarded, module).items():
        setattr(module, name, held(name, surface["functions"][name], function, own=0))
    return module


def _classes(driver: Driver, guarded: Any) -> dict[str, type]:
    class Owned:
        """What is destroyed with its last reference, if its context is current or of its thread."""

        _kind, _free = "", ""

        def __init__(self, handle: int) -> None:
            self._handle = handle

        def __del__(self) -> None:
            handle = getattr(self, "_handle", None)
            if handle is None or driver.lost:
                return
            if not driver.current:
                driver.violations.append(f"a {self._kind} was dropped without a context")
                return
            driver.give(self._kind, self._free, handle)

    class Context:
        def __init__(self, context: str) -> None:
            self._context = context
            self._thread = threading.get_ident()

        def push(self) -> None:
            guarded(driver.push, self._context)

        @staticmethod
        def pop() -> None:
            guarded(driver.pop)

        def detach(self) -> None:
            if self._thread == threading.get_ident():
                guarded(driver.release)

    class Device:
        def __init__(self, ordinal: int) -> None:
            if ordinal:
                guarded(_raise, "cuDeviceGet", "CUDA_ERROR_INVALID_DEVICE")

        def name(self) -> str:
            return "Orin"

        def compute_capability(self) -> tuple[int, int]:
            return 8, 7

        def total_memory(self) -> int:
            return driver.total

        def retain_primary_context(self) -> Context:
            return Context(guarded(driver.retain))

    class Stream(Owned):
        _kind, _free = "stream", "cuStreamDestroy"

        def __init__(self, flags: int = 0) -> None:
            super().__init__(guarded(driver.take, "stream", "cuStreamCreate", QueuedStream()))

        @property
        def handle(self) -> int:
            return self._handle

        def synchronize(self) -> None:
            guarded(driver.synchronize, self._handle)

    class Event(Owned):
        _kind, _free = "event", "cuEventDestroy"

        def __init__(self, flags: int = 0) -> None:
            super().__init__(guarded(driver.take, "event", "cuEventCreate"))

        def record(self, stream: Stream | None = None) -> Event:
            assert stream is not None, "the default stream is nobody's"
            guarded(driver.record, self._handle, stream._handle)
            return self

        def time_since(self, event: Event) -> float:
            return float(guarded(driver.elapsed_ms, event._handle, self._handle))

    class DeviceAllocation:
        def __init__(self, address: int) -> None:
            self._address = address

        def __int__(self) -> int:
            return self._address

        def free(self) -> None:
            guarded(driver.give, "memory", "cuMemFree", self._address)

    class PagelockedHostAllocation:
        def __init__(self, address: int) -> None:
            self._address = address

        def free(self) -> None:
            guarded(driver.give, "host", "cuMemFreeHost", self._address)

    return {
        kind.__name__: kind
        for kind in (Context, Device, Stream, Event, DeviceAllocation, PagelockedHostAllocation)
    }


def _functions(driver: Driver, guarded: Any, module: Any) -> dict[str, Any]:
    def address_of(array: Any) -> tuple[int, int]:
        assert array.flags.c_contiguous
        return int(array.ctypes.data), array.nbytes

    def pagelocked_empty(shape: Any, dtype: Any, order: str = "C", mem_flags: int = 0) -> Any:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = guarded(driver.take, "host", "cuMemHostAlloc", None, size)
        return _PageLocked.over(
            driver.live["host"][address], shape, dtype, module.PagelockedHostAllocation(address)
        )

    def htod(dest: int, src: Any, stream: Any = None) -> None:
        address, size = address_of(src)
        guarded(driver.copy_up, int(dest), address, size, stream._handle)

    def dtoh(dest: Any, src: int, stream: Any = None) -> None:
        address, size = address_of(dest)
        guarded(driver.copy_down, address, int(src), size, stream._handle)

    def mem_get_info() -> tuple[int, int]:
        guarded(driver.called, "cuMemGetInfo")
        return driver.total - driver.used, driver.total

    return {
        "init": lambda flags=0: guarded(lambda: driver.called("cuInit", context=False)),
        "mem_alloc": lambda size: module.DeviceAllocation(
            guarded(driver.take, "memory", "cuMemAlloc", None, size)
        ),
        "mem_get_info": mem_get_info,
        "pagelocked_empty": pagelocked_empty,
        "memcpy_htod_async": htod,
        "memcpy_dtoh_async": dtoh,
    }


class _PageLocked(np.ndarray):
    """An array whose `base` is pycuda's allocation, which numpy itself would not keep as one."""

    _allocation: Any

    @classmethod
    def over(cls, block: Any, shape: Any, dtype: Any, allocation: Any) -> _PageLocked:
        array = np.ndarray.__new__(cls, shape, dtype, block)
        array._allocation = allocation
        return array

    @property
    def base(self) -> Any:
        return getattr(self, "_allocation", None) or super().base


def _raise(call: str, code: str) -> None:
    raise DriverError(call, code)
