"""A CUDA driver for tests: it keeps account of every handle, and runs queued work when awaited.

Nothing that was queued in a stream has happened before the stream is synchronised: who reads
earlier reads rubbish, as on a GPU. What must never happen, such as freeing what queued work still
uses, is written to `violations`.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bindings.surface import CUDA_BINDINGS, read_surface

CODES: dict[str, int] = read_surface(f"cuda-bindings-{CUDA_BINDINGS}")["enums"]["CUresult"]
TEXTS = {
    "CUDA_ERROR_OUT_OF_MEMORY": "out of memory",
    "CUDA_ERROR_ILLEGAL_ADDRESS": "an illegal memory access was encountered",
    "CUDA_ERROR_NO_DEVICE": "no CUDA-capable device is detected",
    "CUDA_ERROR_INVALID_DEVICE": "invalid device ordinal",
    "CUDA_ERROR_LAUNCH_FAILED": "unspecified launch failure",
}
RUBBISH = 0xDD
STEP_NS = 1000


class DriverError(Exception):
    """What the driver answers instead of success."""

    def __init__(self, call: str, code: str) -> None:
        super().__init__(f"{call}: {code}")
        self.call, self.code, self.text = call, code, TEXTS.get(code, "some error")


@dataclass
class QueuedStream:
    """A stream: what is queued in it, or captured from it."""

    queue: list[Callable[[], None]] = field(default_factory=list)
    captured: list[Callable[[], None]] | None = None


class Driver:
    """One GPU.

    Attributes:
        live: kind (`memory`, `host`, `stream`, `event`, `graph`, `exec`, …) → handle → what it is.
        calls: names of all calls, in their order.
        fail: call → codes for its next calls; an empty one lets a call pass.
        lost: the code that every call gives from now on.
        violations: what must never happen.
    """

    def __init__(self, total: int = 2**26) -> None:
        self.total = total
        self.live: dict[str, dict[int, Any]] = defaultdict(dict)
        self.sizes: dict[tuple[str, int], int] = {}
        self.calls: list[str] = []
        self.fail: dict[str, list[str]] = defaultdict(list)
        self.lost = ""
        self.violations: list[str] = []
        self.retained = 0
        self.now = 0
        self._stacks: dict[int, list[str]] = defaultdict(list)
        self._handles = itertools.count(0x1000, 0x1000)

    @property
    def left(self) -> dict[str, int]:
        """Kind → how many handles were not given back."""
        return {kind: len(handles) for kind, handles in self.live.items() if handles}

    @property
    def used(self) -> int:
        """Bytes of device memory."""
        return sum(size for (kind, _), size in self.sizes.items() if kind != "host")

    @property
    def current(self) -> bool:
        """Whether this thread has a context."""
        return bool(self._stacks[threading.get_ident()])

    @property
    def pushed(self) -> int:
        """Contexts on the stacks of all threads."""
        return sum(map(len, self._stacks.values()))

    def called(self, name: str, *, context: bool = True) -> None:
        """Record a call; answer with an error where one is due."""
        self.calls.append(name)
        if self.lost:
            raise DriverError(name, self.lost)
        if self.fail[name]:
            code = self.fail[name].pop(0)
            if code:
                raise DriverError(name, code)
        if context and not self.current:
            raise DriverError(name, "CUDA_ERROR_INVALID_CONTEXT")

    def retain(self) -> str:
        self.called("cuDevicePrimaryCtxRetain", context=False)
        self.retained += 1
        return "primary context"

    def release(self) -> None:
        self.called("cuDevicePrimaryCtxRelease", context=False)
        self.retained -= 1

    def push(self, context: str) -> None:
        self.called("cuCtxPushCurrent", context=False)
        self._stacks[threading.get_ident()].append(context)

    def pop(self) -> str:
        self.calls.append("cuCtxPopCurrent")
        stack = self._stacks[threading.get_ident()]
        if not stack:
            raise DriverError("cuCtxPopCurrent", "CUDA_ERROR_INVALID_CONTEXT")
        return stack.pop()

    def take(self, kind: str, call: str, what: Any = None, size: int = 0) -> int:
        """Make a handle."""
        self.called(call)
        if kind in ("memory", "engine", "context") and self.used + size > self.total:
            raise DriverError(call, "CUDA_ERROR_OUT_OF_MEMORY")
        if self._capturing() and kind != "graph":
            raise DriverError(call, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")
        if kind in ("memory", "host"):
            what = np.full(size, RUBBISH, np.uint8)
        # The address of host memory is a real one: it is read and written through it.
        handle = int(what.ctypes.data) if kind == "host" else next(self._handles)
        self.live[kind][handle] = what
        self.sizes[kind, handle] = size
        return handle

    def give(self, kind: str, call: str, handle: int) -> Any:
        """Free a handle."""
        self.called(call)
        if handle not in self.live[kind]:
            self.violations.append(f"{call} of {handle:#x}, which is not there")
            raise DriverError(call, "CUDA_ERROR_INVALID_HANDLE")
        if kind in ("memory", "host", "stream", "exec") and any(
            stream.queue for stream in self.live["stream"].values()
        ):
            self.violations.append(f"{call} while work was queued")
        what = self.live[kind].pop(handle)
        self.sizes.pop((kind, handle))
        if kind in ("memory", "host"):
            what[:] = RUBBISH
        return what

    def stream(self, handle: int) -> QueuedStream:
        found = self.live["stream"].get(int(handle))
        if found is None:
            raise DriverError("stream", "CUDA_ERROR_INVALID_HANDLE")
        assert isinstance(found, QueuedStream)
        return found

    def queue(self, handle: int, call: str, work: Callable[[], None]) -> None:
        """Queue work, or capture it."""
        self.called(call)
        stream = self.stream(handle)
        (stream.queue if stream.captured is None else stream.captured).append(work)

    def synchronize(self, handle: int) -> None:
        self.called("cuStreamSynchronize")
        stream = self.stream(handle)
        if stream.captured is not None:
            raise DriverError("cuStreamSynchronize", "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")
        queue, stream.queue = stream.queue, []
        for work in queue:
            self.now += STEP_NS
            work()
        if self.lost:
            raise DriverError("cuStreamSynchronize", self.lost)

    def copy_up(self, device: int, host: int, size: int, stream: int) -> None:
        self._require_page_locked(host, size)

        def work() -> None:
            self.bytes_at(device)[:size] = self._host(host)[:size]

        self.queue(stream, "cuMemcpyHtoDAsync", work)

    def copy_down(self, host: int, device: int, size: int, stream: int) -> None:
        self._require_page_locked(host, size)

        def work() -> None:
            self._host(host)[:size] = self.bytes_at(device)[:size]

        self.queue(stream, "cuMemcpyDtoHAsync", work)

    def bytes_at(self, device: int) -> NDArray[np.uint8]:
        """Device memory; the GPU is lost where there is none."""
        found = self.live["memory"].get(device)
        if found is None:
            self.lost = "CUDA_ERROR_ILLEGAL_ADDRESS"
            return np.zeros(2**20, np.uint8)
        return np.asarray(found)

    def record(self, event: int, stream: int) -> None:
        def work() -> None:
            self.live["event"][event] = self.now

        self.queue(stream, "cuEventRecord", work)

    def elapsed_ms(self, start: int, end: int) -> float:
        self.called("cuEventElapsedTime")
        first, last = self.live["event"][start], self.live["event"][end]
        if first is None or last is None:
            raise DriverError("cuEventElapsedTime", "CUDA_ERROR_NOT_READY")
        return float(last - first) / 1e6

    def begin_capture(self, stream: int) -> None:
        self.called("cuStreamBeginCapture")
        self.stream(stream).captured = []

    def end_capture(self, stream: int) -> int:
        found = self.stream(stream)
        captured, found.captured = found.captured, None
        return self.take("graph", "cuStreamEndCapture", captured)

    def launch(self, graph: int, stream: int) -> None:
        captured = list(self.live["exec"][graph])

        def work() -> None:
            for step in captured:
                step()

        self.queue(stream, "cuGraphLaunch", work)

    def _capturing(self) -> bool:
        return any(stream.captured is not None for stream in self.live["stream"].values())

    def _host(self, address: int) -> NDArray[np.uint8]:
        return np.asarray(self.live["host"][address])

    def _require_page_locked(self, address: int, size: int) -> None:
        found = self.live["host"].get(address)
        if found is None or size > found.size:
            self.violations.append(f"a copy of {size} bytes at {address:#x}: not page-locked")
            raise DriverError("cuMemcpy", "CUDA_ERROR_INVALID_VALUE")
