"""Library that reaches a GenICam camera: what each of them must be able to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Delivery:
    """One buffer as it came.

    Args:
        data: bytes of the image, a copy; empty where there is no whole image.
        pixel_format: PFNC's name or number.
        height, width: of the image, in pixels.
        padding: bytes behind each line.
        frame_id: as the camera counts; None where it does not.
        problem: why there is no whole image; empty otherwise.
        device_ns: nanoseconds of the camera's own clock; None where it gives no time.
    """

    data: bytes | NDArray[np.uint8]
    pixel_format: str | int
    height: int
    width: int
    padding: int = 0
    frame_id: int | None = None
    problem: str = ""
    device_ns: int | None = None


class Device(ABC):
    """One connection to a camera that delivers. All but `counters` and `lost` is for one thread.

    Attributes:
        description: maker, model and serial number.
        link: facts of the connection, for whoever looks for its problems.
    """

    description: str = ""
    link: Mapping[str, str | int] = {}

    @property
    @abstractmethod
    def lost(self) -> bool:
        """Whether the library noticed that the camera is gone."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Return the settings that decide how frames look, as the camera has them now."""

    @abstractmethod
    def set(self, feature: str, value: str) -> str:
        """Set a feature, and return what the camera made of it.

        Raises:
            SettingError: there is no such feature, or it does not take the value.
        """

    @abstractmethod
    def set_trigger(self, trigger: str | None) -> None:
        """Let every frame wait for a trigger, `software` or `line`; None to let them come freely.

        Raises:
            SettingError: the camera has no such trigger.
        """

    @abstractmethod
    def start(self) -> None:
        """Begin to deliver.

        Raises:
            SettingError: the camera refuses.
        """

    @abstractmethod
    def fetch(self, timeout_s: float) -> Delivery | None:
        """Wait for the next buffer; None when none came in time."""

    @abstractmethod
    def fire(self) -> None:
        """Fire the software trigger.

        Raises:
            SettingError: the camera does not answer.
        """

    def period_s(self) -> float | None:
        """Return the seconds from frame to frame, where the camera tells."""
        return None

    def counters(self) -> dict[str, int]:
        """Return what the library counted since `start`, by name."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """Give the camera back."""


class SettingError(Exception):
    """Refusal of a setting or a command, in words."""
