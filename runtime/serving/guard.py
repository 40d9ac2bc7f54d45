"""The guard before every page: who asks, for what, and in which form; and the headers of answers.

It stands before routing, so that a page that is added later cannot be without it.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.serving.access import Access

MOST_BODY = 4096
"""Largest body of a request, in bytes: there is nothing to upload."""

LOGIN = "/login"
OPEN_PATHS = frozenset({LOGIN, "/static/page.css", "/static/icon.svg"})
"""Paths that need no token."""

SAFE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With `no-referrer` browsers do not say that a form is of this server.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
"""Headers of every answer."""


class Guard:
    """Refuses requests before they reach a page, and gives every answer its headers.

    Args:
        app: answers what is let through.
        access: the rules.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refusal(scope, Headers(scope=scope)) or self._app
        await answer(scope, receive, send_safely)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that no page sees; None for one that may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.takes_host(hosts[0]):
            return _refused(421, "this server is not known by that name")
        method, path = scope["method"], scope["path"]
        if method not in ("GET", "HEAD", "POST"):
            return _refused(405, "only GET, HEAD and POST are answered")
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdigit() or int(length) > MOST_BODY:
            return _refused(413, f"a request has at most {MOST_BODY} bytes")
        if method == "POST" and not _is_from_here(headers, hosts[0]):
            return _refused(403, "another site sent this request")
        if headers.get("sec-fetch-site") == "cross-site" and not _is_a_link(headers):
            return _refused(403, "another site sent this request")
        if path in OPEN_PATHS or self._access.is_open or self._is_known(headers):
            return None
        if method == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse(LOGIN, 303)
        answer = _refused(401, "log in, or send the token: Authorization: Bearer TOKEN")
        answer.headers["www-authenticate"] = "Bearer"
        return answer

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._access.knows(token.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._access.cookie_name)
        except CookieError:
            return False
        return cookie is not None and self._access.takes_cookie(cookie.value)


def _is_from_here(headers: Headers, host: str) -> bool:
    """Whether a form was sent by a page of this server, or by no browser."""
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == host


def _is_a_link(headers: Headers) -> bool:
    """Whether somebody followed a link of another page to here, which is no attack."""
    fetched = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return fetched == ("navigate", "document")


def _refused(status: int, reason: str) -> Response:
    # What else comes on this connection is not looked at.
    return PlainTextResponse(f"{reason}\n", status, {"connection": "close"})
