"""GenICam camera, whichever library reaches it."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.camera.base import CameraRequest
from runtime.camera.genicam.feed import (
    FIRED,
    INCOMPLETE,
    LOST_FRAMES,
    MISSED,
    SOFTWARE,
    TRIGGERS,
    UNASKED,
)
from runtime.camera.genicam.setup import Connect, Setup
from runtime.camera.genicam.tally import Tally
from runtime.camera.live.camera import LiveCamera
from runtime.camera.settings import joined
from runtime.errors import InputError
from runtime.secrets import redact

FRAME_RATE = "AcquisitionFrameRate"

_FOR_EVER_S = 1e7  # a trigger that never comes; that the camera is gone, the feed sees
_ANSWER_S = 10.0  # of a camera to commands, all its library's attempts together


class GenicamCamera(LiveCamera):
    """Camera behind Aravis or a GenTL producer.

    Args:
        request: what was asked for.
        connect: connects to the camera.
        wanted: settings behind its address, in this order; those of the request follow.

    Raises:
        InputError: it cannot be opened, or does not take a setting or the trigger.
    """

    takes_settings = True

    def __init__(self, request: CameraRequest, connect: Connect, wanted: Mapping[str, str]) -> None:
        self.trigger = _known_trigger(request)
        self.fps = request.fps
        free = self.trigger is None
        wanted = joined(wanted, request.settings, redact(request.source.text))
        if request.fps is not None and FRAME_RATE in wanted:
            raise InputError(
                f"--fps and {FRAME_RATE} both set the frame rate", hint="use only one of them"
            )
        if free and request.fps is not None:
            wanted = {**wanted, FRAME_RATE: f"{request.fps:g}"}
        own = (LOST_FRAMES, INCOMPLETE) if free else (FIRED, MISSED, INCOMPLETE)
        self._tally = Tally(*own, *((UNASKED,) if self.trigger == SOFTWARE else ()))
        self._setup = Setup(
            connect,
            wanted,
            trigger=self.trigger,
            fps=request.fps,
            tally=self._tally,
            report=request.report,
        )
        super().__init__(
            # Without its settings, which would make every message long.
            f"camera {redact(request.source.text.partition('?')[0])}",
            self._setup.open_feed,
            report=request.report,
            give_up_after=request.give_up_after,
        )
        silent = self.trigger not in (None, SOFTWARE)
        self._read_limit_s = _FOR_EVER_S if silent else self._setup.limit_s + _ANSWER_S
        self.name = f"{self.name} ({self._setup.description})"
        self.notes = tuple(self._setup.remarks)

    @property
    def settings(self) -> Mapping[str, str]:
        """Return the settings that the camera had when it was first opened."""
        return self._setup.settings

    @property
    def link(self) -> Mapping[str, str | int]:
        """Return facts of the connection."""
        return self._setup.link

    @property
    def statistics(self) -> Mapping[str, int]:
        """Return counts over all connections."""
        return self._tally.totals


def _known_trigger(request: CameraRequest) -> str | None:
    if request.trigger is not None and request.trigger not in TRIGGERS:
        raise InputError(
            f"unknown trigger {request.trigger!r}", hint=f"choose from {', '.join(TRIGGERS)}"
        )
    if request.fps is not None and request.trigger not in (None, SOFTWARE):
        raise InputError(
            f"a frame rate has no effect beside the trigger {request.trigger!r}",
            hint="leave out --fps: the trigger sets the rate",
        )
    return request.trigger
