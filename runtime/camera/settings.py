"""Settings of cameras, by the names of GenICam's standard whatever the camera.

The first connection gets what is wanted; every later one gets it again, since cameras forget their
settings when they lose power.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from runtime.errors import InputError

AUTOMATIC = ("ExposureAuto", "GainAuto", "BalanceWhiteAuto")
"""Features that let brightness follow the parts."""

_FEATURE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_setting(text: str) -> tuple[str, str]:
    """Read `FEATURE=VALUE`, as in `ExposureTime=500`.

    Raises:
        InputError: it is not that.
    """
    name, _, value = text.partition("=")
    if not _FEATURE.fullmatch(name) or not value.strip():
        raise InputError(
            f"{text!r} is not FEATURE=VALUE",
            hint="use a name of GenICam's standard, for example ExposureTime=500 or Gain=2",
        )
    return name, value.strip()


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """Read settings, and keep their order.

    Raises:
        InputError: one is not `FEATURE=VALUE`, or a feature is set twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, value = parse_setting(text)
        if name in found:
            raise InputError(f"{name} is set twice", hint="give each setting once")
        found[name] = value
    return found


def joined(first: Mapping[str, str], second: Mapping[str, str], source: str) -> dict[str, str]:
    """Return the settings of a camera's address and those beside it.

    Args:
        first: behind the address.
        second: of their own.
        source: the address, for messages.

    Raises:
        InputError: a feature is in both.
    """
    for name in second:
        if name in first:
            raise InputError(
                f"{name} is set twice: behind the camera {source!r} and beside it",
                hint="give each setting once",
            )
    return {**first, **second}


def rounded_notes(wanted: Mapping[str, str], got: Mapping[str, str]) -> list[str]:
    """Return a note for each setting that the camera made something else of."""
    return [
        f"the camera made {feature} {got[feature]}, not {value}"
        for feature, value in wanted.items()
        if feature in got and not same(got[feature], value)
    ]


def automatic_notes(settings: Mapping[str, str]) -> list[str]:
    """Return a note for each feature that lets brightness follow the parts."""
    return [
        f"{feature} is {settings[feature]}: brightness will follow the parts, which "
        f"causes false calls; set {feature}=Off"
        for feature in AUTOMATIC
        if settings.get(feature, "Off") != "Off"
    ]


def changed_note(feature: str, value: str, got: str, why: str = "") -> str:
    """Return the note on a camera that did not take a setting again after a loss."""
    reason = f" ({why})" if why else ""
    return f"after its loss {feature} of the camera is {got}, not {value}{reason}"


def same(one: str, two: str) -> bool:
    """Whether two values of a feature are the same: as text, or as numbers."""
    if one == two:
        return True
    try:
        return math.isclose(float(one), float(two), rel_tol=1e-6)
    except ValueError:
        return one.lower() == two.lower() and one.lower() in ("true", "false")
