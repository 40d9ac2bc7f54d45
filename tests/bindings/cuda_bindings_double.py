"""cuda-bindings' driver module over the tests' driver, with the names and calls of the real one."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tests.bindings.driver import CODES, TEXTS, Driver, DriverError, QueuedStream
from tests.bindings.surface import CUDA_BINDINGS, held, make_enum, read_surface


class Handle:
    """What the bindings give for a handle: something with an `int`."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __int__(self) -> int:
        return self._value


def cuda_driver(driver: Driver) -> Any:
    """The module `cuda.bindings.driver`."""
    surface = read_surface(f"cuda-bindings-{CUDA_BINDINGS}")
    module: Any = ModuleType("cuda.bindings.driver")
    for name, values in surface["enums"].items():
        setattr(module, name, make_enum(name, values))

    def answering(function: Any) -> Any:
        def call(*arguments: Any) -> tuple[Any, ...]:
            try:
                value = function(*arguments)
            except DriverError as error:
                return (module.CUresult(CODES[error.code]), None)
            success = module.CUresult.CUDA_SUCCESS
            if value is None:
                return (success,)
            return (success, *(value if isinstance(value, tuple) else (value,)))

        return call

    for name, function in _functions(driver, module).items():
        signatures = surface["functions"][name]
        setattr(module, name, held(name, signatures, answering(function), own=0))
    return module


def _functions(driver: Driver, module: Any) -> dict[str, Any]:
    def handle(kind: str, call: str, what: Any = None, size: int = 0) -> Handle:
        return Handle(driver.take(kind, call, what, size))

    def freed(kind: str, call: str) -> Any:
        return lambda value: void(driver.give(kind, call, int(value)))

    def void(_: Any) -> None:
        return None

    def device(ordinal: int) -> Handle:
        if ordinal:
            raise DriverError("cuDeviceGet", "CUDA_ERROR_INVALID_DEVICE")
        return Handle(0)

    def attribute(which: Any, gpu: Any) -> int:
        return {75: 8, 76: 7}[int(which)]

    def info() -> tuple[int, int]:
        driver.called("cuMemGetInfo")
        return driver.total - driver.used, driver.total

    def instantiate(graph: Any, flags: int) -> Handle:
        return handle("exec", "cuGraphInstantiate", driver.live["graph"][int(graph)])

    def begin(stream: Any, mode: Any) -> None:
        assert mode in module.CUstreamCaptureMode
        driver.begin_capture(int(stream))

    return {
        "cuInit": lambda flags: driver.called("cuInit", context=False),
        "cuDeviceGet": device,
        "cuDeviceGetName": lambda length, gpu: b"Orin".ljust(length, b"\0"),
        "cuDeviceGetAttribute": attribute,
        "cuDeviceTotalMem": lambda gpu: driver.total,
        "cuDevicePrimaryCtxRetain": lambda gpu: driver.retain(),
        "cuDevicePrimaryCtxRelease": lambda gpu: driver.release(),
        "cuCtxPushCurrent": driver.push,
        "cuCtxPopCurrent": driver.pop,
        "cuStreamCreate": lambda flags: handle("stream", "cuStreamCreate", QueuedStream()),
        "cuStreamDestroy": freed("stream", "cuStreamDestroy"),
        "cuStreamSynchronize": lambda stream: driver.synchronize(int(stream)),
        "cuStreamBeginCapture": begin,
        "cuStreamEndCapture": lambda stream: Handle(driver.end_capture(int(stream))),
        "cuGraphInstantiate": instantiate,
        "cuGraphLaunch": lambda graph, stream: driver.launch(int(graph), int(stream)),
        "cuGraphDestroy": freed("graph", "cuGraphDestroy"),
        "cuGraphExecDestroy": freed("exec", "cuGraphExecDestroy"),
        "cuEventCreate": lambda flags: handle("event", "cuEventCreate"),
        "cuEventDestroy": freed("event", "cuEventDestroy"),
        "cuEventRecord": lambda event, stream: driver.record(int(event), int(stream)),
        "cuEventElapsedTime": lambda start, end: driver.elapsed_ms(int(start), int(end)),
        "cuMemAlloc": lambda size: handle("memory", "cuMemAlloc", None, size),
        "cuMemFree": freed("memory", "cuMemFree"),
        "cuMemHostAlloc": lambda size, flags: driver.take("host", "cuMemHostAlloc", None, size),
        "cuMemFreeHost": freed("host", "cuMemFreeHost"),
        "cuMemcpyHtoDAsync": lambda to, source, size, stream: driver.copy_up(
            int(to), int(source), size, int(stream)
        ),
        "cuMemcpyDtoHAsync": lambda to, source, size, stream: driver.copy_down(
            int(to), int(source), size, int(stream)
        ),
        "cuMemGetInfo": info,
        "cuGetErrorString": lambda code: TEXTS.get(code.name, "some error").encode(),
    }
