"""Keep native libraries from writing to the terminal behind our back."""

from __future__ import annotations

import os
import sys


def silence_native_output() -> None:
    """Send what native code prints to file descriptor 2 to the null device; Python's stays.

    OpenCV, FFmpeg, libpng and V4L2 print about a missing camera or a cut picture past every log
    level. We say such things ourselves, in one line, so the process keeps a private copy of the
    terminal for `sys.stderr`. Commands call this once, at their start, unless `--debug` is on.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        if sys.stderr is None or sys.stderr.fileno() != 2:
            return  # already replaced, by a test runner or by ourselves
        sys.stderr.flush()
        private = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
    except (OSError, ValueError):
        return  # no terminal to keep clean
    sys.stderr = os.fdopen(
        private, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace"
    )
