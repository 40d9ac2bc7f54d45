"""Connecting to a GenICam camera: its settings first, and the same ones after every loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runtime.camera.genicam.device import Device, SettingError
from runtime.camera.genicam.feed import EXTERNAL, GenicamFeed
from runtime.camera.genicam.tally import Tally
from runtime.camera.live.feed import CannotOpen, StreamFault
from runtime.camera.settings import automatic_notes, changed_note, rounded_notes, same
from runtime.progress import Say

FRAME_LIMIT_S = 2.0
"""Seconds without a frame after which a camera that runs freely is lost. Aravis says so later."""

PERIODS = 3
"""Periods of a slow camera that may pass without a frame."""

_CHECK = "check the settings behind the '?' and of --set, and --trigger"

Connect = Callable[[], Device]
"""Connects to a camera. Raises CannotOpen."""


class Setup:
    """Opens feeds of one camera, one after the other, all with the same settings.

    The first one is given what the user wants; what the camera then has is what all others get,
    since cameras forget their settings when they lose power.

    Args:
        connect: connects to the camera.
        wanted: settings that it is to have, in this order.
        trigger: see `CameraRequest`; without one the camera runs freely.
        fps: triggers per second of a software trigger.
        tally: where frames are counted.
        report: is told of settings that differ after a loss.

    Attributes:
        settings: what the camera had when it was first opened.
        link: facts of the latest connection.
        description: of the camera.
        remarks: what a user has to know of the settings.
        limit_s: seconds without a frame after which the camera is lost.
    """

    def __init__(
        self,
        connect: Connect,
        wanted: Mapping[str, str],
        *,
        trigger: str | None,
        fps: float | None,
        tally: Tally,
        report: Say,
    ) -> None:
        self._connect = connect
        self._wanted = wanted
        self._trigger = trigger
        self._fps = fps
        self._tally = tally
        self._report = report
        self._opened = False
        self.settings: Mapping[str, str] = {}
        self.link: Mapping[str, str | int] = {}
        self.description = ""
        self.remarks: list[str] = []
        self.limit_s = FRAME_LIMIT_S

    def open_feed(self) -> GenicamFeed:
        """Connect, set, and begin to deliver.

        Raises:
            CannotOpen: there is no such camera, or it refuses a setting.
        """
        device = self._connect()
        try:
            if self._opened:
                self._set_again(device)
            else:
                self._set_first(device)
            if self._trigger != EXTERNAL:
                device.set_trigger(self._trigger)
            device.start()
        except SettingError as error:
            device.close()
            raise CannotOpen(StreamFault(str(error), _CHECK)) from error
        except BaseException:
            device.close()
            raise
        self._opened = True
        self.link, self.description = device.link, device.description
        self.limit_s = max(FRAME_LIMIT_S, PERIODS * (device.period_s() or 0.0))
        return GenicamFeed(
            device, self._tally, limit_s=self.limit_s, trigger=self._trigger, fps=self._fps
        )

    def _set_first(self, device: Device) -> None:
        got = {feature: device.set(feature, value) for feature, value in self._wanted.items()}
        self.settings = device.settings()
        self.remarks += [*rounded_notes(self._wanted, got), *automatic_notes(self.settings)]

    def _set_again(self, device: Device) -> None:
        """Give the camera its settings back, and say where it does not take them."""
        refused: dict[str, str] = {}
        has = device.settings()
        for feature, value in self.settings.items():
            if has.get(feature) == value:
                continue
            try:
                device.set(feature, value)
            except SettingError as error:
                refused[feature] = str(error)
        has = device.settings()
        for feature, value in self.settings.items():
            if not same(has.get(feature, ""), value):
                got = has.get(feature, "missing")
                self._report(changed_note(feature, value, got, refused.get(feature, "")))
