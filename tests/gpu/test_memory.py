"""The memory backends on a real driver, without TensorRT: any NVIDIA GPU will do.

Each test says what it proves that the double and the driver in C cannot.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest

from runtime.errors import InputError
from runtime.gpu.memory import DeviceMemory, GpuMemoryError, open_memory

pytestmark = pytest.mark.gpu

MIB = 2**20


@pytest.fixture(params=["pycuda", "cuda-bindings"])
def gpu(request: pytest.FixtureRequest) -> DeviceMemory:
    try:
        return open_memory(request.param)
    except InputError as error:
        pytest.skip(str(error))


def test_bytes_come_back_from_the_device(gpu):
    """Page-locked memory, the queue of a stream and its end, with copies that take their time."""
    noise = np.random.default_rng(0).integers(0, 256, 32 * MIB, np.uint8)
    with gpu.current():
        stream, buffer = gpu.stream(), gpu.allocate(noise.size)
        source, target = (gpu.page_locked(noise.shape, np.uint8) for _ in range(2))
        source.array[:] = noise
        target.array[:] = 0
        gpu.upload(buffer, source, noise.size, stream)
        gpu.download(target, buffer, noise.size, stream)
        stream.synchronize()
        assert np.array_equal(target.array, noise)
        for handle in (source, target, buffer, stream):
            handle.close()


def test_events_tell_longer_copies_from_shorter_ones(gpu):
    """The unit and the sign of the driver's clock."""
    with gpu.current():
        stream, buffer = gpu.stream(), gpu.allocate(64 * MIB)
        source = gpu.page_locked((64 * MIB,), np.uint8)
        events = [gpu.event() for _ in range(3)]
        for _ in range(2):  # the first copy of all pays for set-up
            events[0].record(stream)
            gpu.upload(buffer, source, MIB, stream)
            events[1].record(stream)
            gpu.upload(buffer, source, 64 * MIB, stream)
            events[2].record(stream)
            stream.synchronize()
        short, long = events[1].since(events[0]), events[2].since(events[1])
        # Between a PCIe link at its slowest and the memory of a GPU at its fastest.
        assert 0 < short < long < 10**9
        for handle in (*events, source, buffer, stream):
            handle.close()


def test_a_captured_copy_copies_what_lies_there_when_it_is_launched(gpu):
    """Capture, instantiation and launch in the driver; a graph keeps addresses, not contents."""
    if not gpu.graphs:
        pytest.skip(f"{gpu.name} has no CUDA graphs")
    with gpu.current():
        stream, buffer = gpu.stream(), gpu.allocate(MIB)
        source, target = (gpu.page_locked((MIB,), np.uint8) for _ in range(2))
        target.array[:] = 0
        graph = gpu.capture(stream, lambda: gpu.upload(buffer, source, MIB, stream))
        for value in (7, 9):
            source.array[:] = value
            graph.launch(stream)
            gpu.download(target, buffer, MIB, stream)
            stream.synchronize()
            assert set(np.unique(target.array)) == {value}
        for handle in (graph, source, target, buffer, stream):
            handle.close()


def test_a_capture_that_breaks_off_leaves_a_stream_that_works(gpu):
    """The driver lets a stream go on whose capture was ended without use."""
    if not gpu.graphs:
        pytest.skip(f"{gpu.name} has no CUDA graphs")

    def work() -> None:
        raise ZeroDivisionError

    with gpu.current():
        stream, buffer = gpu.stream(), gpu.allocate(MIB)
        source = gpu.page_locked((MIB,), np.uint8)
        with pytest.raises(ZeroDivisionError):
            gpu.capture(stream, work)
        gpu.upload(buffer, source, MIB, stream)
        stream.synchronize()
        for handle in (source, buffer, stream):
            handle.close()


def test_no_memory_left_is_told_and_what_is_freed_serves_again(gpu):
    """The driver's own answer to more than there is."""
    with gpu.current():
        with pytest.raises(GpuMemoryError):
            gpu.allocate(64 * gpu.device.total)
        gpu.allocate(MIB).close()


def test_threads_share_the_gpu_and_leave_it_as_it_was(gpu):
    """Contexts pushed and popped on real threads; pycuda ends a process that forgets a pop."""
    failures: list[BaseException] = []

    def work(value: int) -> None:
        try:
            for _ in range(50):
                with gpu.current():
                    stream, buffer = gpu.stream(), gpu.allocate(MIB)
                    source, target = (gpu.page_locked((MIB,), np.uint8) for _ in range(2))
                    source.array[:] = value
                    gpu.upload(buffer, source, MIB, stream)
                    gpu.download(target, buffer, MIB, stream)
                    stream.synchronize()
                    assert set(np.unique(target.array)) == {value}
                    for handle in (source, target, buffer, stream):
                        handle.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
