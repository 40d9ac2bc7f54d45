"""The interface to output lines, and lines of a file."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from runtime.errors import InputError


class OutputLines(ABC):
    """Lines that can be set, by name; they are down when this is made.

    Attributes:
        name: for messages.
    """

    name: str

    @abstractmethod
    def set(self, line: str, up: bool) -> None:
        """Set a line.

        Raises:
            OSError: the driver refused.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the lines back, as they are. Closing twice is fine."""


class FileLines(OutputLines):
    """Appends a line of text for every change: monotonic nanoseconds, the line's name, 0 or 1.

    The level is what a wire would carry: 0 for a line that is up and active low. Each change is
    one write, so that a reader sees whole lines alone.

    Args:
        path: is made, or appended to.
        lines: whether each is active low.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, path: Path, lines: Mapping[str, bool]) -> None:
        self.name = f"gpio {path.name}"
        self._lines = dict(lines)
        self._open = True
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A pipe without a reader is refused, where opening it would wait for one.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
            self._file = os.open(path, flags, 0o666)
        except OSError as error:
            raise InputError(
                f"--sink gpio: {path} cannot be written: {error.strerror}",
                hint="name a file in a folder that can be written",
            ) from error
        for line in self._lines:
            self.set(line, False)

    def set(self, line: str, up: bool) -> None:
        """Append the change."""
        level = up != self._lines[line]
        text = f"{time.monotonic_ns()} {line} {int(level)}\n".encode()
        written = os.write(self._file, text)
        if written < len(text):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(28, os.strerror(28))

    def close(self) -> None:
        """Close the file."""
        if self._open:
            self._open = False
            os.close(self._file)
