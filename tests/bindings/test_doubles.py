"""The doubles are held to what real bindings have, and notice what must never happen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runtime.gpu.memory import open_memory
from tests.bindings.cuda_bindings_double import cuda_driver
from tests.bindings.driver import Driver, DriverError
from tests.bindings.pycuda_double import pycuda_driver
from tests.bindings.surface import TENSORRT, fits, hold_class, read_surface
from tests.bindings.tensorrt_double import make_plan, tensorrt_module


def engine_of(trt: Any, driver: Driver) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self):
            trt.ILogger.__init__(self)
            self.texts: list[str] = []

        def log(self, severity, msg):
            self.texts.append(msg)

    driver.push("context")
    logger = Logger()
    return trt.Runtime(logger).deserialize_cuda_engine(make_plan(trt.__version__)), logger


@pytest.mark.parametrize("version", TENSORRT)
def test_a_name_that_tensorrt_lacks_is_refused(version):
    trt = tensorrt_module(Driver(), version)
    assert not hasattr(trt, "BuilderFlag")
    for name in ("enqueue_v3", "execute_async", "set_binding_shape"):
        assert not hasattr(trt.IExecutionContext, name)
    assert not hasattr(trt.ICudaEngine, "num_bindings")


@pytest.mark.parametrize("version", TENSORRT)
def test_a_call_that_tensorrt_does_not_take_is_refused(version):
    driver = Driver()
    engine, _ = engine_of(tensorrt_module(driver, version), driver)
    context = engine.create_execution_context()
    with pytest.raises(TypeError):
        context.set_tensor_address("image")
    with pytest.raises(TypeError):
        context.set_tensor_address("image", 1, 2)
    with pytest.raises(TypeError):
        context.execute_async_v3(stream=1)
    with pytest.raises(TypeError):
        engine.get_tensor_profile_shape("image")


def test_a_logger_that_was_not_set_up_is_refused():
    trt = tensorrt_module(Driver(), TENSORRT[0])
    with pytest.raises(TypeError):
        trt.Runtime(object())


@pytest.mark.parametrize("module", [pycuda_driver, cuda_driver])
def test_a_name_or_call_that_the_bindings_lack_is_refused(module):
    made = module(Driver())
    for name in ("cudaMalloc", "memcpy", "Graph", "cuStreamBeginCaptureToGraph_v9"):
        assert not hasattr(made, name)
    allocate = getattr(made, "mem_alloc", None) or made.cuMemAlloc
    with pytest.raises(TypeError):
        allocate()
    with pytest.raises(TypeError):
        allocate(1, 2)


def test_what_a_version_lacks_is_taken_from_a_double():
    class IExecutionContext:
        def execute_async_v3(self, stream_handle):
            return True

        def execute_async_v9(self, stream_handle):
            return True

    members = read_surface(f"tensorrt-{TENSORRT[0]}")["classes"]["IExecutionContext"]
    held = hold_class(IExecutionContext, members)
    assert hasattr(held, "execute_async_v3")
    assert not hasattr(held, "execute_async_v9")


@pytest.mark.parametrize(
    ("signature", "count", "keywords", "right"),
    [
        (["name", "shape"], 2, [], True),
        (["name", "shape"], 1, ["shape"], True),
        (["name", "shape"], 1, [], False),
        (["name", "shape"], 2, ["shape"], False),
        (["dest", "src", "stream="], 2, [], True),
        (["dest", "src", "stream="], 2, ["streams"], False),
        ([], 1, [], False),
    ],
)
def test_calls_are_held_to_signatures(signature, count, keywords, right):
    assert fits(signature, count, keywords) is right


def test_the_surfaces_are_those_of_their_versions():
    oldest, _, newest = (read_surface(f"tensorrt-{version}") for version in TENSORRT)
    engines = [surface["classes"]["ICudaEngine"] for surface in (oldest, newest)]
    assert ["device_memory_size" in members for members in engines] == [True, False]
    assert read_surface("pycuda-2026.1")["errors"]["MemoryError"] == "Error"


def test_an_address_that_was_not_set_stops_the_run():
    driver = Driver()
    engine, logger = engine_of(tensorrt_module(driver, TENSORRT[0]), driver)
    context = engine.create_execution_context()
    assert context.set_input_shape("image", (1, 1, 8, 12))
    assert not context.execute_async_v3(stream_handle=1)
    assert "address is not set" in logger.texts[-1]


def test_memory_that_was_freed_takes_the_gpu_down(box):
    memory = open_memory()
    with memory.current():
        stream, buffer = memory.stream(), memory.allocate(8)
        host = memory.page_locked((8,), np.uint8)
        memory.upload(buffer, host, 8, stream)
        buffer.close()
        assert box.driver.violations.pop() == "cuMemFree while work was queued"
        with pytest.raises(Exception, match="illegal memory access"):
            stream.synchronize()


def test_nothing_is_there_before_the_stream_was_awaited(driver):
    memory = open_memory()
    with memory.current():
        stream, buffer = memory.stream(), memory.allocate(4)
        source, target = (memory.page_locked((4,), np.uint8) for _ in range(2))
        source.array[:] = 7
        memory.upload(buffer, source, 4, stream)
        memory.download(target, buffer, 4, stream)
        assert list(target.array) == [0xDD] * 4
        stream.synchronize()
        assert list(target.array) == [7] * 4
        for handle in (source, target, buffer, stream):
            handle.close()


def test_what_is_dropped_without_a_context_is_noticed(monkeypatch):
    driver = Driver()
    cuda = pycuda_driver(driver)
    context = cuda.Device(0).retain_primary_context()
    context.push()
    stream = cuda.Stream()
    context.pop()
    del stream
    assert driver.violations == ["a stream was dropped without a context"]


def test_every_call_needs_a_context(driver):
    with pytest.raises(DriverError, match="INVALID_CONTEXT"):
        driver.take("memory", "cuMemAlloc", size=1)
