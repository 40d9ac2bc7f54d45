"""The live page in the serving process: asks while somebody looks, and tells all who do."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from runtime.serving.app import PagePart, page_file
from runtime.serving.live.album import Album
from runtime.serving.live.state import Ask, Told
from runtime.serving.messages import LinkClosedError, receive, send

PERIOD_S = 0.25
"""Time between two questions while somebody looks, in seconds, for up to `CAMERAS_AT_ONCE`."""

CAMERAS_AT_ONCE = 3
"""Cameras from which on the questions become fewer: the images per second stay."""

MOST_VIEWERS = 16
"""Viewers at a time; a further one is turned away."""

IDLE_S = 0.2
"""Longest time until a first viewer's first question, in seconds."""


class LivePart(PagePart):
    """The live page.

    Args:
        link: to the process that judges.
        on_end: called, from the thread that asks, when that process has ended.
    """

    name: ClassVar[str] = "live"
    title: ClassVar[str] = "Live"

    def __init__(self, link: socket.socket, on_end: Callable[[], None]) -> None:
        self._link = link
        self._on_end = on_end
        self._album = Album()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._viewers: set[asyncio.Event] = set()
        self._looked_at = threading.Event()
        self._event = b""
        self._ended = False
        self._thread = threading.Thread(target=self._ask_on, name="live page", daemon=True)

    @property
    def viewers(self) -> int:
        """Return how many look."""
        return len(self._viewers)

    def start(self) -> None:
        """Begin to ask; called inside the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def routes(self, bar: str) -> Sequence[BaseRoute]:
        """Return the page, its events and its images."""
        page = page_file("live.html").replace("<!--bar-->", bar)

        async def show(request: Request) -> Response:
            return HTMLResponse(page)

        return [
            Route("/", show),
            Route("/events", self._events),
            Route("/{camera:int}/{kind}/{frame:int}.jpg", self._image),
        ]

    async def _events(self, request: Request) -> Response:
        if len(self._viewers) >= MOST_VIEWERS:
            return PlainTextResponse("too many viewers\n", 503, {"retry-after": "10"})
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        news = asyncio.Event()
        self._viewers.add(news)  # from now on, or as many as ask at once would all find room
        self._looked_at.set()
        return _Events(self._told(news), lambda: self._leave(news))

    def _leave(self, news: asyncio.Event) -> None:
        self._viewers.discard(news)
        if not self._viewers:
            self._looked_at.clear()

    async def _told(self, news: asyncio.Event) -> AsyncIterator[bytes]:
        """Yield the newest state, over and over: one that a slow viewer missed is left out."""
        yield b"retry: 2000\n\n"
        if self._event:
            yield self._event
        while not self._ended:
            await news.wait()
            news.clear()
            yield self._event
        yield b"event: end\ndata: {}\n\n"

    async def _image(self, request: Request) -> Response:
        camera, frame = request.path_params["camera"], request.path_params["frame"]
        kind = request.path_params["kind"]
        data: bytes | None = None
        if kind == "map":
            path = self._album.heat_map(camera, frame)
            data = None if path is None else await asyncio.to_thread(_bytes_of, Path(path))
        elif kind in ("image", "thumbnail"):
            found = self._album.image(camera, frame)
            data = None if found is None else getattr(found, kind)
        if not data:
            return PlainTextResponse("not here, or not any more\n", 404)
        return Response(data, media_type="image/jpeg")

    def _ask_on(self) -> None:
        """Ask and tell, until the other process has ended."""
        looking = False
        try:
            while True:
                if not self._looked_at.wait(IDLE_S):
                    self._require_link()
                    if looking:
                        looking = False
                        send(self._link, Ask(held={}, looking=False))
                    continue
                looking = True
                send(self._link, Ask(held=self._album.held))
                told, arrays = receive(self._link, Told)
                self._album.add(told, arrays)
                event = b"event: state\ndata: " + msgspec.json.encode(self._album.line) + b"\n\n"
                self._tell(event)
                pause = PERIOD_S * max(1.0, len(told.state.cameras) / CAMERAS_AT_ONCE)
                if select.select([self._link], [], [], pause)[0]:
                    self._require_link()
        except LinkClosedError:
            pass
        finally:
            self._tell(b"", ended=True)
            self._on_end()

    def _require_link(self) -> None:
        """Raise where the other process has ended: it says nothing unasked."""
        if select.select([self._link], [], [], 0)[0]:
            raise LinkClosedError("the other process has ended")

    def _tell(self, event: bytes, *, ended: bool = False) -> None:
        def tell() -> None:
            self._event = event or self._event
            self._ended = self._ended or ended
            for news in self._viewers:
                news.set()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell)


class _Events(StreamingResponse):
    """Server-sent events.

    Args:
        content: yields them.
        on_end: called when the viewer is gone, also one who was before the first event.
    """

    def __init__(self, content: AsyncIterator[bytes], on_end: Callable[[], None]) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
