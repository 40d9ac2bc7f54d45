"""A live camera that is opened again whenever it is lost."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from random import Random

import numpy as np

from runtime.camera.base import Camera, Frame
from runtime.camera.live.backoff import pauses
from runtime.camera.live.feed import CannotOpen, FeedEnded, FeedLost, OpenFeed, StreamFault
from runtime.camera.live.reader import Arrival, Reader
from runtime.errors import EquipmentError, InputError
from runtime.progress import Say
from runtime.secrets import redact

READ_LIMIT_S = 6.0
"""Seconds that a read may take. Drivers with a time-out of their own have 5 s, and know more."""

OPEN_LIMIT_S = 20.0
"""Seconds that opening may take: FFmpeg may have to open an address up to three times."""

MOST_ABANDONED = 3
"""Threads with a read that never returned that may be left behind at a time."""

_LEAVE_S = 0.5  # for a thread that is to close its connection
_MOST_REASONS = 5  # of one outage, that are told


class LiveCamera(Camera):
    """A live camera. When its frames stop, it is opened again until it is back.

    Args:
        name: for messages.
        open_feed: opens a connection to it.
        report: is told, in one line, when the camera is lost and when it is back.
        give_up_after: seconds after which a lost camera ends the stream; None for never.
        why: finds out why it cannot be opened, where `open_feed` does not say.
        may_end: a web server names no length and may be serving a file; one that begins anew with
            its first frame has come to its end.

    Attributes:
        losses, stalls, overtaken, seconds_lost: see `Camera`.

    Raises:
        InputError: it cannot be opened.
    """

    reconnects = True

    def __init__(
        self,
        name: str,
        open_feed: OpenFeed,
        *,
        report: Say = lambda text: None,
        give_up_after: float | None = None,
        why: Callable[[], StreamFault] | None = None,
        may_end: bool = False,
        read_limit_s: float = READ_LIMIT_S,
    ) -> None:
        self.name = name
        self._open_feed = open_feed
        self._say = report
        self._give_up_after = give_up_after
        self._may_end = may_end
        self._read_limit_s = read_limit_s
        self._closed = threading.Event()
        self._exchange = threading.Lock()  # of the reader, against `close` from another thread
        self._hanging: list[Reader] = []
        self._number = 0
        self._heard = time.monotonic()
        self._seconds_lost = 0.0
        self._away = False
        self._counted = 0  # of the present connection's overtaken frames
        self._first: bytes | None = None
        self._reader = Reader(open_feed)
        try:
            self.live = self._reader.opened(OPEN_LIMIT_S).live
        except CannotOpen as refusal:
            fault = refusal.fault or (why() if why else _UNKNOWN)
        except FeedLost as lost:
            self._reader.leave(0.0)
            fault = StreamFault(str(lost), _UNKNOWN.hint)
        else:
            self._heard = time.monotonic()
            return
        raise InputError(f"{name}: {fault.problem}", hint=fault.hint, code=fault.code)

    @property
    def seconds_lost(self) -> float:
        """Return the seconds without frames in all outages, the present one included."""
        now = time.monotonic() - self._heard if self._away else 0.0
        return self._seconds_lost + now

    @property
    def away(self) -> bool:
        """Whether it is lost now, and opened again."""
        return self._away

    def read(self) -> Frame | None:
        """The next frame: gray from Motion JPEG, else BGR or gray as the driver has it.

        Its budget starts when the driver has it, before decoding.

        Raises:
            InputError: a stored source broke off.
            EquipmentError: the camera was lost and did not come back in time.
        """
        if self._closed.is_set():
            return None
        try:
            try:
                frame = self._frame(self._reader.take(self._read_limit_s))
            except FeedLost as lost:
                if not self.live:
                    raise InputError(
                        f"{self.name} broke off {self._after()} ({lost})",
                        hint="check its files and elements",
                    ) from None
                back = self._recover(lost)
                if back is None:
                    return None
                frame = self._frame(back)
                if self._has_come_round(frame):
                    return None
        except FeedEnded:
            return None
        if frame.number == 0:
            self._first = self._digest(frame)
        return frame

    def close(self) -> None:
        """End the stream, and give the device back once no read is going on."""
        with self._exchange:
            self._closed.set()
            reader = self._reader
        reader.end_wait()
        reader.leave(1.0)

    def _report(self, text: str) -> None:
        self._say(redact(text))

    def _frame(self, arrival: Arrival) -> Frame:
        number = self._number
        self._number += 1
        self._heard = time.monotonic()
        if arrival.overtaken > self._counted:
            if not self.overtaken:
                self._report(f"{self.name} sends frames faster than they are taken; some are lost")
            self.overtaken += arrival.overtaken - self._counted
        self._counted = arrival.overtaken
        fault = arrival.fault and f"{self.name}, frame {number}: {arrival.fault}"
        return Frame(
            number,
            arrival.pixels,
            arrival.start_ns,
            arrival.ready_ns,
            fault=fault,
            bits=arrival.bits,
            device_ns=arrival.device_ns,
            missed=arrival.missed,
            delay_ns=arrival.delay_ns,
        )

    def _recover(self, lost: FeedLost) -> Arrival | None:
        """Open the camera again until it has a frame; None when it was closed meanwhile."""
        lost_at = time.monotonic()
        self._away = True
        if lost.stalled:
            self.stalls += 1
        else:
            self.losses += 1
        what = "stalled" if lost.stalled else "stopped"
        self._report(f"{self.name} {what} {self._after()} ({lost}); opening it again")
        told = {str(lost)}
        # Random, not drawn from the seed: several processes must not keep in step.
        for pause in pauses(Random()):
            left = self._seconds_left(lost_at)
            if self._closed.wait(min(pause, left)):
                return None
            if self._seconds_left(lost_at) <= 0:
                raise self._given_up()
            try:
                arrival = self._reopen(lost_at)
            except (CannotOpen, FeedLost) as error:
                self._tell(error, told)
                continue
            if arrival is None:
                return None
            away = time.monotonic() - self._heard
            self._seconds_lost += away
            self._away = False
            outages = self.losses + self.stalls
            count = f" (outage {outages}, {self._seconds_lost:.1f} s in all)" * (outages > 1)
            self._report(f"{self.name} is back after {away:.1f} s without frames{count}")
            return arrival
        return None

    def _reopen(self, lost_at: float) -> Arrival | None:
        """One try: the first frame of a new connection; None when the camera was closed."""
        if not self._reader.leave(_LEAVE_S) and self._reader not in self._hanging:
            self._hanging.append(self._reader)
        self._hanging = [reader for reader in self._hanging if reader.hangs]
        if len(self._hanging) >= MOST_ABANDONED:
            raise FeedLost(
                f"{len(self._hanging)} reads of its driver never returned; waiting for one of them"
            )
        with self._exchange:
            if self._closed.is_set():
                return None
            self._reader = Reader(self._open_feed)
        self._reader.opened(min(OPEN_LIMIT_S, self._seconds_left(lost_at)))
        return self._reader.take(min(self._read_limit_s, self._seconds_left(lost_at)))

    def _tell(self, error: CannotOpen | FeedLost, told: set[str]) -> None:
        """Say why a camera stays away, each reason once."""
        if isinstance(error, CannotOpen) and error.fault is None:
            return
        reason = str(error)
        if reason not in told and len(told) < _MOST_REASONS:
            told.add(reason)
            self._report(f"{self.name} is still away: {reason}")

    def _seconds_left(self, lost_at: float) -> float:
        if self._give_up_after is None:
            return float(threading.TIMEOUT_MAX)
        return max(0.0, lost_at + self._give_up_after - time.monotonic())

    def _given_up(self) -> EquipmentError:
        return EquipmentError(
            f"{self.name} stopped {self._after()} and did not recover within "
            f"{self._give_up_after:g} s",
            hint="check its cable and power and whether another program uses it, then start again",
            code="camera-lost",
        )

    def _after(self) -> str:
        return f"after frame {self._number - 1}" if self._number else "before its first frame"

    def _has_come_round(self, frame: Frame) -> bool:
        """Whether what began anew is a file: a live camera shows no frame twice, noise and all."""
        if self._first is None or frame.pixels is None or self._digest(frame) != self._first:
            return False
        self._number -= 1
        self._report(f"{self.name} restarted from its first frame: it is a file, and it has ended")
        return True

    def _digest(self, frame: Frame) -> bytes | None:
        pixels = frame.pixels
        if not self._may_end or pixels is None or pixels.min() == pixels.max():
            return None
        return hashlib.blake2b(np.ascontiguousarray(pixels).tobytes()).digest()


_UNKNOWN = StreamFault(
    "it cannot be opened", "check its cable and power and whether another program uses it"
)
