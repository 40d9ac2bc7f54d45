"""Pages beside a stream, from the side of the process that judges: it starts and feeds another."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from runtime.camera.live.backoff import pauses
from runtime.errors import EquipmentError, InputError
from runtime.progress import Say
from runtime.realtime import give_way, start_beside
from runtime.serving.live.state import Ask, Told
from runtime.serving.messages import LinkClosedError, Served, ServingSetup, receive, send

LOG = logging.getLogger("edgecl.serving")

START_S = 120.0
"""Time that the serving process gets to begin, in seconds: a busy box imports slowly."""

CLOSE_S = 5.0
"""Time that it gets to end, in seconds: a moment, unless other programs leave it no time."""

FINAL_S = 3.0
"""Time that the end waits for a last question where somebody looks, in seconds: a quarter of a
second, likewise."""

LONGEST_PAUSE_S = 30.0
"""Longest pause before a process that ended is started again, in seconds."""

_PACKAGES = ("starlette", "uvicorn")

AnswerAsk = Callable[[Ask], tuple[Told, Sequence[NDArray[np.generic]]]]
"""Answers a question of the serving process."""


def require_packages() -> None:
    """Require what serving needs; nothing of it is imported here.

    Raises:
        InputError: a package is not installed.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"--serve needs {' and '.join(missing)}, which is not installed",
            hint="install it: pip install 'edgecl[serve]'",
            code="package-missing",
        )


class PageServer:
    """Serves pages from a process of its own, which is started again should it end.

    While nobody looks, its thread waits for a question, and the stream is not touched.

    The process begins at once, and pages are there from `start` on.

    Args:
        setup: of the serving process.
        listening: the socket that browsers reach; closed at the end.
        report: is told when the process ends by itself.
    """

    def __init__(self, setup: ServingSetup, listening: socket.socket, report: Say) -> None:
        self._setup = setup
        self._listening = listening
        self._answer: AnswerAsk | None = None
        self._report = report
        self._closing = threading.Event()
        self._ending = threading.Event()
        self._told_the_end = threading.Event()
        self._looked_at = False
        self._exchange = threading.Lock()  # of the link, against `close`
        self._link: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)
        self._launch()

    def start(self, answer: AnswerAsk) -> None:
        """Serve.

        Args:
            answer: called from the server's thread.

        Raises:
            EquipmentError: the process does not begin.
        """
        self._answer = answer
        problem = self._greet()
        if problem:
            raise EquipmentError(
                f"the page could not be served: {problem}",
                hint="run without --serve, or check the installation with 'edgecl doctor'",
            )
        self._thread.start()

    def close(self) -> None:
        """Let viewers go, and end the process. Closing twice is fine."""
        self._told_the_end.clear()
        self._ending.set()
        if self._looked_at and not self._closing.is_set():
            self._told_the_end.wait(FINAL_S)
        self._closing.set()
        until = time.monotonic() + CLOSE_S
        self._hang_up()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)
        self._end(until)
        self._listening.close()

    def _launch(self) -> None:
        """Start the process."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = start_beside(
                "runtime.serving.process", theirs.fileno(), self._listening.fileno()
            )
        with self._exchange:
            self._link = ours

    def _greet(self) -> str:
        """Tell the process what to do; return why it does not serve, or nothing."""
        link = self._link
        assert link is not None
        try:
            link.settimeout(START_S)
            send(link, self._setup)
            served, _ = receive(link, Served)
            link.settimeout(None)
        except LinkClosedError as error:
            return f"its process has ended ({error})"
        return served.problem

    def _run(self) -> None:
        give_way()
        waits = pauses(Random(), longest=LONGEST_PAUSE_S)
        while not self._closing.is_set():
            began = time.monotonic()
            self._converse()
            if self._closing.is_set():
                return
            self._end()
            if time.monotonic() - began > START_S:
                waits = pauses(Random(), longest=LONGEST_PAUSE_S)
            self._report("the page's process has ended; it is started again")
            while not self._closing.wait(next(waits)):
                with contextlib.suppress(OSError):
                    self._launch()
                    if not self._greet():
                        break
                self._end()

    def _converse(self) -> None:
        """AnswerAsk until the process has ended."""
        link, answer = self._link, self._answer
        assert link is not None
        assert answer is not None
        try:
            while True:
                asked, _ = receive(link, Ask)
                final = self._ending.is_set()
                self._looked_at = asked.looking
                if asked.looking:
                    told, arrays = answer(asked)
                    send(link, told, arrays)
                if final or not asked.looking:
                    self._told_the_end.set()
        except LinkClosedError:
            return
        except Exception as error:  # the line goes on without a page
            LOG.warning("the page: %s: %s", type(error).__name__, error)
        finally:
            self._looked_at = False
            self._told_the_end.set()

    def _hang_up(self) -> None:
        with self._exchange:
            if self._link is not None:
                with contextlib.suppress(OSError):
                    self._link.shutdown(socket.SHUT_RDWR)

    def _end(self, until: float | None = None) -> None:
        """End the process: it leaves by itself when nobody is at the other end.

        Args:
            until: monotonic seconds to wait for that; None for `CLOSE_S` from now on.
        """
        self._hang_up()
        process = self._process
        if process is not None:
            try:
                process.wait(CLOSE_S if until is None else max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with self._exchange:
            if self._link is not None:
                self._link.close()
                self._link = None
