"""Run by `test_real_bindings`: every call that edgecl makes of one real set of bindings.

The driver below them is `driver.c`. Prints nothing; an assertion that fails ends it with 1.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable

import numpy as np

from runtime.errors import InputError
from runtime.gpu.memory import DeviceMemory, GpuError, GpuLostError, GpuMemoryError, open_memory

KINDS = ("memory", "host", "stream", "event", "graph", "exec", "retained")
stub = ctypes.CDLL("libcuda.so.1")


def alive() -> dict[str, int]:
    """What of the driver's is alive, but for the primary context."""
    counts = (ctypes.c_long * len(KINDS))()
    stub.stub_alive(counts)
    found = {kind: count for kind, count in zip(KINDS, counts, strict=True) if count}
    assert found.pop("retained") == 1
    return found


def error_of(work: Callable[[], object]) -> Exception:
    """What `work` raises, which it must."""
    try:
        work()
    except (GpuError, InputError) as error:
        return error
    raise AssertionError("nothing was refused")


def frames(memory: DeviceMemory) -> None:
    """Up, down, timed, and everything freed; on whichever thread."""
    for level in range(20):
        with memory.current():
            stream, buffer = memory.stream(), memory.allocate(24)
            events = [memory.event() for _ in range(2)]
            source, target = (memory.page_locked((2, 3), np.float32) for _ in range(2))
            source.array[:] = level
            target.array[:] = -1
            events[0].record(stream)
            memory.upload(buffer, source, 24, stream)
            events[1].record(stream)
            memory.download(target, buffer, 12, stream)
            stream.synchronize()
            assert target.array.tolist() == [[level] * 3, [-1] * 3]
            assert events[1].since(events[0]) > 0
            assert stream.handle > 0
            for handle in (source, target, buffer, *events, stream):
                handle.close()
    assert stub.stub_pushed() == 0


def failures(memory: DeviceMemory) -> None:
    """Errors come as ours, and keep nothing alive."""
    kept: list[Exception] = []
    for code, kind in ((2, GpuMemoryError), (700, GpuLostError), (1, GpuError)):
        with memory.current():
            stream, buffer = memory.stream(), memory.allocate(8)
            host = memory.page_locked((8,), np.uint8)
            stub.stub_fail(b"cuMemcpyHtoDAsync", code)
            kept.append(error_of(lambda: memory.upload(buffer, host, 8, stream)))  # noqa: B023
            stub.stub_fail(b"", 0)
            assert type(kept[-1]) is kind, kept[-1]
            for handle in (host, buffer, stream):
                handle.close()
            assert alive() == {}, alive()
    with memory.current():
        assert memory.free() == 2**29
        assert isinstance(error_of(lambda: memory.allocate(2**31)), GpuMemoryError)


def graphs(memory: DeviceMemory) -> None:
    """Captured, launched and freed; a capture that fails leaves nothing."""
    with memory.current():
        stream = memory.stream()
        graph = memory.capture(stream, lambda: None)
        graph.launch(stream)
        graph.close()
        for call in (b"cuStreamBeginCapture", b"cuStreamEndCapture", b"cuGraphInstantiate"):
            stub.stub_fail(call, 901)
            error_of(lambda: memory.capture(stream, lambda: None))
            stub.stub_fail(b"", 0)
        stream.close()


def main(name: str) -> None:
    """All of it with one set of bindings."""
    memory = open_memory(name)
    assert (memory.name, memory.device.name) == (name, "Stub")
    assert memory.device.compute_capability == "8.7"
    threads = [threading.Thread(target=frames, args=(memory,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frames(memory)
    failures(memory)
    if memory.graphs:
        graphs(memory)
    assert alive() == {}, alive()
    assert "ordinal" in str(error_of(lambda: open_memory(name, 7)))


if __name__ == "__main__":
    main(sys.argv[1])
