"""Lines of a chip of the Linux kernel, through libgpiod 2.

Source: the package gpiod 2, `chip.py` and `line_request.py`. Debian 12's python3-libgpiod is
version 1, another API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.errors import InputError
from runtime.stream.outputs.lines import OutputLines
from runtime.stream.outputs.ticks import TickSource

CONSUMER = "edgecl"
_EVENTS = 1024


def load_gpiod() -> Any:
    """Return the module gpiod.

    Raises:
        InputError: it is not installed, or older than version 2.
    """
    try:
        import gpiod

        gpiod.request_lines  # noqa: B018 - absent before 2.0
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"--sink gpio:gpiod needs gpiod 2, which is not installed ({error})",
            hint="install it: pip install 'edgecl[gpio]'",
            code="package-missing",
        ) from error
    return gpiod


class GpiodLines(OutputLines):
    """Output lines of a chip.

    The kernel keeps a line's level when its owner dies, so only a line that changes shows that
    somebody is alive.

    Args:
        chip: its device, such as `/dev/gpiochip0`.
        lines: whether each is active low, by number or name.

    Raises:
        InputError: gpiod is not installed, or the chip or a line cannot be had.
    """

    def __init__(self, chip: str, lines: Mapping[str, bool]) -> None:
        gpiod = load_gpiod()
        self.name = f"gpio {chip}"
        self._value = gpiod.line.Value
        settings = {
            line_of(line): gpiod.LineSettings(
                direction=gpiod.line.Direction.OUTPUT,
                active_low=active_low,
                output_value=gpiod.line.Value.INACTIVE,
            )
            for line, active_low in lines.items()
        }
        self._request: Any = _request(gpiod, chip, settings)

    def set(self, line: str, up: bool) -> None:
        """Set the line's logical value."""
        value = self._value.ACTIVE if up else self._value.INACTIVE
        self._request.set_value(line_of(line), value)

    def close(self) -> None:
        """Release the lines."""
        self._request.release()


class LineTicks(TickSource):
    """Rising edges of an input line, with the kernel's own times.

    Args:
        chip: its device.
        line: number or name.

    Raises:
        InputError: as for `GpiodLines`.
    """

    def __init__(self, chip: str, line: str) -> None:
        super().__init__()
        gpiod = load_gpiod()
        settings = {
            line_of(line): gpiod.LineSettings(
                direction=gpiod.line.Direction.INPUT, edge_detection=gpiod.line.Edge.RISING
            )
        }
        self._request: Any = _request(gpiod, chip, settings, event_buffer_size=_EVENTS)
        self._seen = False

    def look(self, now_ns: int) -> bool:
        """Take the edges since the last look; the kernel numbers those that did not wait, too."""
        if not self._seen:
            self._seen = True
            self.history.add(now_ns, 0)
        while self._request.wait_edge_events(0):
            for event in self._request.read_edge_events(_EVENTS):
                self.history.add(event.timestamp_ns, event.line_seqno)
        return True

    def close(self) -> None:
        """Release the line."""
        self._request.release()


def line_of(text: str) -> int | str:
    """Return a line as gpiod wants it: a number, or a name."""
    return int(text) if text.isdecimal() else text


def _request(gpiod: Any, chip: str, settings: Mapping[int | str, Any], **more: Any) -> Any:
    try:
        return gpiod.request_lines(chip, consumer=CONSUMER, config=dict(settings), **more)
    except (OSError, ValueError) as error:
        lines = ", ".join(map(str, settings))
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"--sink gpio: line {lines} of {chip} cannot be had: {reason}",
            hint="check both with gpioinfo, and that this user may write the device",
        ) from error
