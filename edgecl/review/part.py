"""The review page: its files, images and answers, below `/review`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from edgecl.review.office import ReviewOffice
from edgecl.review.state import SentDecision
from edgecl.review.views import ImageViews
from runtime.errors import EdgeclError, InputError
from runtime.files.document import Part
from runtime.serving.app import KINDS, PagePart

FILES = Path(__file__).parent / "page"

AT_ONCE = 2
"""Images that are encoded at the same time."""

BODY_S = 5.0
"""Time within which a decision has to be whole, in seconds."""


class ExportTold(Part, frozen=True, kw_only=True):
    """Answer to the button that exports."""

    text: str


class ReviewPart(PagePart):
    """The review page.

    Args:
        office: takes the decisions.
        export: writes the data folder, and says in a line what was done.
    """

    name: ClassVar[str] = "review"
    title: ClassVar[str] = "Review"

    def __init__(self, office: ReviewOffice, export: Callable[[], str]) -> None:
        self._office = office
        self._export = export
        self._views = ImageViews()
        self._encoding = asyncio.Semaphore(AT_ONCE)
        self._exporting = asyncio.Lock()

    def routes(self, bar: str) -> Sequence[BaseRoute]:
        """Return the page, its files, its images, and where decisions go."""
        page = (FILES / "review.html").read_text(encoding="utf-8").replace("<!--bar-->", bar)
        held = {
            path.name: (path.read_bytes(), KINDS[path.suffix])
            for path in FILES.iterdir()
            if path.suffix in KINDS
        }

        async def show(request: Request) -> Response:
            return HTMLResponse(page)

        async def file(request: Request) -> Response:
            found = held.get(request.path_params["name"])
            if found is None:
                return PlainTextResponse("not found\n", 404)
            return Response(found[0], media_type=found[1])

        return [
            Route("/", show),
            Route("/files/{name}", file),
            Route("/state", self._state),
            Route("/news", self._news),
            Route("/latest", self._latest),
            Route("/near/{digest}", self._near),
            Route("/{kind}/{digest}.jpg", self._image),
            Route("/decide", self._decide, methods=["POST"]),
            Route("/export", self._write, methods=["POST"]),
        ]

    async def _state(self, request: Request) -> Response:
        return _json(await asyncio.to_thread(self._office.state))

    async def _news(self, request: Request) -> Response:
        asked = request.query_params
        since = asked.get("since", "0")
        if not (since.isascii() and since.isdigit() and len(since) < 12):
            return PlainTextResponse("since is not a version\n", 400)
        reviewer = asked.get("reviewer", "")[:64]
        return _json(self._office.news(int(since), reviewer, asked.get("at", "")))

    async def _latest(self, request: Request) -> Response:
        found = self._office.latest(request.query_params.get("reviewer", "")[:64])
        return Response(msgspec.json.encode({"image": found}), media_type="application/json")

    async def _near(self, request: Request) -> Response:
        digest = request.path_params["digest"]
        if self._office.image(digest) is None:
            return PlainTextResponse("not under review\n", 404)
        found = await asyncio.to_thread(self._office.near, digest)
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def _image(self, request: Request) -> Response:
        kind, digest = request.path_params["kind"], request.path_params["digest"]
        entry, known = self._office.image(digest), self._office.desk.labelled.get(digest)
        if kind not in ("image", "thumbnail", "whole") or (entry is None and known is None):
            return PlainTextResponse("not under review\n", 404)
        if entry is not None:
            record = entry.image.record
            path, colour = entry.image.path, entry.image.under_heat_map
            bits = None if record is None else record.bits
        else:
            assert known is not None
            path, colour, bits = known.path, False, None
        async with self._encoding:
            data = await asyncio.to_thread(self._views.view, path, kind, bits, in_colour=colour)
        if data is None:
            return PlainTextResponse("the image is gone, or damaged\n", 404)
        return Response(data, media_type="image/jpeg")

    async def _decide(self, request: Request) -> Response:
        try:
            body = await asyncio.wait_for(request.body(), BODY_S)
            sent = msgspec.json.decode(body, type=SentDecision)
        except (asyncio.TimeoutError, ClientDisconnect):
            return PlainTextResponse(
                "the decision did not come whole\n", 408, {"connection": "close"}
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return PlainTextResponse("this is no decision\n", 400)
        try:
            return _json(await asyncio.to_thread(self._office.decide, sent))
        except EdgeclError as error:
            return PlainTextResponse(f"{error.problem}\n", _status(error))

    async def _write(self, request: Request) -> Response:
        if self._exporting.locked():
            return PlainTextResponse("an export is running already\n", 409)
        async with self._exporting:
            try:
                text = await asyncio.to_thread(self._export)
            except EdgeclError as error:
                return PlainTextResponse(f"{error}\n", _status(error))
        return _json(ExportTold(text=text))


def _json(document: Part) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")


def _status(error: EdgeclError) -> int:
    return 422 if isinstance(error, InputError) else 507
