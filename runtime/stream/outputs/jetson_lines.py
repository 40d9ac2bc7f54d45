"""Lines of a Jetson's header, through NVIDIA's Jetson.GPIO.

Source: Jetson.GPIO 2.1, `gpio.py`. Lines are numbered as on the board.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.errors import InputError
from runtime.stream.outputs.lines import OutputLines


class JetsonLines(OutputLines):
    """Output lines of a Jetson's header. Not tried on a Jetson yet.

    Args:
        lines: whether each is active low, by the number of its pin.

    Raises:
        InputError: Jetson.GPIO is not installed, this is no Jetson, or a line cannot be had.
    """

    name = "gpio jetson"

    def __init__(self, lines: Mapping[str, bool]) -> None:
        for line in lines:
            if not line.isdecimal():
                raise InputError(
                    f"--sink gpio:jetson: {line!r} is not a pin",
                    hint="name the pin's number on the board, as in out=12",
                )
        self._gpio = load_jetson_gpio()
        self._active_low = dict(lines)
        try:
            self._gpio.setwarnings(False)
            self._gpio.setmode(self._gpio.BOARD)
            for line, active_low in lines.items():
                self._gpio.setup(int(line), self._gpio.OUT, initial=int(active_low))
        except Exception as error:  # it raises what its pins raise
            raise InputError(
                f"--sink gpio:jetson: the lines cannot be had ({error})",
                hint="check the numbers of the pins, and that no other program has them",
            ) from error

    def set(self, line: str, up: bool) -> None:
        """Set the line's level."""
        self._gpio.output(int(line), int(up != self._active_low[line]))

    def close(self) -> None:
        """Give the lines back."""
        self._gpio.cleanup([int(line) for line in self._active_low])


def load_jetson_gpio() -> Any:
    """Return the module Jetson.GPIO.

    Raises:
        InputError: it is not installed, or refuses this machine, which it does when imported.
    """
    try:
        import Jetson.GPIO
    except ImportError as error:
        raise InputError(
            f"--sink gpio:jetson needs Jetson.GPIO, which is not installed ({error})",
            hint="install it: pip install 'edgecl[jetson-gpio]'",
            code="package-missing",
        ) from error
    except Exception as error:
        raise InputError(
            f"--sink gpio:jetson: Jetson.GPIO refuses this machine ({str(error).splitlines()[0]})",
            hint="run it on a Jetson, as a user of the group gpio",
        ) from error
    return Jetson.GPIO
