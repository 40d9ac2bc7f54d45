"""Features of GenICam cameras that decide how frames look."""

from __future__ import annotations

FEATURES = (
    "PixelFormat",
    "BinningHorizontal",
    "BinningVertical",
    "Width",
    "Height",
    "OffsetX",
    "OffsetY",
    "ReverseX",
    "ReverseY",
    "ExposureAuto",
    "ExposureTime",
    "GainAuto",
    "Gain",
    "BlackLevel",
    "GammaEnable",
    "Gamma",
    "BalanceWhiteAuto",
    "AcquisitionFrameRateEnable",
    "AcquisitionFrameRate",
)
"""Features by the names of the standard, in an order in which they can be set."""

_OLD_NAMES = {
    "ExposureTime": ("ExposureTimeAbs", "ExposureTimeRaw"),
    "Gain": ("GainRaw", "GainAbs"),
    "BlackLevel": ("BlackLevelRaw",),
    "AcquisitionFrameRate": ("AcquisitionFrameRateAbs",),
}


def names_of(feature: str) -> tuple[str, ...]:
    """Return the names that a feature has in cameras of one or the other age."""
    return (feature, *_OLD_NAMES.get(feature, ()))
