"""Errors of the CUDA driver in our words: out of memory, the GPU is gone, or a call rejected."""

from __future__ import annotations

from collections.abc import Mapping


class GpuError(Exception):
    """The driver refused a call. The GPU can go on."""


class GpuMemoryError(GpuError):
    """The GPU has no memory left. What is freed can be used again."""


class GpuLostError(GpuError):
    """The GPU, its driver or this process's context on it is gone; no call will work again."""


OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"

# After any of these every further call in the process fails: CUDA's own documentation says of most
# that the process must be ended and started again. pycuda keeps the driver's text and not its
# number, hence both.
LOST: Mapping[str, str] = {
    "CUDA_ERROR_NOT_INITIALIZED": "initialization error",
    "CUDA_ERROR_DEINITIALIZED": "driver shutting down",
    "CUDA_ERROR_DEVICE_UNAVAILABLE": "CUDA-capable device(s) is/are busy or unavailable",
    "CUDA_ERROR_NO_DEVICE": "no CUDA-capable device is detected",
    "CUDA_ERROR_ECC_UNCORRECTABLE": "uncorrectable ECC error encountered",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE": "uncorrectable NVLink error detected during the execution",
    "CUDA_ERROR_CONTAINED": "Invalid access of peer GPU memory over nvlink or a hardware error",
    "CUDA_ERROR_ILLEGAL_ADDRESS": "an illegal memory access was encountered",
    "CUDA_ERROR_LAUNCH_TIMEOUT": "the launch timed out and was terminated",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED": "context is destroyed",
    "CUDA_ERROR_ASSERT": "device-side assert triggered",
    "CUDA_ERROR_HARDWARE_STACK_ERROR": "hardware stack error",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION": "an illegal instruction was encountered",
    "CUDA_ERROR_MISALIGNED_ADDRESS": "misaligned address",
    "CUDA_ERROR_INVALID_ADDRESS_SPACE": "operation not supported on global/shared address space",
    "CUDA_ERROR_INVALID_PC": "invalid program counter",
    "CUDA_ERROR_LAUNCH_FAILED": "unspecified launch failure",
    "CUDA_ERROR_SYSTEM_NOT_READY": "system not yet initialized",
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": (
        "system has unsupported display driver / cuda driver combination"
    ),
    "CUDA_ERROR_UNKNOWN": "unknown error",
}


def gpu_error(call: str, *, name: str = "", text: str = "") -> GpuError:
    """The error for a refused call.

    Args:
        call: the driver's function, such as `cuMemAlloc`.
        name: the error's name, where it is known: `CUDA_ERROR_OUT_OF_MEMORY`.
        text: the driver's words for it.
    """
    told = f"{call}: {': '.join(part for part in (name, text) if part) or 'no reason given'}"
    if name == OUT_OF_MEMORY or (not name and text == "out of memory"):
        return GpuMemoryError(f"the GPU is out of memory ({told})")
    if name in LOST or (not name and text in LOST.values()):
        return GpuLostError(f"the GPU or its driver stopped working ({told})")
    return GpuError(f"the GPU driver rejected a call ({told})")


def error_of_words(text: str) -> GpuError | None:
    """The error that a library's message tells of, where it tells of one that we know.

    Args:
        text: for example a line of TensorRT's log.
    """
    plain = text.lower().replace(" ", "")
    if "outofmemory" in plain or "cudaerrormemoryallocation" in plain:
        return GpuMemoryError(f"the GPU is out of memory ({text})")
    if any(words.lower().replace(" ", "") in plain for words in LOST.values()):
        return GpuLostError(f"the GPU or its driver stopped working ({text})")
    return None
