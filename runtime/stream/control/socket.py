"""Control socket of a running stream: a Unix domain socket in its folder, its owner's alone.

A command is a JSON object on one line, and so is the answer; then the connection is closed. The
folder is held by the stream's process, so a socket that lies there belongs to nobody who lives.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.errors import EdgeclError, InputError
from runtime.files.document import Document, plain
from runtime.realtime import give_way

LOG = logging.getLogger("edgecl.control")

NAME = "control.sock"
LONGEST = 64 * 1024
"""Bytes of a command at most."""

MOST_AT_ONCE = 8
"""Commands that are worked on at a time; others wait."""

PATIENCE_S = 5.0
"""Longest wait for a command on an open connection, in seconds."""

Handler = Callable[[Mapping[str, Any]], Document]
"""Answers a command; raises EdgeclError where it cannot."""


class ControlServer:
    """Answers commands, each in a thread of its own, until it is closed.

    Args:
        folder: of the stream, which the process holds.
        handlers: by the command's name.

    Raises:
        OSError: the folder takes no socket.
        InputError: something else has its name.
    """

    def __init__(self, folder: Path, handlers: Mapping[str, Handler]) -> None:
        self.path = folder / NAME
        self._handlers = dict(handlers)
        self._working = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._closed = threading.Event()
        self._socket = _bound(folder)
        self._socket.listen(MOST_AT_ONCE)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more commands, and remove the socket. What is worked on gets no answer."""
        if self._closed.is_set():
            return
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                if self._closed.wait(0.1):  # as without a free file descriptor
                    return
                continue
            self._working.acquire()
            name = "control command"
            threading.Thread(target=self._hear, args=(connection,), name=name, daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        give_way()
        try:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(PATIENCE_S)
                line = _line_of(connection)
                if line is not None:
                    answer = json.dumps(self._answer(line), ensure_ascii=True)
                    connection.settimeout(PATIENCE_S)
                    connection.sendall(f"{answer}\n".encode())
        finally:
            self._working.release()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"answer": plain(self._handled(line))}
        except EdgeclError as error:
            return {"error": error.to_json()}
        except Exception as error:  # whatever a command is, the stream goes on
            LOG.exception("control")
            problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            refusal = InputError(problem, hint="read the log of the stream")
            return {"error": refusal.to_json()}

    def _handled(self, line: bytes) -> Document:
        try:
            command = json.loads(line)
        except (ValueError, RecursionError):
            command = None
        if not isinstance(command, dict) or not isinstance(command.get("command"), str):
            raise InputError(
                "the command is no JSON object on one line",
                hint='send {"command": "recipes"} and a line feed',
            )
        handler = self._handlers.get(command["command"])
        if handler is None:
            raise InputError(
                f"there is no command {command['command'][:40]!r}",
                hint=f"the commands are {', '.join(self._handlers)}",
            )
        return handler(command)


def ask(folder: Path, command: str, **arguments: Any) -> dict[str, Any]:
    """Give a running stream a command, and wait for its answer, however long that takes.

    Args:
        folder: of the stream.
        command: its name.
        arguments: of the command, as JSON has them.

    Raises:
        InputError: no stream runs there.
        EdgeclError: the stream's refusal.
    """
    line = json.dumps({"command": command, **arguments})
    try:
        with _connected(folder) as connection:
            connection.sendall(f"{line}\n".encode())
            answered = _line_of(connection, longest=None)
    except OSError as error:
        raise InputError(
            f"no stream listens in {folder} ({error.strerror or error})",
            hint="pass the folder of a stream that runs now, with --stream",
        ) from error
    if answered is None:
        raise InputError(
            f"the stream in {folder} ended before it answered",
            hint="look at its summary",
            code="stream-ended",
        )
    value = json.loads(answered)
    if "error" in value:
        raise EdgeclError.from_json(value["error"])
    answer: dict[str, Any] = value["answer"]
    return answer


def is_listening(folder: Path) -> bool:
    """Whether a stream runs in a folder, and not just the socket of one is left there."""
    try:
        with _connected(folder):
            return True
    except OSError:
        return False


def _line_of(connection: socket.socket, longest: int | None = LONGEST) -> bytes | None:
    """Return what comes before the first line feed; None where nothing did, or too much."""
    heard = b""
    while b"\n" not in heard:
        part = connection.recv(65536)
        if not part or (longest is not None and len(heard) + len(part) > longest):
            return None
        heard += part
    return heard.split(b"\n", 1)[0]


def _bound(folder: Path) -> socket.socket:
    path = folder / NAME
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise InputError(f"{path} is no socket", hint="remove it, or choose another --out")
        path.unlink()  # of a process that was killed
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Before it has a name: nobody else can connect in between. On Linux the mode stays.
        os.fchmod(bound.fileno(), 0o600)
        with _short(folder) as name:
            bound.bind(name)
        path.chmod(0o600)
    except BaseException:
        bound.close()
        raise
    return bound


@contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _short(folder) as name:
        connection.connect(name)
        yield connection


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """Yield a name for the socket: an address has 107 bytes at most, and folders have more."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)
