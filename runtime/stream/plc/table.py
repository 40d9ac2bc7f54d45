"""The handshake between threads: the server's, the acting sink's, and that of a recipe's change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from runtime.errors import InputError
from runtime.stream.plc.handshake import PartResult, PlcHandshake
from runtime.stream.plc.registers import RecipeCode

LOG = logging.getLogger("edgecl.plc")

ChangeRecipe = Callable[[int], None]
"""Changes to the recipe of a number; raises InputError where there is none, or it does not fit."""


class PlcTable:
    """Guards a handshake with a lock that is held for microseconds.

    Args:
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        handshake: PlcHandshake,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._handshake = handshake
        self._change_recipe: ChangeRecipe | None = None
        self._clock = clock
        self._lock = threading.Lock()

    def offer_recipes(self, change: ChangeRecipe) -> None:
        """Let the PLC change recipes.

        Args:
            change: is called from a thread of its own, one change at a time.
        """
        with self._lock:
            self._change_recipe = change
            self._handshake.recipes = True

    def read(self) -> list[int]:
        """Return what the PLC reads."""
        with self._lock:
            return self._handshake.registers(self._clock())

    def write(self, address: int, values: Sequence[int]) -> None:
        """Take what the PLC writes."""
        with self._lock:
            self._handshake.write(address, values, self._clock())
            wanted = self._handshake.take_recipe()
        if wanted is not None:
            threading.Thread(
                target=self._change, args=(wanted,), name="recipe", daemon=True
            ).start()

    def judged(self, result: PartResult) -> bool:
        """Take a verdict; see `PlcHandshake.judged`."""
        with self._lock:
            return self._handshake.judged(result)

    def tick(self) -> None:
        """Beat; see `PlcHandshake.tick`."""
        with self._lock:
            self._handshake.tick(self._clock())

    @property
    def stale(self) -> int:
        """Results that said `pass`, and were held for too long."""
        return self._handshake.stale

    @property
    def overrun(self) -> int:
        """Results that nobody acknowledged before they had to go."""
        return self._handshake.overrun

    def _change(self, number: int) -> None:
        assert self._change_recipe is not None
        code = RecipeCode.DONE
        try:
            self._change_recipe(number)
        except InputError as error:
            code = RecipeCode.REFUSED
            LOG.warning("recipe %d: %s", number, error)
        except Exception as error:  # the PLC gets an answer, whatever it was
            code = RecipeCode.FAILED
            LOG.warning("recipe %d: %s", number, error)
        with self._lock:
            self._handshake.recipe_changed(number, code)
