"""Keep glibc from handing the activations back to the kernel after every step."""

from __future__ import annotations

import ctypes
import sys

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_TOP_PAD_BYTES = 256 << 20
_NEVER_TRIM = 2**31 - 1


def keep_activations() -> bool:
    """Tell glibc to keep freed memory for the next step.

    A training step frees and takes the same large blocks again and again; by default glibc maps
    each anew, and the page faults can take half of a step on a CPU. The process keeps its peak
    memory afterwards, so this is for training processes only.

    Returns:
        Whether the C library took the settings (only glibc does).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, _NEVER_TRIM),
        (_M_TOP_PAD, _TOP_PAD_BYTES),
    )
    return all(mallopt(name, value) == 1 for name, value in settings)
