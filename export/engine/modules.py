"""The TensorRT modules, and everything in which their versions differ: 10.3 to 11, and RTX."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from runtime.errors import InputError

OLDEST = (10, 3)
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
            f"there is no TensorRT module {name!r}", mend=f"choose among {', '.join(INSTALL)}"
        )
    try:
        module = importlib.import_module(name)
    except (ImportError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{name} cannot be imported ({reason})", mend=f"install it: {INSTALL[name]}"
        ) from error
    if not is_rtx(module) and _release(module) < OLDEST:
        raise InputError(
            f"TensorRT {module.__version__} is older than {'.'.join(map(str, OLDEST))}",
            mend=f"install a newer one: {INSTALL[name]}",
        )
    return module


def is_rtx(trt: Any) -> bool:
    """Whether this is TensorRT for RTX, which counts its versions by itself."""
    return hasattr(trt, "ComputeCapability")


def title(trt: Any) -> str:
    """The module's name and version, for people."""
    return f"TensorRT{' for RTX' if is_rtx(trt) else ''} {trt.__version__}"


def network_flags(trt: Any) -> int:
    """The flags of a strongly typed network: the types in the ONNX file are those computed in.

    The flag's value changed in 11, where every network is so. In 10 batches are explicit without
    being asked for.
    """
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def set_targets(trt: Any, config: Any, capabilities: Sequence[str]) -> None:
    """Compile for GPUs that need not be there; only TensorRT for RTX can.

    Args:
        capabilities: compute capabilities such as `8.6`; none for all that it knows, or, where it
            is not RTX, for the GPU in this machine.

    Raises:
        InputError: this TensorRT does not compile for other GPUs, or not for one of these.
    """
    if not capabilities:
        return
    if not is_rtx(trt):
        raise InputError(
            f"{title(trt)} builds for the GPU in this machine, not for {', '.join(capabilities)}",
            mend="leave the compute capability out, and build on the target",
        )
    known = {
        f"{name[2:-1]}.{name[-1]}": member
        for name, member in trt.ComputeCapability.__members__.items()
        if name.startswith("SM")
    }
    unknown = [name for name in capabilities if name not in known]
    if unknown:
        raise InputError(
            f"{title(trt)} does not compile for compute capability {unknown[0]}",
            mend=f"choose among {', '.join(known)}",
        )
    config.num_compute_capabilities = len(capabilities)
    for place, name in enumerate(capabilities):
        config.set_compute_capability(known[name], place)


def take_timing_cache(trt: Any, config: Any, data: bytes) -> bool:
    """Give the builder what it measured before; RTX keeps no such cache.

    Returns:
        Whether `data` was taken. One of another version or GPU is not, and an empty one is set.
    """
    if is_rtx(trt):
        return False
    if data:
        cache = config.create_timing_cache(data)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return True
    config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    return False


def timing_cache(trt: Any, config: Any) -> bytes:
    """What the builder measured, for the next build; empty with RTX."""
    cache = None if is_rtx(trt) else config.get_timing_cache()
    return b"" if cache is None else bytes(cache.serialize())


def _release(trt: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in str(trt.__version__).split(".")[:2])
