"""Messages to other machines: verdicts, and whether the line is there."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from runtime.files.document import Document
from runtime.secrets import redact
from runtime.stream.sinks.base import StreamFacts
from runtime.stream.verdict import Verdict, VerdictLine

_FIELDS = tuple(field.name for field in msgspec.structs.fields(VerdictLine))


class VerdictMessage(VerdictLine, frozen=True, kw_only=True, omit_defaults=True):
    """A verdict as other machines get it: a line of `verdicts.jsonl`, and where it comes from.

    Args:
        id: RUN/FRAME, of several cameras RUN/CAMERA/FRAME; what comes twice has the same.
        run: id of the stream.
        bundle: name of the model that judged.
        camera: the camera's name.
    """

    WHAT: ClassVar[str] = "a delivered verdict"
    REMEDY: ClassVar[str] = "pass what a sink of 'edgecl run' delivered"
    UNNUMBERED: ClassVar[bool] = False

    id: str
    run: str
    bundle: str = ""


class LineStatus(Document, frozen=True, kw_only=True):
    """Whether a line delivers verdicts.

    Args:
        state: `online` from the connection on; `offline` after the end of the stream, or where
            the broker has lost it.
        run: id of the stream.
        bundle: name of the model that the stream began with.
        camera: the camera's name.
    """

    WHAT: ClassVar[str] = "the status of a line"
    REMEDY: ClassVar[str] = "pass what a sink of 'edgecl run' published"

    schema: Literal[1] = 1
    state: Literal["online", "offline"]
    run: str
    bundle: str = ""
    camera: str = ""


def verdict_id(verdict: Verdict, stream: StreamFacts) -> str:
    """Return what names a verdict for ever."""
    source = f"{verdict.camera}/" if verdict.camera else ""
    return f"{stream.run}/{writable(source)}{verdict.number}"


def verdict_message(verdict: Verdict, stream: StreamFacts) -> tuple[str, bytes]:
    """Return the id of a verdict, and it as JSON."""
    line, name = verdict.line(), verdict_id(verdict, stream)
    message = VerdictMessage(
        **{field: getattr(line, field) for field in _FIELDS if field != "camera"},
        id=name,
        run=stream.run,
        bundle=writable(verdict.bundle or stream.bundle),
        camera=writable(line.camera or redact(stream.camera)),
    )
    return name, msgspec.json.encode(message)


def status_message(state: Literal["online", "offline"], stream: StreamFacts) -> bytes:
    """Return a line's status as JSON."""
    status = LineStatus(
        state=state,
        run=stream.run,
        bundle=writable(stream.bundle),
        camera=writable(redact(stream.camera)),
    )
    return msgspec.json.encode(status)


def writable(text: str) -> str:
    """Text that UTF-8 can hold; names of files may be no such thing."""
    return text.encode("utf-8", "replace").decode()
