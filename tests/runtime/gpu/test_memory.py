"""Device memory through both sets of bindings: one set of tests for both."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from runtime.errors import InputError
from runtime.gpu.memory import GpuError, GpuLostError, GpuMemoryError, open_memory
from runtime.gpu.memory.errors import error_of_words, gpu_error
from tests.bindings.boxes import memory_of


def test_the_device_and_the_bindings_are_told(driver, backend):
    memory = open_memory()
    assert memory.name == memory_of(backend)
    assert memory.describe().startswith(f"Orin (8.7), {memory_of(backend)} ")
    assert ("with graphs of cuda-bindings" in memory.describe()) == (backend == "both")
    assert memory.device.total == driver.total


def test_bytes_go_up_and_down(driver):
    memory = open_memory()
    with memory.current():
        stream, buffer = memory.stream(), memory.allocate(24)
        source, target = (memory.page_locked((2, 3), np.float32) for _ in range(2))
        source.array[:] = np.arange(6).reshape(2, 3)
        target.array[:] = -1
        memory.upload(buffer, source, 24, stream)
        memory.download(target, buffer, 12, stream)
        stream.synchronize()
        assert target.array.tolist() == [[0, 1, 2], [-1, -1, -1]]
        for handle in (source, target, buffer, stream):
            handle.close()
    assert driver.left == {}


def test_events_tell_nanoseconds(driver):
    memory = open_memory()
    with memory.current():
        stream, first, second = memory.stream(), memory.event(), memory.event()
        first.record(stream)
        second.record(stream)
        with pytest.raises(GpuError):
            second.since(first)
        stream.synchronize()
        assert second.since(first) == 1000
        for handle in (first, second, stream):
            handle.close()
    assert driver.left == {}


def test_closing_twice_frees_once_and_lets_go_of_the_array(driver):
    memory = open_memory()
    with memory.current():
        buffer, host = memory.allocate(8), memory.page_locked((8,), np.uint8)
        for handle in (buffer, host, buffer, host):
            handle.close()
        assert host.array.size == 0
    assert driver.violations == []
    assert driver.left == {}


def test_the_primary_context_is_taken_once_and_balanced_on_every_thread(driver):
    failures: list[BaseException] = []

    def work() -> None:
        try:
            memory = open_memory()
            for _ in range(20):
                with memory.current(), memory.current():
                    memory.allocate(8).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert driver.retained == 1
    assert driver.pushed == 0
    assert driver.left == {}


def test_what_was_made_on_one_thread_is_freed_on_another(driver):
    memory = open_memory()
    with memory.current():
        handles = [memory.stream(), memory.event(), memory.allocate(8)]

    def work() -> None:
        with memory.current():
            for handle in handles:
                handle.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert driver.left == {}


def test_the_context_is_popped_when_the_block_fails(driver):
    memory = open_memory()
    with pytest.raises(ZeroDivisionError), memory.current():
        raise ZeroDivisionError
    assert driver.pushed == 0


def test_no_memory_left_is_said_and_what_is_freed_serves_again(driver):
    memory = open_memory()
    with memory.current():
        half = memory.allocate(driver.total // 2)
        assert memory.free() == driver.total - driver.total // 2
        with pytest.raises(GpuMemoryError, match=r"out of memory .*cuMemAlloc"):
            memory.allocate(driver.total)
        half.close()
        memory.allocate(driver.total).close()
    assert driver.left == {}


def test_a_gpu_that_is_gone_is_told_from_a_refused_call(driver):
    memory = open_memory()
    with memory.current():
        driver.fail["cuEventCreate"] = ["CUDA_ERROR_INVALID_VALUE"]
        with pytest.raises(GpuError, match="rejected a call") as refused:
            memory.event()
        assert not isinstance(refused.value, GpuLostError)
        driver.fail["cuEventCreate"] = ["CUDA_ERROR_ILLEGAL_ADDRESS"]
        with pytest.raises(GpuLostError, match=r"stopped working .*illegal memory access"):
            memory.event()
    driver.lost = "CUDA_ERROR_LAUNCH_FAILED"
    with pytest.raises(GpuLostError), memory.current():
        pass


def test_an_error_keeps_nothing_of_the_drivers_alive(driver):
    memory = open_memory()
    with memory.current():
        stream, buffer = memory.stream(), memory.allocate(8)
        host = memory.page_locked((8,), np.uint8)
        driver.fail["cuMemcpyHtoDAsync"] = ["CUDA_ERROR_INVALID_VALUE"]
        with pytest.raises(GpuError) as kept:
            memory.upload(buffer, host, 8, stream)
        for handle in (host, buffer, stream):
            handle.close()
        assert driver.left == {}
    assert kept.value is not None


@pytest.mark.parametrize("backend", ["cuda-bindings", "both"], indirect=True)
def test_a_graph_is_captured_and_runs_when_it_is_launched(driver):
    memory = open_memory()
    with memory.current():
        stream, buffer = memory.stream(), memory.allocate(4)
        source, target = (memory.page_locked((4,), np.uint8) for _ in range(2))
        graph = memory.capture(stream, lambda: memory.upload(buffer, source, 4, stream))
        assert "graph" not in driver.left  # only what was made of it is kept
        for value in (3, 4):
            source.array[:] = value
            graph.launch(stream)
            memory.download(target, buffer, 4, stream)
            stream.synchronize()
            assert list(target.array) == [value] * 4
        for handle in (graph, source, target, buffer, stream):
            handle.close()
    assert driver.left == {}


@pytest.mark.parametrize("backend", ["cuda-bindings", "both"], indirect=True)
@pytest.mark.parametrize("call", ["cuStreamEndCapture", "cuGraphInstantiate", "the work"])
def test_a_capture_that_fails_leaves_nothing_and_a_stream_that_works(driver, call):
    memory = open_memory()

    def work() -> None:
        if call == "the work":
            raise GpuError("no")

    with memory.current():
        stream = memory.stream()
        driver.fail[call] = ["CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"]
        with pytest.raises(GpuError):
            memory.capture(stream, work)
        stream.synchronize()
        stream.close()
    assert driver.left == {}


@pytest.mark.parametrize("backend", ["pycuda"], indirect=True)
def test_pycuda_has_no_graphs(driver):
    memory = open_memory()
    assert not memory.graphs
    with pytest.raises(NotImplementedError, match="pycuda has no CUDA graphs"):
        memory.capture(None, lambda: None)  # type: ignore[arg-type]


def test_it_is_chosen_once_per_process(driver):
    assert open_memory() is open_memory()


@pytest.mark.parametrize("backend", ["both"], indirect=True)
def test_pycuda_is_the_first_choice(driver):
    assert open_memory().name == "pycuda"
    assert open_memory("cuda-bindings").name == "cuda-bindings"


def test_no_bindings_names_both_and_what_brings_them(driver, monkeypatch):
    for name in ("pycuda.driver", "cuda.bindings.driver"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"pycuda .* cuda-bindings .* install them") as found:
        open_memory()
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("backend", ["both"], indirect=True)
def test_graphs_of_bindings_that_are_too_old_are_not_lent(driver, monkeypatch):
    monkeypatch.setattr(
        "runtime.gpu.memory.choosing._version",
        lambda package: "11.8.7" if package == "cuda-bindings" else "2026.1",
    )
    assert not open_memory().graphs


@pytest.mark.parametrize("backend", ["cuda-bindings"], indirect=True)
def test_bindings_that_are_too_old_are_not_used(driver, monkeypatch):
    monkeypatch.setattr("runtime.gpu.memory.choosing._version", lambda package: "11.8.7")
    with pytest.raises(InputError, match=r"cuda-bindings \(11.8.7 is older than 12.8\)"):
        open_memory()


def test_no_such_gpu_and_no_such_backend(driver, backend):
    with pytest.raises(
        InputError, match=f"GPU 7 cannot be used through {memory_of(backend)}: .*ordinal"
    ):
        open_memory("auto", 7)
    with pytest.raises(InputError, match="unknown memory backend 'abacus'"):
        open_memory("abacus")


def test_no_driver_that_answers(driver, backend):
    driver.fail["cuInit"] = ["CUDA_ERROR_NO_DEVICE"]
    with pytest.raises(InputError, match=r"stopped working .*no CUDA-capable device.*--device cpu"):
        open_memory()


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("CUDA_ERROR_OUT_OF_MEMORY", "", GpuMemoryError),
        ("", "out of memory", GpuMemoryError),
        ("CUDA_ERROR_ECC_UNCORRECTABLE", "", GpuLostError),
        ("", "unspecified launch failure", GpuLostError),
        ("CUDA_ERROR_INVALID_VALUE", "invalid argument", GpuError),
        ("", "", GpuError),
    ],
)
def test_errors_by_name_or_text(name, text, kind):
    assert type(gpu_error("cuCall", name=name, text=text)) is kind


def test_errors_in_tensorrts_words():
    no_room = "Error Code 2: OutOfMemory (Requested size was 5 bytes.)"
    gone = "Error Code 1: Cuda Runtime (an illegal memory access was encountered)"
    assert isinstance(error_of_words(no_room), GpuMemoryError)
    assert isinstance(error_of_words(gone), GpuLostError)
    assert error_of_words("Error Code 3: API Usage Error") is None
