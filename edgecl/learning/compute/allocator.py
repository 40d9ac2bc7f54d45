"""Keep glibc from handing the activations back to the kernel after every step."""

from __future__ import annotations

import ctypes
import os
import sys

# From malloc.h and mman.h.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_MADV_HUGEPAGE = 14
_TOP_PAD_BYTES = 256 << 20
_NEVER_TRIM = -1
_HUGE_PAGE = 2 << 20
# Address space alone, no memory: pages are taken when they are first written.
_HUGE_SHARE = 0.5


def keep_activations() -> bool:
    """Tell glibc to keep freed memory for the next step, and to take it in huge pages.

    A training step frees and takes the same large blocks again and again; by default glibc maps
    each anew, and the page faults can take half of a step on a CPU. The process keeps its peak
    memory afterwards, so this is for training processes only.

    Returns:
        Whether the C library took the settings (only glibc does). Huge pages are a wish, which
        the kernel may ignore.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL(None)
        mallopt = libc.mallopt
    except (OSError, AttributeError):
        return False
    settings = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, _NEVER_TRIM),
        (_M_TOP_PAD, _TOP_PAD_BYTES),
    )
    taken = all(mallopt(name, value) == 1 for name, value in settings)
    if taken:
        _wish_for_huge_pages(libc)
    return taken


def _wish_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Grow the heap by a stretch that nobody has written to, and mark it.

    GLIBC_TUNABLES=glibc.malloc.hugetlb=1 does the same, but must stand in the environment before
    the process starts. What is freed untrimmed stays glibc's, and its mark stays on it.
    """
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    size = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * _HUGE_SHARE)
    start = libc.malloc(size)
    if not start:  # a limit on the address space
        return
    first = -(-start // _HUGE_PAGE) * _HUGE_PAGE
    libc.madvise(first, (start + size - first) // _HUGE_PAGE * _HUGE_PAGE, _MADV_HUGEPAGE)
    libc.free(start)
