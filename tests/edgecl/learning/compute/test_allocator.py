"""The allocator's settings, each tried in a process of its own: they cannot be taken back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Counts the page faults of taking, writing and freeing 64 MiB, the third time.
PROBE = """
import resource, sys
import numpy as np
from edgecl.learning.compute.allocator import keep_activations
assert keep_activations() or sys.argv[1] == "plain"
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(64 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(), faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_freed_memory_is_kept_for_the_next_step():
    def count(probe: str, side: str) -> int:
        command = [sys.executable, "-c", probe, side]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    # numpy asks for huge pages by itself above 4 MiB; even so a fresh mapping is 32 faults.
    assert count(PROBE, "kept") < 8
    plain = PROBE.replace("keep_activations() or", "")
    assert count(plain, "plain") >= 16
