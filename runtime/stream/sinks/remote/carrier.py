"""The interface to a receiver: what carries verdicts there, and how that can fail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from runtime.errors import InputError
from runtime.stream.sinks.remote.spool import SpoolRecord


class Undelivered(Exception):  # noqa: N818 - an outcome, as its kinds are
    """Verdicts that the receiver has not; they are sent again.

    Args:
        problem: what went wrong, without the receiver's name.
        delivered: how many verdicts, from the first on, it has all the same.
    """

    def __init__(self, problem: str, *, delivered: int = 0) -> None:
        super().__init__(problem)
        self.delivered = delivered


class RefusedVerdict(Undelivered):
    """The receiver does not want the verdict behind those that were delivered."""


class Mistaken(Undelivered):
    """The receiver turns this client away: at the start, the user's mistake.

    Args:
        hint: what to do about it.
    """

    def __init__(self, problem: str, *, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


class Carrier(ABC):
    """Carries verdicts to one receiver, from one thread at a time.

    Attributes:
        name: of the sink, for messages; it holds no secret.
        at_once: verdicts that `send` takes.
    """

    name: str
    at_once: int = 20

    @abstractmethod
    def connect(self) -> None:
        """Have a connection; return at once where there is one.

        Raises:
            Undelivered: there is none.
        """

    @abstractmethod
    def send(self, records: Sequence[SpoolRecord]) -> None:
        """Deliver verdicts in order, and return once the receiver has all of them.

        Raises:
            Undelivered: it has not.
        """

    @abstractmethod
    def close(self) -> None:
        """Say goodbye, and give the connection back. Closing twice is fine."""

    def greet(self) -> str:
        """Connect for the first time.

        Returns:
            Why that failed for now; empty where it did not.

        Raises:
            InputError: the receiver turns this client away.
        """
        try:
            self.connect()
        except Mistaken as error:
            raise InputError(f"--sink {self.name}: {error}", hint=error.hint) from error
        except Undelivered as error:
            return str(error)
        return ""
