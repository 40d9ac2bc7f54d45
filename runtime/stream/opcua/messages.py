"""Messages between the process that judges and the one that serves OPC UA."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TypeVar

import msgspec

from runtime.files.document import Part

HEAD = struct.Struct("!I")
MOST_BYTES = 1 << 22
"""Largest message, in bytes."""


class LinkLostError(Exception):
    """The other process is gone, or talks of something else."""


class ServerSetup(Part, frozen=True, kw_only=True, tag=True):
    """First message to the serving process.

    Args:
        host, port: where it listens.
        users: password by user; none may call methods where it is empty.
        anonymous: whether clients without a user may read.
        open: whether there is an endpoint without encryption.
        certificate, key: of the encrypted endpoint, DER; empty for none.
        application: URI of this server, as its certificate has it.
        nodeset: the Machine Vision node set; empty for none.
        run, bundle, digest, camera, lot: facts of the stream.
        host_name: of this machine, in the server's name.
        patience_s: time that a client waits for a recipe that it asked for; then an event tells.
        hurry: whether nothing is judged yet, so that it may take the processor to begin.
    """

    host: str
    port: int
    users: dict[str, str]
    anonymous: bool
    open: bool
    certificate: bytes
    key: bytes
    application: str
    nodeset: str
    run: str
    bundle: str
    digest: str
    camera: str
    lot: str
    host_name: str
    patience_s: float
    hurry: bool = True


class Result(Part, frozen=True, kw_only=True, tag=True):
    """A verdict.

    Args:
        line: the object that other machines get of it, as JSON.
        lost: verdicts that were lost on the way so far.
    """

    line: bytes
    lost: int


class Fault(Part, frozen=True, kw_only=True, tag=True):
    """Whether the line cannot work; the reason, empty where it can."""

    reason: str


class Recipes(Part, frozen=True, kw_only=True, tag=True):
    """Ids of the recipes that can be asked for; none where the stream has none."""

    ids: tuple[str, ...]


class RecipeAnswer(Part, frozen=True, kw_only=True, tag=True):
    """Outcome of a request for a recipe; `code` is one of edgecl's, empty where it judges now."""

    number: int
    code: str
    message: str


class End(Part, frozen=True, kw_only=True, tag=True):
    """The stream has ended."""


ToServer = ServerSetup | Result | Fault | Recipes | RecipeAnswer | End


class ServerBegun(Part, frozen=True, kw_only=True, tag=True):
    """Clients are served at `port`, or `problem` is why they are not, and `hint` what to do."""

    port: int = 0
    problem: str = ""
    hint: str = ""


class RecipeQuestion(Part, frozen=True, kw_only=True, tag=True):
    """A client wants the line to judge by another recipe."""

    number: int
    recipe: str


class Notice(Part, frozen=True, kw_only=True, tag=True):
    """Line of text that the user has to know."""

    text: str


ToLine = ServerBegun | RecipeQuestion | Notice

T = TypeVar("T")


def packed(message: Part) -> bytes:
    """Return a message as it is sent."""
    data = msgspec.msgpack.encode(message)
    return HEAD.pack(len(data)) + data


def unpacked(data: bytes, kind: type[T]) -> T:
    """Read a message.

    Raises:
        LinkLostError: it is none.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise LinkLostError(str(error)) from error


def length_of(head: bytes) -> int:
    """Return the length of the message behind a head.

    Raises:
        LinkLostError: it is too long.
    """
    (length,) = HEAD.unpack(head)
    if length > MOST_BYTES:
        raise LinkLostError("a message is too long")
    return int(length)


def receive(link: socket.socket) -> ToLine:
    """Wait for a message of the serving process.

    Raises:
        LinkLostError: it is gone.
        TimeoutError: the time that the link has was up.
    """
    try:
        message: ToLine = unpacked(_exactly(link, length_of(_exactly(link, HEAD.size))), ToLine)  # type: ignore[arg-type]
    except TimeoutError:
        raise
    except OSError as error:
        raise LinkLostError(str(error)) from error
    return message


async def receive_from(reader: asyncio.StreamReader) -> ToServer:
    """Wait for a message of the process that judges.

    Raises:
        LinkLostError: it is gone.
    """
    try:
        head = await reader.readexactly(HEAD.size)
        message: ToServer = unpacked(await reader.readexactly(length_of(head)), ToServer)  # type: ignore[arg-type]
    except (OSError, asyncio.IncompleteReadError) as error:
        raise LinkLostError(str(error)) from error
    return message


def _exactly(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = link.recv(count - len(data))
        if not part:
            raise LinkLostError("the other process has ended")
        data += part
    return data
