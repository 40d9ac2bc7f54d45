"""Script that `device_probe` runs as a process: looks at driver, bindings and TensorRT.

TensorRT without a working driver can take its process down, and a driver can hang; so what is found
goes out line by line, and what was being looked at is said before it is looked at.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from runtime.gpu.missing import known_capabilities

MARK = "edgecl-probe "
MODULES = ("tensorrt", "tensorrt_rtx")
BINDINGS: Mapping[str, str] = {"pycuda": "pycuda.driver", "cuda-bindings": "cuda.bindings.driver"}

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR


def tell(**found: Any) -> None:
    """Tell the calling process on one line; others may print on standard output as well."""
    sys.stdout.write(f"\n{MARK}{json.dumps(found)}\n")
    sys.stdout.flush()


def main() -> None:
    """Look at everything, in the order in which one thing needs the other."""
    tell(stage="the CUDA driver")
    works = look_at_driver()
    for name, module in BINDINGS.items():
        tell(stage=name)
        look_at_bindings(name, module)
    for name in MODULES:
        tell(stage=name)
        look_at_tensorrt(name, works)
    tell(stage="")
    # The libraries' own endings crash now and then; there is nothing that they must finish.
    sys.stdout.flush()
    os._exit(0)


def look_at_driver(library: str = "libcuda.so.1") -> bool:
    """Ask the driver itself.

    Returns:
        Whether there is a GPU that answers.
    """
    try:
        cuda = ctypes.CDLL(library)
    except OSError as error:
        tell(driver_error=str(error))
        return False

    def call(name: str, *arguments: Any) -> None:
        code = getattr(cuda, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            cuda.cuGetErrorString(code, ctypes.byref(text))
            words = (text.value or b"error").decode(errors="replace")
            raise RuntimeError(f"{name}: {words} ({code})")

    try:
        version, device, count = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        call("cuDriverGetVersion", ctypes.byref(version))
        tell(cuda=f"{version.value // 1000}.{version.value % 1000 // 10}")
        call("cuInit", 0)
        call("cuDeviceGetCount", ctypes.byref(count))
        if not count.value:
            raise RuntimeError("the driver reports no GPU")
        call("cuDeviceGet", ctypes.byref(device), 0)
        name = ctypes.create_string_buffer(128)
        call("cuDeviceGetName", name, len(name), device)
        major, minor = ctypes.c_int(), ctypes.c_int()
        call("cuDeviceGetAttribute", ctypes.byref(major), _MAJOR, device)
        call("cuDeviceGetAttribute", ctypes.byref(minor), _MINOR, device)
        tell(
            device=name.value.decode(errors="replace").strip(),
            compute_capability=f"{major.value}.{minor.value}",
            devices=count.value,
        )
        context, free, total = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
        call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        call("cuCtxPushCurrent_v2", context)
        call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        tell(free_memory=free.value, total_memory=total.value)
    except (RuntimeError, AttributeError) as error:
        tell(driver_error=str(error))
        return False
    return True


def look_at_bindings(name: str, module: str) -> None:
    """Import one set of bindings to the driver."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a library that does not load may raise anything
        tell(bindings={name: ""}, error=_first_line(error), absent=_absent(error))
        return
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        version = "of unknown version"
    tell(bindings={name: version})


def look_at_tensorrt(name: str, driver_works: bool) -> None:
    """Import a TensorRT module, and make its runtime where there is a driver for it."""
    try:
        trt = importlib.import_module(name)
        version = str(trt.__version__)
        if driver_works:
            trt.Runtime(trt.Logger(trt.Logger.ERROR))
    except Exception as error:  # as above
        tell(module=name, version="", error=_first_line(error), absent=_absent(error))
        return
    tell(module=name, version=version, serves=list(known_capabilities(trt)))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _absent(error: Exception) -> bool:
    """Whether the module is not installed at all, rather than broken."""
    return isinstance(error, ModuleNotFoundError)


if __name__ == "__main__":
    main()
