"""Libraries of the system that bring kinds of cameras, as far as this Python sees them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from edgecl.cli.doctor.row import NOTE, OK, Row
from runtime.camera.genicam.aravis import PACKAGES as ARAVIS_PACKAGES
from runtime.camera.gstreamer.library import PACKAGES as GSTREAMER_PACKAGES

# name, what it opens, namespace of its introspection data, version, Debian's packages
LIBRARIES = (
    ("GStreamer", "pipelines and Jetson CSI", "Gst", "1.0", GSTREAMER_PACKAGES),
    ("Aravis", "GigE Vision and USB3 Vision", "Aravis", "0.8", ARAVIS_PACKAGES),
)
_TIMEOUT_S = 20.0
# In a process of its own: it loads C libraries.
_ASK = """
import sys
try:
    import gi
except ImportError:
    sys.exit(3)
for name in sys.argv[1:]:
    print(",".join(gi.Repository.get_default().enumerate_versions(name)))
"""
_NO_PYGOBJECT = "PyGObject cannot be imported by this Python"


def camera_library_rows() -> list[Row]:
    """Return a row per library: found, or what brings it. None of them has to be there."""
    return rows_of(_versions([namespace for _, _, namespace, _, _ in LIBRARIES]))


def rows_of(found: Sequence[Sequence[str]] | None) -> list[Row]:
    """Return the rows for the versions of each library, in their order.

    Args:
        found: versions by library; None where PyGObject is missing.
    """
    rows = []
    for number, (name, opens, _, version, packages) in enumerate(LIBRARIES):
        if found is not None and version in found[number]:
            rows.append(Row(name, OK, f"{version}, for {opens}"))
            continue
        why = _NO_PYGOBJECT if found is None else "not installed"
        hint = f"on Debian, Ubuntu and JetPack: sudo apt install {packages}"
        if found is None and sys.prefix != sys.base_prefix:
            hint += ", in a virtual environment made with --system-site-packages"
        rows.append(Row(name, NOTE, f"{why}; it opens {opens}", hint))
    return rows


def _versions(namespaces: Sequence[str]) -> list[list[str]] | None:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK, *namespaces],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return [line.split(",") for line in done.stdout.splitlines()]
