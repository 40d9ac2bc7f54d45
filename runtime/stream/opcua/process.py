"""The process that serves OPC UA: fed by the one that judges, and ended with it.

No client reaches the line, nor does the load that it makes: the process steps back for every
other, and is the first that a machine without memory ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
from pathlib import Path

from asyncua import Server

from runtime.files.document import Part
from runtime.listening import listening_refused
from runtime.realtime import give_way
from runtime.stream.opcua.line import VisionLine
from runtime.stream.opcua.messages import (
    End,
    LinkLostError,
    Notice,
    ServerBegun,
    ServerSetup,
    packed,
    receive_from,
)
from runtime.stream.opcua.server import cut_off_who_does_not_read, make_server
from runtime.stream.opcua.service import LineService
from runtime.stream.opcua.space.definitions import load_definitions
from runtime.stream.opcua.space.events import Events
from runtime.stream.opcua.space.nodes import make_space
from runtime.stream.opcua.space.nodeset import NodesetError, nodeset_refused
from runtime.stream.opcua.space.publishing import Publisher

NICENESS = 15
MOST_FILES = 128
MOST_MEMORY = 2 << 30
"""Address space of the process, in bytes."""

FAREWELL_S = 0.5
"""Time that clients get for the last results, in seconds."""

TELL_EVERY_S = 60.0
"""Pause between two lines about refused logins, in seconds."""


def serve(link_number: int) -> None:
    """Serve until the process that judges ends the stream, or has ended itself.

    Args:
        link_number: file descriptor of the socket to it.
    """
    be_modest()
    logging.disable(logging.CRITICAL)  # standard error is the other process's
    with contextlib.suppress(LinkLostError):
        asyncio.run(_serve(socket.socket(fileno=link_number)))
    os._exit(0)  # nothing is left to do, and the stream's end waits for it


def be_modest() -> None:
    """Leave cores and memory to the line, and its scheduling class."""
    give_way()
    for limit, most in ((resource.RLIMIT_NOFILE, MOST_FILES), (resource.RLIMIT_AS, MOST_MEMORY)):
        _, hard = resource.getrlimit(limit)
        fits = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (fits, hard))
    others = set(range(os.cpu_count() or 1)) - os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        if others:  # the line keeps its own to itself
            os.sched_setaffinity(0, others)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


class _Link:
    """The way to the process that judges."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._refused = 0
        self._telling: asyncio.TimerHandle | None = None

    async def send(self, message: Part) -> None:
        self._writer.write(packed(message))
        with contextlib.suppress(OSError):
            await self._writer.drain()

    def refused(self, name: str) -> None:
        """Tell of a refused login at once, and of those that follow once a minute."""
        self._refused += 1
        if self._telling is None:
            self._tell_refused(name)

    def _tell_refused(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        if not self._refused:
            self._telling = None
            return
        times = "a login" if self._refused == 1 else f"{self._refused} logins"
        text = f"OPC UA: {times} refused, the last one as {name[:40]!r}"
        self._writer.write(packed(Notice(text=text)))
        self._refused = 0
        self._telling = loop.call_later(TELL_EVERY_S, self._tell_refused, name)


async def _serve(end: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=end)
    link = _Link(writer)
    setup = await receive_from(reader)
    if not isinstance(setup, ServerSetup):
        return
    if not setup.hurry:
        os.nice(NICENESS)
    try:
        server, service = await _made(setup, link)
        await server.start()
    except NodesetError as error:
        refused = nodeset_refused(setup.nodeset, error)
        await link.send(ServerBegun(problem=refused.problem, hint=refused.hint))
        return
    except OSError as error:
        refused = listening_refused("--sink opcua:", setup.host, setup.port, error)
        await link.send(ServerBegun(problem=refused.problem, hint=refused.hint))
        return
    looking = asyncio.create_task(cut_off_who_does_not_read(server))
    try:
        port = server.bserver.port if server.bserver is not None else setup.port
        await service.begin()
        if setup.hurry:
            os.nice(NICENESS)
        await link.send(ServerBegun(port=port))
        while not isinstance(message := await receive_from(reader), (End, ServerSetup)):
            await service.hear(message)
        if server.iserver.subscription_service.subscriptions:
            await asyncio.sleep(FAREWELL_S)
    finally:
        looking.cancel()
        with contextlib.suppress(Exception):  # clients that hang are cut off by the end
            await asyncio.wait_for(server.stop(), FAREWELL_S * 2)


async def _made(setup: ServerSetup, link: _Link) -> tuple[Server, LineService]:
    server = await make_server(setup, link.refused)
    definitions = await load_definitions(server, setup.nodeset)
    space = await make_space(server, definitions)
    events = Events(space)
    await events.prepare()
    line = VisionLine(setup.run, setup.bundle, setup.digest)
    publisher = Publisher(space, events, line)
    service = LineService(line, space, publisher, link.send, setup.patience_s)
    await service.offer()
    await publisher.facts(Run=setup.run, Camera=setup.camera, Lot=setup.lot)
    return server, service
