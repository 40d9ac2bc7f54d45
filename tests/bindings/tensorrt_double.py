"""TensorRT's runtime over the tests' driver, with the names and calls of one real version.

Its engines are JSON and tell bright images from dark ones; see `make_plan`. They compute only
when the stream is awaited, on what then lies at the addresses that were set.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from tests.bindings.driver import Driver, DriverError
from tests.bindings.surface import hold_class, make_enum, read_surface

ENGINE_BYTES = 4096
CONTEXT_BYTES = 1024
INPUT, OUTPUTS = "image", ("probabilities", "embedding")
LAYERS = ("conv_0 + relu_0", "gemm_0")
"""What a run tells a profiler, a quarter of a millisecond more each."""
OUT_OF_MEMORY = "Error Code 2: OutOfMemory (Requested amount of GPU memory could not be allocated)"


def make_plan(version: str, **fields: Any) -> bytes:
    """The bytes of an engine.

    Args:
        version: of the TensorRT that built it.
        fields: `image` (height, width), `classes`, `embedding`, `batches`, `dtype`, `names`.
    """
    found = {
        "magic": "ptrt",
        "version": version,
        "image": [8, 12],
        "classes": 3,
        "embedding": 4,
        "batches": [1, 1, 4],
        "dtype": "UINT8",
        "names": [INPUT, *OUTPUTS],
    }
    return json.dumps({**found, **fields}).encode()


def tensorrt_module(driver: Any, version: str, queue: Callable[..., None] | None = None) -> Any:
    """The module `tensorrt` of one version.

    Args:
        driver: a `Driver`, or what has its `take`, `give`, `current`, `lost` and `violations`.
        queue: called with the driver, the context and a stream's handle to queue what the engine
            computes, instead of the tests' own computation; raises `DriverError`.
    """
    surface = read_surface(f"tensorrt-{version}")
    module: Any = ModuleType("tensorrt")
    module.__version__ = version
    severity = make_enum("Severity", surface["enums"]["ILogger.Severity"])
    for name, values in surface["enums"].items():
        if "." not in name:
            setattr(module, name, make_enum(name, values))
    for kind in _classes(driver, module, severity, queue or _queue):
        setattr(module, kind.__name__, hold_class(kind, surface["classes"][kind.__name__]))
    module.ILogger.Severity = severity
    return module


def _classes(driver: Any, module: Any, severity: Any, queue: Callable[..., None]) -> list[type]:
    class ILogger:
        def __init__(self) -> None:
            self._made = True

    class IProfiler:
        def report_layer_time(self, layer_name: str, ms: float) -> None:
            raise NotImplementedError

    class Held:
        """What takes device memory, which goes with its last reference."""

        def _take(self, kind: str, size: int) -> None:
            self._kind = kind
            self._handle = driver.take(kind, f"{kind} made", size=size)

        def __del__(self) -> None:
            handle = getattr(self, "_handle", None)
            if handle is None or driver.lost:
                return
            if not driver.current:
                driver.violations.append(f"a {self._kind} was dropped without a context")
                return
            driver.give(self._kind, f"{self._kind} freed", handle)

    class Runtime(Held):
        def __init__(self, logger: Any) -> None:
            # Bindings refuse a logger whose own __init__ never called that of ILogger.
            if not getattr(logger, "_made", False):
                raise TypeError("ILogger.__init__() must be called")
            self._logger = logger
            self._take("runtime", 0)

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
            def refuse(text: str) -> None:
                self._logger.log(severity.ERROR, f"IRuntime::deserializeCudaEngine: {text}")

            try:
                plan = json.loads(serialized_engine)
            except ValueError:
                refuse("Error Code 1: Serialization (assertion header.magicTag == expected failed)")
                return None
            if plan["version"] != module.__version__:
                refuse(f"Error Code 1: Serialization (engine of version {plan['version']})")
                return None
            try:
                return ICudaEngine(self, plan)
            except DriverError as error:
                refuse(f"Error Code 1: Cuda Runtime ({error.text})")
                return None

    class ICudaEngine(Held):
        def __init__(self, runtime: Runtime, plan: Any) -> None:
            self._runtime, self._plan = runtime, plan
            self._take("engine", ENGINE_BYTES)

        @property
        def num_io_tensors(self) -> int:
            return len(self._plan["names"])

        def get_tensor_name(self, index: int) -> str:
            return str(self._plan["names"][index])

        def get_tensor_mode(self, name: str) -> Any:
            return module.TensorIOMode.INPUT if name == INPUT else module.TensorIOMode.OUTPUT

        def get_tensor_dtype(self, name: str) -> Any:
            return module.DataType[self._plan["dtype"] if name == INPUT else "FLOAT"]

        def get_tensor_location(self, name: str) -> Any:
            return module.TensorLocation.DEVICE

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            widths = dict(
                zip(OUTPUTS, (self._plan["classes"], self._plan["embedding"]), strict=True)
            )
            return (-1, 1, *self._plan["image"]) if name == INPUT else (-1, widths[name])

        def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
            assert name == INPUT, "only inputs have a profile"
            return [(size, 1, *self._plan["image"]) for size in self._plan["batches"]]

        def create_execution_context(self) -> IExecutionContext | None:
            try:
                return IExecutionContext(self)
            except DriverError:
                self._runtime._logger.log(severity.ERROR, OUT_OF_MEMORY)
                return None

    class IExecutionContext(Held):
        def __init__(self, engine: ICudaEngine) -> None:
            self._engine = engine
            self._shape: tuple[int, ...] | None = None
            self._addresses: dict[str, int] = {}
            self.profiler: Any = None
            self._take("context", CONTEXT_BYTES)

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            smallest, _, largest = self._engine.get_tensor_profile_shape(name, 0)
            fits = all(a <= b <= c for a, b, c in zip(smallest, shape, largest, strict=True))
            if not fits:
                return self._refuse(f"Error Code 3: API Usage Error (shape {shape} for {name})")
            self._shape = tuple(shape)
            return True

        def set_tensor_address(self, name: str, memory: int) -> bool:
            self._addresses[name] = int(memory)
            return True

        def get_tensor_address(self, name: str) -> int:
            return self._addresses.get(name, 0)

        def execute_async_v3(self, stream_handle: int) -> bool:
            if self._shape is None or set(self._addresses) != {INPUT, *OUTPUTS}:
                return self._refuse("Error Code 3: API Usage Error (shape or address is not set)")
            try:
                queue(driver, self, stream_handle)
            except DriverError as error:
                if error.code == "CUDA_ERROR_OUT_OF_MEMORY":
                    return self._refuse(f"IExecutionContext::enqueueV3: {OUT_OF_MEMORY}")
                return self._refuse(f"Error Code 1: Cuda Runtime ({error.text})")
            if self.profiler is not None:
                for number, name in enumerate(LAYERS):
                    self.profiler.report_layer_time(name, 0.25 * (number + 1))
            return True

        def _refuse(self, text: str) -> bool:
            self._engine._runtime._logger.log(severity.ERROR, text)
            return False

    return [ILogger, IProfiler, Runtime, ICudaEngine, IExecutionContext]


def _queue(driver: Driver, context: Any, stream: int) -> None:
    driver.queue(stream, "execute", _computation(driver, context))


def _computation(driver: Driver, context: Any) -> Callable[[], None]:
    shape, addresses, plan = context._shape, dict(context._addresses), context._engine._plan
    count, classes, width = shape[0], plan["classes"], plan["embedding"]
    pixels = int(np.prod(shape))

    def compute() -> None:
        images = driver.bytes_at(addresses[INPUT])[:pixels].reshape(count, -1)
        means = images.mean(axis=1) / 255
        label = np.minimum((means * classes).astype(int), classes - 1)
        answers = (
            np.eye(classes, dtype=np.float32)[label],
            np.repeat(means[:, None], width, axis=1).astype(np.float32),
        )
        for name, answer in zip(OUTPUTS, answers, strict=True):
            data = np.ascontiguousarray(answer).reshape(-1).view(np.uint8)
            driver.bytes_at(addresses[name])[: data.size] = data

    return compute
