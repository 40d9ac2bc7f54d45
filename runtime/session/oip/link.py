"""Way to a server that is kept up beside the frames: checked connections, pings, returns."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from random import Random

from runtime.errors import InputError
from runtime.progress import Say
from runtime.session.oip.connection import (
    Connection,
    ServerError,
    ServerGoneError,
    ServerRefusalError,
    ServerSilentError,
)

SPARE = 2
"""Connections that are kept: while one waits for a late answer, the next frame has the other."""

OPENING_S = 10.0
"""Longest wait for an answer while the server is checked, in seconds."""

PING_S = 1.0
"""Pause between two looks at a server that nobody asks anything, in seconds."""

PING_WAIT_S = 2.0
"""Longest wait for the answer to such a look, and for a new connection to a server that answers."""

FIRST_PAUSE_S, LONGEST_PAUSE_S, SPREAD = 0.1, 1.0, 0.25
"""Pauses between two tries at a lost server: they double, and spread by that share."""

CLOSING_S = 3.0
"""Time that the thread may take to end, in seconds."""

MOST_TOLD = 20
"""Outages that are told; a server that comes and goes for days must not fill the summary."""

Check = Callable[[Connection], None]
"""Function that asks a fresh connection whether the server is the right one; it raises a
`ServerError` or an `InputError`."""


class ServerLink:
    """Connections to one model of a server, and the thread that keeps them.

    A frame takes a connection that was checked. Where one breaks, all are given up, frames are
    told so at once, and the thread opens new ones and has the server checked as at the start.

    Args:
        name: of the server, for messages.
        make: gives a connection that is not yet open.
        check: the whole check, after a start and after a loss.
        look: a quick check of one more connection to the same server.
        report: is told, in one line, when the server is lost and when it is back.
        random: what spreads the pauses.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Connection],
        check: Check,
        look: Check,
        report: Say,
        random: Random | None = None,
    ) -> None:
        self._name = name
        self._make = make
        self._check = check
        self._look = look
        self._report = report
        self._random = random or Random()
        self._free: deque[Connection] = deque()
        self._lent = 0
        self._age = 0  # of the connections: those from before a loss are not taken back
        self._why = ""
        self._away_since: float | None = None
        self._told = 0
        self._closed = False
        self._wanted = False
        self._changed = threading.Condition()
        self._opening: Connection | None = None
        self._thread = threading.Thread(target=self._keep, name="server", daemon=True)

    def open(self) -> None:
        """Connect, check the server, and start the thread.

        Raises:
            ServerError: it does not answer.
            InputError: it is another one than the bundle needs.
        """
        self._free.append(self._connected(self._check, OPENING_S))
        self._thread.start()

    @property
    def away_s(self) -> float | None:
        """Seconds for which the server has been away; None while it is there."""
        since = self._away_since
        return None if since is None else time.monotonic() - since

    @property
    def why(self) -> str:
        """Reason for which the server is away."""
        return self._why

    def take(self, by_ns: int) -> tuple[Connection, int] | None:
        """Take a connection, waited for while others are opened; None where the server is away.

        Returns:
            The connection, and what `give_back` or `lose` wants to know of it.

        Raises:
            ServerSilentError: none was free in time.
        """
        with self._changed:
            while True:
                if self._closed or self._away_since is not None:
                    return None
                if self._free:
                    self._lent += 1
                    return self._free.pop(), self._age
                self._wake()
                left = (by_ns - time.monotonic_ns()) / 1e9
                if left <= 0 or not self._changed.wait(left):
                    raise ServerSilentError("no connection was free in time")

    def give_back(self, taken: tuple[Connection, int]) -> None:
        """Give a connection back; one that is spent is replaced."""
        connection, age = taken
        with self._changed:
            self._lent -= 1
            if age == self._age and not connection.spent and not self._closed:
                self._free.append(connection)
                self._changed.notify_all()
                return
            self._wake()
        connection.close()

    def lose(self, taken: tuple[Connection, int], why: str) -> None:
        """Give back a connection that broke, or whose model is another: the server is away."""
        connection, age = taken
        connection.close()
        with self._changed:
            self._lent -= 1
        if age == self._age:
            self._leave(why)

    def close(self) -> None:
        """End the thread and all connections."""
        with self._changed:
            self._closed = True
            connections = [*self._free, *([self._opening] if self._opening else [])]
            self._free.clear()
            self._changed.notify_all()
        for connection in connections:
            connection.close()
        if self._thread.is_alive():
            self._thread.join(CLOSING_S)

    def _wake(self) -> None:
        self._wanted = True
        self._changed.notify_all()

    def _keep(self) -> None:
        pause = 0.0
        while not self._closed:
            try:
                if self._away_since is not None:
                    pause = self._return(pause)
                elif len(self._free) + self._lent < SPARE:
                    self._add()
                else:
                    self._ping()
            except Exception as error:  # whatever it is, the thread must go on
                self._leave(f"{type(error).__name__}: {error}")
            away = self._away_since is not None
            if away:
                pause = min(2 * pause, LONGEST_PAUSE_S) or FIRST_PAUSE_S
                wait = pause * self._random.uniform(1 - SPREAD, 1 + SPREAD)
            else:
                pause, wait = 0.0, PING_S
            with self._changed:
                until = time.monotonic() + wait
                while not self._closed and (left := until - time.monotonic()) > 0:
                    if self._wanted and not away:
                        break
                    self._changed.wait(left)
                self._wanted = False

    def _return(self, pause: float) -> float:
        """Try to get the server back."""
        try:
            connection = self._connected(self._check)
        except ServerError as error:
            self._why = error.reason
            return pause
        except InputError as error:
            if self._why != error.problem:
                self._tell(f"{self._name} is not back: {error.problem}")
            self._why = error.problem
            return LONGEST_PAUSE_S
        with self._changed:
            since, self._away_since = self._away_since, None
            self._free.append(connection)
            self._changed.notify_all()
        self._tell(f"{self._name} is back after {time.monotonic() - (since or 0):.1f} s")
        return 0.0

    def _add(self) -> None:
        """Open one more connection to a server that is there."""
        age = self._age
        try:
            connection = self._connected(self._look)
        except (ServerError, InputError) as error:
            # A server that takes one connection at a time lets others wait, or sends them away.
            is_there = isinstance(error, ServerSilentError | ServerRefusalError)
            if not is_there or not (self._free or self._lent):
                self._leave(error.reason if isinstance(error, ServerError) else error.problem)
            return
        with self._changed:
            if age == self._age and not self._closed:
                self._free.append(connection)
                self._changed.notify_all()
                return
        connection.close()

    def _ping(self) -> None:
        """Look at the server over the connection that was not used for the longest.

        One always stays for a frame. So no server closes both for idleness, and one that is
        gone is known before the next frame comes.
        """
        with self._changed:
            if len(self._free) < SPARE:
                return
            self._lent += 1
            taken = self._free.popleft(), self._age
        try:
            taken[0].require_ready(time.monotonic_ns() + round(PING_WAIT_S * 1e9))
        except ServerError as error:
            self.lose(taken, error.reason)
            return
        self.give_back(taken)

    def _leave(self, why: str) -> None:
        with self._changed:
            if self._closed:
                return
            first = self._away_since is None
            self._away_since = self._away_since or time.monotonic()
            self._why = why
            self._age += 1
            given_up = list(self._free)
            self._free.clear()
            self._wake()
        for connection in given_up:
            connection.close()
        if first:
            self._tell(f"{self._name} was lost: {why}; trying again")

    def _tell(self, line: str) -> None:
        if self._closed or self._told >= MOST_TOLD:
            return
        self._told += 1
        more = "; further changes are not told" if self._told == MOST_TOLD else ""
        with suppress(Exception):  # a console that is gone
            self._report(f"{line}{more}")

    def _connected(self, check: Check, wait_s: float = PING_WAIT_S) -> Connection:
        """Open and check a connection.

        Args:
            wait_s: longest wait for the connection alone, which `close` cannot break off.

        Raises:
            ServerError: it cannot be opened, or does not answer.
            InputError: the server is not the right one.
        """
        connection = self._make()
        with self._changed:
            if self._closed:
                raise ServerGoneError("the session is closed")
            self._opening = connection
        try:
            connection.connect(time.monotonic_ns() + round(wait_s * 1e9))
            check(connection)
            if connection.spent:
                raise ServerRefusalError("it keeps no connection open")
        except BaseException:
            connection.close()
            raise
        finally:
            self._opening = None
        return connection
