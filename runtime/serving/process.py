"""The process that serves pages: it is told where by the one that judges, and ends with it.

No fault of a browser, a viewer or a library here reaches the line, nor does their load: the
process takes time that nobody else wants, and is the first that a machine without memory ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import uvicorn

from runtime.errors import EdgeclError
from runtime.realtime import give_way
from runtime.serving.access import Access
from runtime.serving.app import PagePart, make_app
from runtime.serving.certificate import ServerCertificate
from runtime.serving.connection import BoundedConnection
from runtime.serving.live.part import LivePart
from runtime.serving.messages import LinkClosedError, Served, ServingSetup, receive, send

MOST_CONNECTIONS = 64
"""Connections at a time; a further one is answered with 503."""

MOST_FILES = 256
"""Open files, and so connections that have not said what they want."""

LARGEST_HEAD = 16 * 1024
"""Largest head of a request, in bytes."""

KEEP_ALIVE_S = 20
FAREWELL_S = 1
"""Time that viewers get at the end, in seconds."""

_NICENESS = 10


def serve(link_number: int, listening_number: int) -> None:
    """Serve until the process that judges has ended.

    Args:
        link_number: file descriptor of the socket to it.
        listening_number: file descriptor of the socket that browsers reach.
    """
    _step_back()
    logging.disable(logging.CRITICAL)  # standard error is the other process's
    link = socket.socket(fileno=link_number)
    listening = socket.socket(fileno=listening_number)
    with contextlib.suppress(LinkClosedError):
        setup, _ = receive(link, ServingSetup)
        try:
            server, part = server_of(setup, link)
        except EdgeclError as error:
            send(link, Served(problem=error.problem))
            return
        asyncio.run(serve_on(server, part, link, listening, begun=_take_idle_time))
    os._exit(0)  # there is nothing to put away, for which idle time might have to be waited for


def server_of(setup: ServingSetup, link: socket.socket) -> tuple[uvicorn.Server, LivePart]:
    """Return the server, and the part of it that is to be started with it.

    Raises:
        InputError: the certificate cannot be used.
    """
    part = LivePart(link, lambda: setattr(server, "should_exit", True))
    server = server_with([part], setup)
    return server, part


def server_with(parts: Sequence[PagePart], setup: ServingSetup) -> uvicorn.Server:
    """Return a server of these parts, bounded in what each request and viewer may take.

    Raises:
        InputError: the certificate cannot be used.
    """
    access = Access(
        setup.token, names=setup.names, local=setup.local, secure=bool(setup.certificate)
    )
    config = uvicorn.Config(
        make_app(parts, access),
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=FAREWELL_S,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )
    config.load()
    if setup.certificate:
        key = Path(setup.key) if setup.key else None
        config.ssl = ServerCertificate(Path(setup.certificate), key).context()
    return uvicorn.Server(config)


async def serve_on(
    server: uvicorn.Server,
    part: LivePart,
    link: socket.socket,
    listening: socket.socket,
    begun: Callable[[], None] = lambda: None,
) -> None:
    """Serve until the link is closed.

    Args:
        begun: called when pages are served.
    """

    async def begin() -> None:
        while not server.started and not server.should_exit:
            await asyncio.sleep(0.01)
        try:
            send(link, Served())
        except BaseException:  # whoever wanted the page has ended meanwhile
            server.should_exit = True
            raise
        begun()
        part.start()

    beginning = asyncio.ensure_future(begin())
    await server.serve(sockets=[listening])
    await beginning


def _step_back() -> None:
    """Leave processor and memory to the line."""
    give_way()
    cv2.setNumThreads(1)
    os.nice(_NICENESS)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(MOST_FILES, hard), hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _take_idle_time() -> None:
    """Give every other process the processor at once, from now on in this thread and its own.

    A niceness alone does not: since Linux 6.6 a process that runs may finish its slice, of
    milliseconds, though one of more weight wakes up. To begin this way could take for ever.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
