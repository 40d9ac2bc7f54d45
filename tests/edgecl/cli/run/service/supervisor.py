"""The end of a notify socket where systemd listens."""

from __future__ import annotations

import socket
from pathlib import Path


class Supervisor:
    """The other end of a notify socket."""

    def __init__(self, place: Path) -> None:
        self.name = str(place / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.name)
        self._socket.settimeout(300)

    def heard(self) -> list[str]:
        """All that was said since the last call."""
        said = []
        self._socket.setblocking(False)
        while True:
            try:
                said.append(self._socket.recv(10_000).decode())
            except BlockingIOError:
                self._socket.settimeout(300)
                return said

    def wait_for(self, words: str) -> str:
        """The first message from now on that begins so."""
        while not (message := self._socket.recv(10_000).decode()).startswith(words):
            pass
        return message

    def close(self) -> None:
        self._socket.close()
