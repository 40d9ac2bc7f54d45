"""Messages between the process that judges and the one that serves pages.

A message is a document in MessagePack; arrays follow as they lie in memory, so that none is copied.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.files.document import Part

_HEAD = struct.Struct("!IH")
MOST_BYTES = 1 << 24
"""Largest document, and largest array, in bytes."""


class ServingSetup(Part, frozen=True, kw_only=True):
    """First message to the serving process.

    Args:
        token: empty for none.
        names: hosts that requests may name.
        local: whether only this machine is served.
        certificate, key: PEM files of TLS; empty for none.
    """

    token: str
    names: tuple[str, ...]
    local: bool
    certificate: str = ""
    key: str = ""


class Served(Part, frozen=True, kw_only=True):
    """Answer to the setup: pages are served, or why they are not."""

    problem: str = ""


class LinkClosedError(Exception):
    """The other process is gone, or has ended the conversation."""


M = TypeVar("M", bound=Part)


def send(link: socket.socket, message: Part, arrays: Sequence[NDArray[np.generic]] = ()) -> None:
    """Send a message.

    Args:
        arrays: C-contiguous.

    Raises:
        LinkClosedError: nobody is there.
    """
    data = msgspec.msgpack.encode((message, [array.nbytes for array in arrays]))
    try:
        link.sendall(_HEAD.pack(len(data), len(arrays)) + data)
        for array in arrays:
            link.sendall(array.reshape(-1).view(np.uint8).data)
    except OSError as error:
        raise LinkClosedError(str(error)) from error


def receive(link: socket.socket, kind: type[M]) -> tuple[M, list[bytearray]]:
    """Wait for a message.

    Returns:
        It, and the bytes of its arrays.

    Raises:
        LinkClosedError: the other side is gone, or talks of something else.
    """
    try:
        length, count = _HEAD.unpack(_exactly(link, _HEAD.size))
        if length > MOST_BYTES:
            raise LinkClosedError("a message is too long")
        message, sizes = msgspec.msgpack.decode(
            _exactly(link, length),
            type=tuple[kind, list[int]],  # type: ignore[valid-type]
        )
        if len(sizes) != count or any(not 0 <= size <= MOST_BYTES for size in sizes):
            raise LinkClosedError("a message is malformed")
        return message, [_exactly(link, size) for size in sizes]
    except (OSError, msgspec.MsgspecError) as error:
        raise LinkClosedError(str(error)) from error


def _exactly(link: socket.socket, count: int) -> bytearray:
    data = bytearray(count)
    view, done = memoryview(data), 0
    while done < count:
        received = link.recv_into(view[done:])
        if not received:
            raise LinkClosedError("the other process has ended")
        done += received
    return data
