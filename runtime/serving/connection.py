"""A viewer's connection, which is cut where it is too slow: nothing waits for it."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 10.0
"""Time within which a request has to be whole, in seconds."""

STALL_S = 10.0
"""Time for which a viewer may leave what was sent unread, in seconds."""


class BoundedConnection(H11Protocol):
    """Connection that is cut after `REQUEST_S` without a whole request, or `STALL_S` unread."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._asking: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether a request is whole by it."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Give a viewer that does not read some time."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with a viewer that reads again."""
        super().resume_writing()
        self._stalled = _end(self._stalled)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._asking = _end(self._asking)
        self._stalled = _end(self._stalled)

    def _watch(self) -> None:
        """Limit the time of a request that has begun to come, or of the first."""
        answering = self.cycle is not None and not self.cycle.response_complete
        idle = self.timeout_keep_alive_task is not None
        if (answering and not self.cycle.more_body) or idle or self.transport.is_closing():
            self._asking = _end(self._asking)
        elif self._asking is None:
            self._asking = self.loop.call_later(REQUEST_S, self.transport.abort)


def _end(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """End a timer; return what stands in its place, which is none."""
    if timer is not None:
        timer.cancel()
    return None
