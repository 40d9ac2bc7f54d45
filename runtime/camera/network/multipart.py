"""Parts of a multipart/x-mixed-replace stream, as cameras send Motion JPEG over HTTP.

The grammar is RFC 2046's; what cameras make of it is wider. The delimiter is the one that comes,
not the one that was announced; a part may have a length or not, and a wrong one; the line before a
delimiter may be missing. Memory is bounded whatever comes.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from runtime.camera.live.feed import FeedLost
from runtime.image.formats.jpeg import jpeg_end

LARGEST_PART = 64 << 20
LONGEST_HEAD = 64 << 10
PART_LIMIT_S = 5.0
"""Seconds from the head of a part to its last byte."""

_FIRST = re.compile(rb"(?:\A|\n)(--[^\r\n]*[^\r\n-][^\r\n]*)\r?\n")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n|\A\r?\n")
# A shorter delimiter may stand in an image by chance; the newline before it makes that unlikely.
_LONG_ENOUGH = 8


@dataclass(frozen=True)
class StreamPart:
    """One part.

    Args:
        data: its body, as much of it as came.
        content: its type, in lower case; empty where none was named.
        fault: why there is no body to decode; empty where there is.
    """

    data: bytes
    content: str = ""
    fault: str = ""


class PartReader:
    """Cuts a stream into its parts.

    Args:
        receive: waits for more bytes; empty at the end. May raise OSError, TimeoutError among
            them, or HTTPException.
        largest: bytes of a part at which the stream is given up.
        limit_s: seconds that a part may take, from its head on.
        clock: monotonic seconds.
        ready: tells whether `receive` would return at once.

    Attributes:
        overtaken: parts that were passed over.
    """

    def __init__(
        self,
        receive: Callable[[], bytes],
        *,
        largest: int = LARGEST_PART,
        limit_s: float = PART_LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
        ready: Callable[[], bool] = lambda: False,
    ) -> None:
        self.overtaken = 0
        self._ready = ready
        self._receive = receive
        self._largest = largest
        self._limit_s = limit_s
        self._clock = clock
        self._buffer = bytearray()
        self._delimiter = b""
        self._mark = b""
        self._due: float | None = None
        self._over: FeedLost | None = None
        self._broken: FeedLost | None = None

    def next(self) -> StreamPart:
        """Wait for the next part. One that breaks off is given as far as it came.

        Raises:
            FeedLost: the stream ended, broke, stalled, or is no such stream.
        """
        if self._over is not None:
            raise self._over
        self._due = None
        self._step_past_delimiter()
        self._due = self._clock() + self._limit_s
        content, data, fault = "", b"", ""
        try:
            head = self._head()
            content = head.get("content-type", "").partition(";")[0].strip().lower()
            data = self._body(_length(head))
        except _TooLarge as error:
            self._over = FeedLost(str(error))
            fault = str(error)
        except FeedLost as lost:
            # The part was due: what came of it is judged, and is a fault unless it is whole.
            self._over = lost
            data = bytes(self._buffer)
            fault = "" if data else f"the connection was lost before the image ({lost})"
        if self._over is not None:
            self._buffer.clear()
        return StreamPart(data, content, fault)

    def pass_over(self, most: int) -> None:
        """Go on with the newest part where more than `most` have come and wait.

        A reader that is too slow would see each image later than the one before, until the
        buffers between it and the camera are full.
        """
        try:
            while self._over is None and self._ready() and len(self._buffer) < self._largest:
                self._more()
        except FeedLost as lost:
            self._broken = lost  # what came before is still to be read
        waiting = self._buffer.count(self._mark) if self._mark else 0
        if waiting > most:
            del self._buffer[: self._buffer.rfind(self._mark)]
            self.overtaken += waiting - 1

    def _more(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._due is not None and self._clock() > self._due:
            raise FeedLost(f"an image took longer than {self._limit_s:g} s", stalled=True)
        try:
            block = self._receive()
        except TimeoutError:
            raise FeedLost("no data until its time-out", stalled=True) from None
        except OSError as error:
            raise FeedLost(f"the connection broke: {error.strerror or error}") from None
        except (http.client.HTTPException, ValueError):
            raise FeedLost("the connection broke") from None
        if not block:
            raise FeedLost("the server closed the connection")
        self._buffer += block

    def _step_past_delimiter(self) -> None:
        skipped = 0
        while True:
            if not self._delimiter and (first := _FIRST.search(self._buffer)):
                line = first[1].rstrip()
                self._delimiter = line
                self._mark = line if len(line) >= _LONG_ENOUGH else b"\n" + line
                del self._buffer[: first.end()]
                return
            start = self._buffer.find(self._delimiter) if self._delimiter else -1
            if start >= 0:
                end = self._buffer.find(b"\n", start)
                after = start + len(self._delimiter)
                if self._buffer[after : after + 2] == b"--":
                    raise FeedLost("the server ended the stream")
                if end >= 0:
                    del self._buffer[: end + 1]
                    return
            limit = self._largest if self._delimiter else LONGEST_HEAD
            skipped += self._forget_but(LONGEST_HEAD)
            if skipped + len(self._buffer) > limit:
                raise FeedLost("it sends no parts between delimiters")
            self._more()

    def _forget_but(self, size: int) -> int:
        excess = max(0, len(self._buffer) - size)
        del self._buffer[:excess]
        return excess

    def _head(self) -> dict[str, str]:
        while (end := _END_OF_HEAD.search(self._buffer)) is None:
            if len(self._buffer) > LONGEST_HEAD:
                raise _TooLarge("the head of a part has no end")
            self._more()
        lines = bytes(self._buffer[: end.start()]).decode("latin-1").splitlines()
        del self._buffer[: end.end()]
        pairs = (line.partition(":") for line in lines)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _body(self, length: int | None) -> bytes:
        if length is not None and length > self._largest:
            raise _TooLarge(f"a part announces {length:,} bytes")
        searched = 0
        while True:
            size = len(self._buffer)
            at = self._buffer.find(self._mark, max(0, searched - len(self._mark)))
            if at >= 0 and (length is None or at < length):  # shorter than it says, if it does
                return self._cut(at)
            if length is not None and size >= length:
                return self._cut(length)
            if length is None and (end := self._end_of_jpeg()):
                return self._cut(end)
            if size > self._largest:
                raise _TooLarge(f"a part has more than {self._largest / 2**20:.3g} MiB")
            searched = size
            self._more()

    def _end_of_jpeg(self) -> int | None:
        """Whether an image without a length has come to its own end: it need not wait then."""
        tail = bytes(self._buffer[-4:]).rstrip(b"\r\n")
        return jpeg_end(bytes(self._buffer)) if tail.endswith(b"\xff\xd9") else None

    def _cut(self, at: int) -> bytes:
        data = bytes(self._buffer[:at])
        del self._buffer[:at]
        return data


class _TooLarge(Exception):  # noqa: N818 - an outcome
    """StreamPart or head without a bound."""


def _length(head: dict[str, str]) -> int | None:
    text = head.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
