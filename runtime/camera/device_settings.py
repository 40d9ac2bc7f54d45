"""Settings of video devices: GenICam's names, and what OpenCV and V4L2 have for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2

from runtime.camera.live.feed import CannotOpen, StreamFault
from runtime.camera.settings import automatic_notes, changed_note, rounded_notes, same
from runtime.errors import InputError
from runtime.progress import Say

_EXPOSURE_UNIT_US = 100.0
# V4L2 counts exposure in it.
_MANUAL, _AUTOMATIC = 1.0, 3.0
# V4L2's modes of exposure: cameras of the UVC class have manual, and priority for the aperture.
_CODE_LETTERS = 4


@dataclass(frozen=True)
class _Feature:
    """Property of an OpenCV capture, and how its values read."""

    number: int
    to_number: Callable[[str], float]
    to_text: Callable[[float], str]


def _plain_text(value: float) -> str:
    return f"{value:.10g}"


def _code(text: str) -> float:
    if len(text) > _CODE_LETTERS or not text.isascii():
        raise ValueError(text)
    return float(int.from_bytes(text.ljust(_CODE_LETTERS).encode(), "little"))


def _code_text(value: float) -> str:
    return (int(value) & 0xFFFFFFFF).to_bytes(_CODE_LETTERS, "little").decode("latin-1").strip()


def _mode(text: str) -> float:
    return {"Off": _MANUAL, "Continuous": _AUTOMATIC}[text]


_FEATURES: Mapping[str, _Feature] = {
    "PixelFormat": _Feature(cv2.CAP_PROP_FOURCC, _code, _code_text),
    "Width": _Feature(cv2.CAP_PROP_FRAME_WIDTH, float, _plain_text),
    "Height": _Feature(cv2.CAP_PROP_FRAME_HEIGHT, float, _plain_text),
    "AcquisitionFrameRate": _Feature(cv2.CAP_PROP_FPS, float, _plain_text),
    "ExposureAuto": _Feature(
        cv2.CAP_PROP_AUTO_EXPOSURE,
        _mode,
        lambda value: "Off" if value == _MANUAL else "Continuous",
    ),
    "ExposureTime": _Feature(
        cv2.CAP_PROP_EXPOSURE,
        lambda text: float(round(float(text) / _EXPOSURE_UNIT_US)),
        lambda value: _plain_text(value * _EXPOSURE_UNIT_US),
    ),
    "Gain": _Feature(cv2.CAP_PROP_GAIN, float, _plain_text),
}
"""Features by name, in the order in which a driver takes them."""


class DeviceSetup:
    """Gives every connection to a video device the same settings.

    Args:
        wanted: value by feature.
        report: is told of settings that differ after a loss.

    Attributes:
        settings: what the device had when it was first opened, as far as it tells.
        remarks: what a user has to know of the settings.

    Raises:
        InputError: a feature or a value that no video device has.
    """

    def __init__(self, wanted: Mapping[str, str], report: Say) -> None:
        _require_known(wanted)
        self._wanted = {name: wanted[name] for name in _FEATURES if name in wanted}
        self._report = report
        self._opened = False
        self.settings: Mapping[str, str] = {}
        self.remarks: list[str] = []

    def apply(self, video: Any) -> None:
        """Set what is wanted, and read it back.

        Args:
            video: an OpenCV capture that was opened.

        Raises:
            CannotOpen: the device refuses a setting at its first opening.
        """
        refused = [
            name
            for name, value in self._wanted.items()
            if not video.set(_FEATURES[name].number, _FEATURES[name].to_number(value))
        ]
        has = _read(video)
        if self._opened:
            for name in self._wanted:
                before, now = self.settings.get(name, ""), has.get(name, "missing")
                if not same(now, before):
                    why = "the driver refused it" if name in refused else ""
                    self._report(changed_note(name, before, now, why))
            return
        if refused:
            name = refused[0]
            raise CannotOpen(
                StreamFault(
                    f"the device does not take {name}={self._wanted[name]}",
                    "'v4l2-ctl --list-ctrls --list-formats-ext' shows what it takes; an exposure "
                    "time or gain may need ExposureAuto=Off",
                )
            )
        self._opened, self.settings = True, has
        self.remarks += [*rounded_notes(self._wanted, has), *automatic_notes(has)]


def _read(video: Any) -> dict[str, str]:
    """Read the features that the device tells; it gives 0 or less for others."""
    values = {name: float(video.get(one.number)) for name, one in _FEATURES.items()}
    return {name: _FEATURES[name].to_text(value) for name, value in values.items() if value > 0}


def _require_known(wanted: Mapping[str, str]) -> None:
    for name, value in wanted.items():
        if name not in _FEATURES:
            raise InputError(
                f"video devices have no setting {name}", hint=f"choose from {', '.join(_FEATURES)}"
            )
        try:
            number = _FEATURES[name].to_number(value)
            if not 0 <= number < float("inf"):
                raise ValueError(value)
        except (ValueError, KeyError, OverflowError) as error:
            raise InputError(
                f"{name}={value} is not a value of a video device",
                hint="use a number, four letters for PixelFormat as in MJPG, or Off or Continuous "
                "for ExposureAuto",
            ) from error
    if ("Width" in wanted) != ("Height" in wanted):
        raise InputError("Width or Height is set alone", hint="set both, or neither")
