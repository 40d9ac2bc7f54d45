"""Interface of both memory backends: the few CUDA driver calls that a session needs.

All calls but `current` are made inside `with memory.current():`, on any thread. Whatever the driver
refuses is a `GpuError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING: work of others on the default stream does not hold ours up."""


@dataclass(frozen=True)
class GpuDevice:
    """The GPU.

    Args:
        compute_capability: as in `8.7`.
        total: bytes of its memory; on a Jetson that is the machine's.
    """

    name: str
    compute_capability: str
    total: int


class Handle:
    """Resource of the driver. `close` frees it, and a second `close` does nothing."""

    def __init__(self, free: Callable[[], None]) -> None:
        self._free: Callable[[], None] | None = free

    def close(self) -> None:
        """Free it."""
        free, self._free = self._free, None
        if free is not None:
            free()


class Buffer(Handle):
    """Device memory.

    Args:
        address: on the device.
        size: bytes.
    """

    def __init__(self, address: int, size: int, free: Callable[[], None]) -> None:
        super().__init__(free)
        self.address = address
        self.size = size


class HostArray(Handle):
    """Page-locked host memory as an array, from which the GPU copies by itself.

    The array must not be touched after `close`: its memory is gone.

    Args:
        array: C-contiguous.
    """

    def __init__(self, array: NDArray[Any], free: Callable[[], None]) -> None:
        super().__init__(free)
        self.array = array
        self.bytes: NDArray[np.uint8] = array.reshape(-1).view(np.uint8)
        self.address = int(array.ctypes.data)

    def close(self) -> None:
        """Free it, and let go of the array."""
        self.array = self.bytes = np.zeros(0, np.uint8)
        super().close()


class DeviceStream(Handle, ABC):
    """A queue of work on the device.

    Attributes:
        handle: the driver's, as TensorRT takes it.
    """

    handle: int

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until all that was queued is done; other Python threads run meanwhile."""


class Event(Handle, ABC):
    """A moment in a stream."""

    @abstractmethod
    def record(self, stream: DeviceStream) -> None:
        """Queue it."""

    @abstractmethod
    def since(self, earlier: Any) -> int:
        """Nanoseconds from another event to this one; both must be over. Resolution ~0.5 µs."""


class Graph(Handle, ABC):
    """Work that was captured once and is launched as a whole."""

    @abstractmethod
    def launch(self, stream: DeviceStream) -> None:
        """Queue it."""


class DeviceMemory(ABC):
    """One GPU, through one set of bindings.

    The device's primary context is used, as CUDA's runtime does: memory and streams can be shared
    with other libraries in the process. It is taken once per process and kept to its end.

    Attributes:
        name: of the bindings, a key of `BACKENDS`.
        version: of the bindings.
        device: the GPU.
        graphs: whether these bindings have CUDA graphs.
    """

    name: str
    version: str
    device: GpuDevice
    graphs: bool

    def describe(self) -> str:
        """The device and the bindings, for people."""
        return f"{self.device.name} ({self.device.compute_capability}), {self.name} {self.version}"

    @abstractmethod
    def current(self) -> AbstractContextManager[None]:
        """Make the GPU current on this thread, and on the way out whatever was before."""

    @abstractmethod
    def stream(self) -> DeviceStream:
        """Make a stream."""

    @abstractmethod
    def event(self) -> Event:
        """Make an event that can be timed."""

    @abstractmethod
    def allocate(self, size: int) -> Buffer:
        """Take device memory.

        Raises:
            GpuMemoryError: there is none left.
        """

    @abstractmethod
    def page_locked(self, shape: tuple[int, ...], dtype: DTypeLike) -> HostArray:
        """Take page-locked host memory.

        Raises:
            GpuMemoryError: there is none left.
        """

    @abstractmethod
    def upload(self, to: Buffer, source: HostArray, size: int, stream: DeviceStream) -> None:
        """Queue a copy of the first `size` bytes to the device."""

    @abstractmethod
    def download(self, to: HostArray, source: Buffer, size: int, stream: DeviceStream) -> None:
        """Queue a copy of the first `size` bytes from the device."""

    @abstractmethod
    def free(self) -> int:
        """Bytes of device memory that nobody holds."""

    def capture(self, stream: DeviceStream, work: Callable[[], None]) -> Graph:
        """Capture what `work` queues in `stream`; nothing of it runs.

        Raises:
            GpuError: these bindings have no graphs, or the work cannot be captured.
        """
        raise NotImplementedError(f"{self.name} has no CUDA graphs")
