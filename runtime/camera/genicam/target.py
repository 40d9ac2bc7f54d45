"""Name of a GenICam camera, with the settings that it is to have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from runtime.errors import InputError

_FEATURE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class CameraTarget:
    """Camera to open.

    Args:
        device: its id, serial number or address; empty for the first one.
        settings: value by GenICam feature, in the order in which they are to be set.
    """

    device: str
    settings: dict[str, str] = field(default_factory=dict)


def parse_target(text: str, source: str) -> CameraTarget:
    """Parse `DEVICE[?FEATURE=VALUE&FEATURE=VALUE…]`.

    Args:
        text: what follows the kind of camera.
        source: all of it, for messages.

    Raises:
        InputError: a setting is not `FEATURE=VALUE`, or is given twice.
    """
    device, _, query = text.partition("?")
    settings: dict[str, str] = {}
    hint = "write ?ExposureTime=5000&PixelFormat=Mono12 behind the camera, with names of GenICam"
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise InputError(f"camera {source!r}: {query!r} is not FEATURE=VALUE", hint=hint) from None
    for name, value in pairs:
        if not _FEATURE.fullmatch(name) or not value:
            raise InputError(
                f"camera {source!r}: {name}={value} is not a setting FEATURE=VALUE", hint=hint
            )
        if name in settings:
            raise InputError(
                f"camera {source!r}: {name} is set twice", hint="give each setting once"
            )
        settings[name] = value
    return CameraTarget(device, settings)
