"""edgecl: from images on disk to judged camera frames.

    import edgecl

    with edgecl.open_session("line.edgecl") as session:
        ...

The names in `__all__` are imported when they are first used, so `import edgecl` is quick and loads
neither numpy nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.artifact.bundle import Bundle, load_bundle
    from runtime.camera import Camera, Frame, open_camera
    from runtime.errors import EdgeclError, EquipmentError, GateError, InputError
    from runtime.session import Outputs, Session, open_session
    from runtime.stream.stream import Stream

__version__ = "0.1.0"

_HOMES = {
    "Bundle": "runtime.artifact.bundle",
    "Camera": "runtime.camera",
    "EdgeclError": "runtime.errors",
    "EquipmentError": "runtime.errors",
    "Frame": "runtime.camera",
    "GateError": "runtime.errors",
    "InputError": "runtime.errors",
    "Outputs": "runtime.session",
    "Session": "runtime.session",
    "Stream": "runtime.stream.stream",
    "load_bundle": "runtime.artifact.bundle",
    "open_camera": "runtime.camera",
    "open_session": "runtime.session",
}

__all__ = [
    "Bundle",
    "Camera",
    "EdgeclError",
    "EquipmentError",
    "Frame",
    "GateError",
    "InputError",
    "Outputs",
    "Session",
    "Stream",
    "load_bundle",
    "open_camera",
    "open_session",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'edgecl' has no attribute {name!r}")
    from edgecl.packages import require_own_packages

    require_own_packages()
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
