"""Messages to systemd and its journal: a few lines on the socket that systemd names.

Source: sd_notify(3) and sd-daemon(3). Nothing here raises, and nothing waits for longer than
`PATIENCE_S`: a stream is not held up by whoever supervises it.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Mapping

PATIENCE_S = 0.2
"""Longest wait for the socket's reader, in seconds."""

ERROR, WARNING, INFO = 3, 4, 6
"""Priorities of syslog."""

_WARNS = re.compile(
    r"note:|warning:|.*(; opening it again|is still away|LOST|FAILED|was damaged|broken off"
    r"|cannot be written|waits? for it)"
)


class Notifier:
    """Tells systemd how the service is; without NOTIFY_SOCKET it does nothing.

    Args:
        environment: with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period = environment.get("WATCHDOG_USEC", "") if mine and self._address else ""
        self.watchdog_s = int(period) / 1e6 if re.fullmatch(r"[1-9]\d{0,15}", period) else None
        self._status = ""

    @property
    def is_there(self) -> bool:
        """Whether something supervises this process."""
        return bool(self._address)

    def ready(self) -> None:
        """Say that the service is up, or that it has its new configuration."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` ends it."""
        # CLOCK_MONOTONIC by name: with it a message that was delayed is told from a newer one.
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """Say that the service ends by itself."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Keep the watchdog from firing for another period."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Ask for more time to start or to stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def status(self, text: str) -> None:
        """Say in one line how things stand, where that has changed."""
        text = " ".join(text.split())
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # an abstract socket has a zero there
            address = "\0" + address[1:]
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, kind) as own:
            own.settimeout(PATIENCE_S)
            own.connect(address)
            own.sendall(message.encode("utf-8", "replace"))


def is_journal(descriptor: int, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a file descriptor leads to systemd's journal, as JOURNAL_STREAM says."""
    environment = os.environ if environment is None else environment
    try:
        state = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{state.st_dev}:{state.st_ino}"


class PriorityPrefix:
    """Puts `<N>`, the priority, before each line of a text that comes in pieces."""

    def __init__(self) -> None:
        self._begins = True

    def apply(self, text: str) -> str:
        """Return the next piece of the text with its prefixes."""
        pieces = []
        for line in text.splitlines(keepends=True):
            prefixed = self._begins and line.strip() and not re.match(r"<[0-7]>", line)
            pieces.append(f"<{priority_of(line)}>{line}" if prefixed else line)
            self._begins = line.endswith("\n")
        return "".join(pieces)


def priority_of(line: str) -> int:
    """Return the priority of one of edgecl's lines: what ended it, what to look at, or the rest."""
    if line.startswith("edgecl: ") and not line.startswith("edgecl: interrupted"):
        return ERROR
    return WARNING if _WARNS.match(line) else INFO
