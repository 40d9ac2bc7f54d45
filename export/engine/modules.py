"""Differences between the builders of TensorRT's versions: 10.3 to 11, and RTX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.errors import InputError
from runtime.gpu.missing import known_capabilities
from runtime.session.tensorrt.module import is_rtx, load_tensorrt, title

__all__ = [
    "is_rtx",
    "load_tensorrt",
    "network_flags",
    "set_targets",
    "take_timing_cache",
    "timing_cache",
    "title",
]


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
            f"{title(trt)} builds for the GPU of this machine, not for {', '.join(capabilities)}",
            hint="omit the compute capability and build on the target",
        )
    known = known_capabilities(trt)
    unknown = [name for name in capabilities if name not in known]
    if unknown:
        raise InputError(
            f"{title(trt)} does not support compute capability {unknown[0]}",
            hint=f"choose from {', '.join(known)}",
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
    """Return the builder's measurements, for the next build; empty with RTX."""
    cache = None if is_rtx(trt) else config.get_timing_cache()
    return b"" if cache is None else bytes(cache.serialize())
