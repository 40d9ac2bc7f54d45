"""GStreamer through PyGObject, imported when a pipeline is asked for and not before."""

from __future__ import annotations

import ctypes
import importlib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from runtime.camera.live.feed import CannotOpen, StreamFault

_NAMES = ("Gst", "GstApp", "GstVideo")
PACKAGES = "python3-gi gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-good"
_INSTALL = f"on Debian, Ubuntu and JetPack: sudo apt install {PACKAGES}"


@dataclass(frozen=True)
class Library:
    """GStreamer's modules; they have no types.

    Args:
        Gst: the core.
        GstApp: appsink.
        GstVideo: layouts of frames.
        Error: what GStreamer's functions raise.
    """

    Gst: Any
    GstApp: Any
    GstVideo: Any
    Error: Any


@lru_cache(1)
def gstreamer() -> Library:
    """Import and start GStreamer.

    Raises:
        CannotOpen: it is not installed, and which packages have it.
    """
    try:
        gi: Any = importlib.import_module("gi")
    except ImportError:
        raise CannotOpen(
            StreamFault(
                "PyGObject, which GStreamer pipelines need, cannot be imported",
                f"{_INSTALL}; a virtual environment sees them if it was made by the system's "
                "Python with --system-site-packages",
                code="package-missing",
            )
        ) from None
    _keep_unwinding()
    try:
        for name in _NAMES:
            gi.require_version(name, "1.0")
        modules = [importlib.import_module(f"gi.repository.{name}") for name in _NAMES]
        error = importlib.import_module("gi.repository.GLib").Error
    except (ImportError, ValueError) as missing:
        raise CannotOpen(
            StreamFault(
                f"GStreamer is not installed for Python ({missing})",
                _INSTALL,
                code="package-missing",
            )
        ) from None
    core, sinks, video = modules
    library = Library(core, sinks, video, error)
    library.Gst.init(None)
    return library


def _keep_unwinding() -> None:
    """Make C++ exceptions of inference engines be unwound by the compiler's own library.

    PyGObject loads GStreamer's libraries into the scope of all, and with them libunwind, which has
    functions of the same names. OpenVINO, loaded after it, crashes with its first exception.
    """
    with suppress(OSError):  # a system without it has no such trouble
        ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)
