"""Read names and signatures off real bindings, for the doubles in this folder to be held to.

    python tests/bindings/refresh.py tensorrt WHEEL   # tensorrt-cu12-bindings, -cu13-bindings
    python tests/bindings/refresh.py cuda-bindings    # installed in this Python
    python tests/bindings/refresh.py pycuda           # installed here, where libcuda.so.1 loads

Writes NAME-VERSION.json beside itself. Get a wheel with `pip download --no-deps
tensorrt-cu12-bindings==10.3.0`; its libraries are not needed: empty ones are compiled with `cc`
while it is read, so neither a GPU nor a driver has to be there. Run it in the Python that the
wheel is for.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

TENSORRT_CLASSES = ("Runtime", "ICudaEngine", "IExecutionContext", "ILogger", "IProfiler")
TENSORRT_ENUMS = ("DataType", "TensorIOMode", "TensorLocation")
PYCUDA_CLASSES = (
    *("Device", "Context", "Stream", "Event"),
    *("DeviceAllocation", "PagelockedHostAllocation"),
)
PYCUDA_FUNCTIONS = (
    *("init", "mem_alloc", "mem_get_info", "pagelocked_empty"),
    *("memcpy_htod_async", "memcpy_dtoh_async"),
)
PYCUDA_ERRORS = ("Error", "MemoryError", "LogicError", "LaunchError", "RuntimeError")
CUDA_FUNCTIONS = (
    *("cuInit", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetAttribute", "cuDeviceTotalMem"),
    *("cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease", "cuCtxPushCurrent"),
    *("cuCtxPopCurrent", "cuStreamCreate", "cuStreamDestroy", "cuStreamSynchronize"),
    *("cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphLaunch"),
    *("cuGraphDestroy", "cuGraphExecDestroy", "cuEventCreate", "cuEventDestroy", "cuEventRecord"),
    *("cuEventElapsedTime", "cuMemAlloc", "cuMemFree", "cuMemHostAlloc", "cuMemFreeHost"),
    *("cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuMemGetInfo", "cuGetErrorString"),
)
CUDA_ENUMS = ("CUresult", "CUstreamCaptureMode", "CUdevice_attribute")

Signature = list[str]
"""Names of arguments without `self`; one that may be left out ends in `=`."""


def signatures(text: str | None, name: str, owners: Sequence[str] = ()) -> list[Signature]:
    """The overloads that a docstring of pybind11, Boost.Python or Cython tells.

    Args:
        owners: a method's class and its bases: Boost.Python names `self` by its type alone.

    Returns:
        One signature per overload; none where the text has none, as for a property.
    """
    found = []
    pattern = rf"^\s*(?:\d+\. )?{re.escape(name)}\((.*)\)(?: -> .*)?$"
    for line in re.findall(pattern, text or "", re.MULTILINE):
        if line.replace(" ", "") == "*args,**kwargs":
            continue
        parts = _split(line)
        if parts and re.match(rf"\s*\((?:{'|'.join(owners) or '-'})\)", parts[0]):
            del parts[0]
        arguments = [_argument(part) for part in parts]
        found.append([part for part in arguments if part not in ("", "self", "self=")])
    return found


def _split(text: str) -> list[str]:
    """Arguments of a signature; what Boost.Python puts in square brackets may be left out."""
    if re.match(r"^[\s\[]*\(", text):  # Boost.Python: (type)name [, (type)name=default]
        required, _, optional = text.partition("[")
        parts = [part for part in required.split(", ") if part.strip()]
        rest = [part.strip(" ,]") for part in re.split(r"\[?, (?=\()", optional)]
        return [*parts, *(part if "=" in part else f"{part}=None" for part in rest if part)]
    parts, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "[(<{") - (sign in "])>}")
        if sign == "," and not depth:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _argument(text: str) -> str:
    text = re.sub(r"^\s*\([^)]*\)", "", text).strip(" []")
    optional = "=" if "=" in text else ""
    name = re.split(r"[:=]", text)[0].strip().split(" ")[-1].lstrip("*")
    return name + optional


def members(kind: type) -> dict[str, list[Signature]]:
    """Public members of a class, and `__init__`."""
    names = [name for name in dir(kind) if not name.startswith("_") and name != "mro"]
    owners = [base.__name__ for base in kind.__mro__]
    found = {name: signatures(getattr(kind, name).__doc__, name, owners) for name in names}
    found["__init__"] = signatures(vars(kind)["__init__"].__doc__, "__init__", ["object"])
    return found


def values(kind: Any) -> dict[str, int]:
    """Members of an enumeration."""
    named = getattr(kind, "__members__", None) or {member.name: member for member in kind}
    return {name: int(member) for name, member in sorted(named.items())}


def read_tensorrt(wheel: Path) -> dict[str, Any]:
    """The surface of TensorRT's bindings, out of their wheel."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        zipfile.ZipFile(wheel).extractall(folder)
        library = folder / "tensorrt_bindings" / "tensorrt.so"
        _make_libraries(library, folder)
        sys.path.insert(0, str(folder))
        trt = importlib.import_module("tensorrt_bindings.tensorrt")
        return {
            "classes": {label: members(getattr(trt, label)) for label in TENSORRT_CLASSES},
            "enums": {label: values(getattr(trt, label)) for label in TENSORRT_ENUMS}
            | {"ILogger.Severity": values(trt.ILogger.Severity)},
            "functions": {},
            "version": wheel.name.split("-")[1],
        }


def _make_libraries(library: Path, folder: Path) -> None:
    """Libraries with the names and symbols that the bindings ask for, all empty."""
    dynamic = subprocess.check_output(["readelf", "-d", library], text=True)
    needed = re.findall(r"\[(libnv[^\]]*)\]", dynamic)
    symbols = subprocess.check_output(["nm", "-D", "--undefined-only", library], text=True)
    wanted = re.findall(r" U ((?:create|get|init)\w+)$", symbols, re.MULTILINE)
    source = folder / "empty.c"
    for place, name in enumerate(needed):
        bodies = [f"void *{symbol}(void) {{ return 0; }}\n" for symbol in wanted]
        source.write_text("".join(bodies) if place == 0 else "")
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-w", "-o", folder / name, source, f"-Wl,-soname,{name}"],
            check=True,
        )
    import ctypes

    for name in needed:
        ctypes.CDLL(str(folder / name), mode=os.RTLD_GLOBAL | os.RTLD_NOW)


def read_cuda_bindings() -> dict[str, Any]:
    """The surface of cuda-bindings' driver module."""
    driver = importlib.import_module("cuda.bindings.driver")
    enums = {name: values(getattr(driver, name)) for name in CUDA_ENUMS}
    enums["CUdevice_attribute"] = {
        name: value for name, value in enums["CUdevice_attribute"].items() if "CAPABILITY_M" in name
    }
    return {
        "classes": {},
        "enums": enums,
        "functions": {
            name: signatures(getattr(driver, name).__doc__, name) for name in CUDA_FUNCTIONS
        },
        "version": importlib.metadata.version("cuda-bindings"),
    }


def read_pycuda() -> dict[str, Any]:
    """The surface of pycuda's driver module."""
    cuda = importlib.import_module("pycuda.driver")
    return {
        "classes": {name: members(getattr(cuda, name)) for name in PYCUDA_CLASSES},
        "enums": {},
        "errors": {name: getattr(cuda, name).__base__.__name__ for name in PYCUDA_ERRORS},
        "functions": {
            name: signatures(getattr(cuda, name).__doc__, name) for name in PYCUDA_FUNCTIONS
        },
        "version": importlib.metadata.version("pycuda"),
    }


def main() -> None:
    """Read, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bindings", choices=("tensorrt", "cuda-bindings", "pycuda"))
    parser.add_argument("wheel", type=Path, nargs="?")
    arguments = parser.parse_args()
    if arguments.bindings == "tensorrt":
        found = read_tensorrt(arguments.wheel)
    else:
        found = read_pycuda() if arguments.bindings == "pycuda" else read_cuda_bindings()
    path = HERE / f"{arguments.bindings}-{found['version']}.json"
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(path)  # noqa: T201


if __name__ == "__main__":
    main()
