"""`edgecl` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

EDGECL = (sys.executable, "-m", "edgecl")


def _hear_ctrl_c() -> None:
    # A suite that was started in the background hands an ignored SIGINT down to its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(*arguments: object, before: tuple[str, ...] = (), **options) -> subprocess.Popen[str]:
    """Start it.

    Args:
        before: a command that starts it.
        options: of `subprocess.Popen`.
    """
    return subprocess.Popen(
        [*before, *EDGECL, *map(str, arguments)],
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **{"preexec_fn": _hear_ctrl_c, **options},
    )


def finish(*arguments: object, **options) -> tuple[int, str, str]:
    """Run it to its end: exit code, standard output, standard error."""
    captured = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    process = start(*arguments, **captured)
    out, err = process.communicate(timeout=300)
    return process.returncode, out or "", err or ""
