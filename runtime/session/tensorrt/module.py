"""The TensorRT modules: `tensorrt` from 10.3 to 11, and `tensorrt_rtx`."""

from __future__ import annotations

import importlib
from typing import Any

from runtime.errors import InputError
from runtime.gpu.missing import OLDEST, release

INSTALL = {
    "tensorrt": "pip install 'edgecl[tensorrt]'; on a Jetson it comes with JetPack",
    "tensorrt_rtx": "pip install 'edgecl[tensorrt-rtx]', on x86-64 Linux",
}


def load_tensorrt(name: str = "tensorrt") -> Any:
    """Import a TensorRT module.

    Args:
        name: `tensorrt`, or `tensorrt_rtx`: TensorRT for RTX, which builds without a GPU.

    Raises:
        InputError: not installed, its libraries do not load, or older than 10.3.
    """
    if name not in INSTALL:
        raise InputError(
            f"unknown TensorRT module {name!r}", hint=f"choose from {', '.join(INSTALL)}"
        )
    try:
        module = importlib.import_module(name)
    except (ImportError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{name} cannot be imported ({reason})", hint=f"install it: {INSTALL[name]}"
        ) from error
    if not is_rtx(module) and release(str(module.__version__)) < OLDEST:
        raise InputError(
            f"TensorRT {module.__version__} is older than {'.'.join(map(str, OLDEST))}",
            hint=f"install a newer version: {INSTALL[name]}",
        )
    return module


def is_rtx(trt: Any) -> bool:
    """Whether this is TensorRT for RTX, which counts its versions by itself."""
    return hasattr(trt, "ComputeCapability")


def title(trt: Any) -> str:
    """The module's name and version, for people."""
    return f"TensorRT{' for RTX' if is_rtx(trt) else ''} {trt.__version__}"
