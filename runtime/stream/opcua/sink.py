"""The sink `opcua:`: it starts the process that serves, and feeds it."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import subprocess
import threading
import time
from random import Random

import msgspec

from runtime.camera.live.backoff import pauses
from runtime.errors import InputError
from runtime.files.document import Part
from runtime.progress import Say
from runtime.realtime import give_way, start_beside
from runtime.secrets import redact
from runtime.stream.opcua.messages import (
    End,
    Fault,
    LinkLostError,
    Notice,
    RecipeAnswer,
    RecipeQuestion,
    Recipes,
    Result,
    ServerBegun,
    ServerSetup,
    packed,
    receive,
)
from runtime.stream.sinks.base import LineControls, Sink, StreamFacts
from runtime.stream.sinks.isolated import IsolatedSink
from runtime.stream.sinks.remote.messages import verdict_message
from runtime.stream.verdict import Verdict

LOG = logging.getLogger("edgecl.sinks")

WAITING = 1000
"""Verdicts that may wait for the serving process; then the oldest is lost."""

START_S = 300.0
"""Time that the serving process gets to begin, in seconds: a busy box imports slowly."""

SEND_S = 5.0
"""Time that it may take for one message, in seconds; then it hangs."""

CLOSE_S = 3.0
"""Time that it gets to end, in seconds."""

PATIENCE_S = 0.5
"""Time that a client waits for a recipe, in seconds: meanwhile its connection stands still, and
some clients give one up after a second."""

LONGEST_PAUSE_S = 30.0
"""Longest pause before a process that ended is started again, in seconds."""

_LOOK_S = 0.25


class OpcuaSink(Sink):
    """Shows verdicts to clients of OPC UA, from a process of its own.

    Args:
        setup: of that process, with the port that it was given.
        facts: of the stream.
        report: is told when the process ends by itself.

    Attributes:
        port: where clients are served.

    Raises:
        InputError: they cannot be served as they should.
    """

    name = "opcua"

    def __init__(self, setup: ServerSetup, facts: StreamFacts, report: Say) -> None:
        self.isolating: IsolatedSink | None = None  # counts what does not come here
        self._setup = setup
        self._facts = facts
        self._report = report
        self._controls = LineControls()
        self._sending = threading.Lock()
        self._closing = threading.Event()
        self._fault = ""
        self._link: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        served = self._launch()
        if served.problem:
            self._end()
            raise InputError(served.problem, hint=served.hint)
        self.port = served.port
        self._thread = threading.Thread(target=self._run, name="opcua", daemon=True)
        self._thread.start()

    def attach(self, controls: LineControls) -> None:
        """Learn what clients may ask of the line."""
        self._controls = controls
        with contextlib.suppress(OSError):
            self._send(Recipes(ids=tuple(controls.recipes)))

    def emit(self, verdict: Verdict) -> None:
        """Hand a verdict to the serving process.

        Raises:
            OSError: it is not there.
        """
        _, line = verdict_message(verdict, self._facts)
        lost = self.isolating.lost if self.isolating is not None else 0
        self._send(Result(line=line, lost=lost))

    def close(self) -> None:
        """Let clients go, and end the process. Closing twice is fine."""
        if self._closing.is_set():
            return
        self._closing.set()
        with contextlib.suppress(OSError):
            self._send(End())
        self._thread.join(_LOOK_S * 4)
        self._end()

    def _send(self, message: Part) -> None:
        with self._sending:
            link = self._link
            if link is None:
                raise ConnectionError("the server's process is not there")
            try:
                link.sendall(packed(message))
            except OSError:
                # A part of it may be out: what follows would be misread.
                link.close()
                self._link = None
                raise

    def _launch(self) -> ServerBegun:
        """Start the process; return what it says."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = start_beside("runtime.stream.opcua.process", theirs.fileno())
        try:
            ours.settimeout(START_S)
            ours.sendall(packed(self._setup))
            # Should it be started again, frames are judged meanwhile.
            self._setup = msgspec.structs.replace(self._setup, hurry=False)
            served = receive(ours)
        except TimeoutError:
            ours.close()
            return ServerBegun(
                problem=f"--sink opcua: the server's process did not begin within {START_S:.0f} s",
                hint="end other programs, or run without this sink",
            )
        except (OSError, LinkLostError) as error:
            ours.close()
            return ServerBegun(
                problem=f"--sink opcua: the server's process ended ({error})",
                hint="check the installation of asyncua: pip install 'edgecl[opcua]'",
            )
        except BaseException:  # Ctrl-C: by itself it would find out when it has begun
            ours.close()
            self._process.kill()
            self._process.wait()
            raise
        ours.settimeout(SEND_S)
        if isinstance(served, ServerBegun) and not served.problem:
            with self._sending:
                self._link = ours
            return served
        ours.close()
        return (
            served
            if isinstance(served, ServerBegun)
            else ServerBegun(problem="--sink opcua: no answer")
        )

    def _run(self) -> None:
        give_way()
        waits = pauses(Random(), longest=LONGEST_PAUSE_S)
        while not self._closing.is_set():
            began = time.monotonic()
            self._converse()
            if self._closing.is_set():
                return
            self._end()
            self._report("OPC UA: the server's process has ended; it is started again")
            if time.monotonic() - began > START_S:
                waits = pauses(Random(), longest=LONGEST_PAUSE_S)
            while not self._closing.wait(next(waits)):
                with contextlib.suppress(OSError):
                    if not self._launch().problem:
                        self.attach(self._controls)
                        break
                self._end()

    def _converse(self) -> None:
        """Look after the process until it has ended."""
        self._fault = ""
        while not self._closing.is_set():
            link = self._link
            if link is None:
                return
            try:
                if select.select([link], [], [], _LOOK_S)[0]:
                    self._hear(receive(link))
                self._look()
            except (OSError, ValueError, LinkLostError):  # ValueError: it was closed meanwhile
                return

    def _look(self) -> None:
        """Tell whether the line can work."""
        fault = redact(self._controls.fault())
        if fault != self._fault:
            self._fault = fault
            self._send(Fault(reason=fault))

    def _hear(self, message: object) -> None:
        if isinstance(message, Notice):
            self._report(message.text)
        elif isinstance(message, RecipeQuestion):
            threading.Thread(
                target=self._change, args=(message,), name="opcua recipe", daemon=True
            ).start()

    def _change(self, question: RecipeQuestion) -> None:
        """Have the line judge by a recipe, which may take a while, and answer."""
        give_way()
        code, told = "recipe-unknown", "the stream has no recipes"
        if self._controls.change_recipe is not None:
            try:
                outcome = self._controls.change_recipe(question.recipe)
                code, told = ("", "") if outcome.ok else (outcome.code, outcome.message)
            except Exception as error:  # whatever an engine raises, the client gets an answer
                LOG.warning("opcua: recipe %s: %s", question.recipe, error)
                code, told = "recipe-refused", str(error)
        with contextlib.suppress(OSError):
            self._send(RecipeAnswer(number=question.number, code=code or "", message=told))

    def _end(self) -> None:
        """End the process: it leaves by itself when nobody is at the other end."""
        process = self._process
        if process is not None and self._closing.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CLOSE_S)  # for the last results
        with self._sending:
            if self._link is not None:
                self._link.close()
                self._link = None
        if process is not None:
            try:
                process.wait(CLOSE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
