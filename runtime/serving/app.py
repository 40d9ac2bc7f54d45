"""The application: parts, each mounted below its own name, behind one guard and one login."""

from __future__ import annotations

import asyncio
import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from runtime.serving.access import SESSION_S, Access
from runtime.serving.guard import LOGIN, Guard

FILES = Path(__file__).parent / "page"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_LOGOUT = '<form method="post" action="/logout"><button type="submit">Log out</button></form>'
_CURRENT = ' aria-current="page"'

LOGIN_S = 5.0
"""Time within which the form has to be whole, in seconds."""

WRONG_S = 1.0
"""Time that the answer to a wrong token takes, in seconds."""

MOST_WRONG = 8
"""Wrong tokens that may wait for their answer; more are turned away."""


class PagePart(ABC):
    """Part of the pages, mounted at `/NAME/`.

    Attributes:
        name: in the address.
        title: in the bar at the top, where there are several.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def routes(self, bar: str) -> Sequence[BaseRoute]:
        """Return what is answered below `/NAME`.

        Args:
            bar: HTML of the links to all parts, and of the button that logs out, which a page
                puts in place of its `<!--bar-->`.
        """


def make_app(parts: Sequence[PagePart], access: Access) -> ASGIApp:
    """Return the application.

    Args:
        parts: at least one; `/` leads to the first.
        access: the rules of access.
    """

    async def home(request: Request) -> Response:
        return RedirectResponse(f"/{parts[0].name}/", 303)

    routes: list[BaseRoute] = [Route("/", home), *_static(), *LoginForm(access).routes()]
    for part in parts:
        mounted = part.routes(_bar(parts, part) + ("" if access.is_open else _LOGOUT))
        routes.append(Mount(f"/{part.name}", routes=list(mounted), name=part.name))
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 500: _failed})
    app.router.redirect_slashes = False
    return Guard(app, access)


def page_file(name: str) -> str:
    """Return the text of a file of this package's `page/`."""
    return (FILES / name).read_text(encoding="utf-8")


def _bar(parts: Sequence[PagePart], shown: PagePart) -> str:
    if len(parts) == 1:
        return ""
    links = (
        f'<a href="/{part.name}/"{_CURRENT if part is shown else ""}>{html.escape(part.title)}</a>'
        for part in parts
    )
    return f'<nav aria-label="Pages">{"".join(links)}</nav>'


def _static() -> list[BaseRoute]:
    """The files of the package: read once, so that no request names a path on the disk."""
    held = {
        path.name: (path.read_bytes(), KINDS[path.suffix])
        for path in FILES.iterdir()
        if path.suffix in KINDS
    }

    async def static(request: Request) -> Response:
        found = held.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("not found\n", 404)
        return Response(found[0], media_type=found[1])

    return [Route("/static/{name}", static)]


class LoginForm:
    """The form that asks for the token, and what it sends.

    A wrong token is answered late, whoever sends it; only so many of them wait at a time.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._page = page_file("login.html")
        self._wrong = 0

    def routes(self) -> list[BaseRoute]:
        """Return the form's routes."""
        return [
            Route(LOGIN, self.show, methods=["GET"]),
            Route(LOGIN, self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show the form; without a token there is none."""
        if self._access.is_open:
            return RedirectResponse("/", 303)
        return self._form("")

    async def log_in(self, request: Request) -> Response:
        """Give a browser that knows the token its cookie."""
        try:
            body = await asyncio.wait_for(request.body(), LOGIN_S)
        except (asyncio.TimeoutError, ClientDisconnect):
            return PlainTextResponse("the form did not come whole\n", 408, {"connection": "close"})
        if self._access.knows(_token_of(body)):
            answer: Response = RedirectResponse("/", 303)
            answer.set_cookie(
                self._access.cookie_name,
                self._access.new_cookie(),
                max_age=SESSION_S,
                secure=self._access.secure,
                httponly=True,
                samesite="strict",
            )
            return answer
        if self._wrong >= MOST_WRONG:
            return PlainTextResponse("too many wrong tokens; wait a moment\n", 429)
        self._wrong += 1
        try:
            await asyncio.sleep(WRONG_S)
        finally:
            self._wrong -= 1
        return self._form("That is not the token.", 401)

    async def log_out(self, request: Request) -> Response:
        """Take a browser's cookie away."""
        answer = RedirectResponse(LOGIN, 303)
        answer.delete_cookie(
            self._access.cookie_name,
            secure=self._access.secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    def _form(self, problem: str, status: int = 200) -> Response:
        told = f'<p role="alert" class="problem">{problem}</p>' if problem else ""
        return HTMLResponse(self._page.replace("<!--problem-->", told), status)


def _token_of(body: bytes) -> str:
    """Return the token that a form sends; empty where it sends something else."""
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
    except ValueError:
        return ""
    return fields.get("token", [""])[0].strip()


async def _not_found(request: Request, error: Exception) -> Response:
    return PlainTextResponse("not found\n", 404)


async def _failed(request: Request, error: Exception) -> Response:
    return PlainTextResponse("this failed on the server\n", 500)
