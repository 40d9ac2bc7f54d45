"""Turns of those who wait for something scarce. Pure: nobody waits here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """A queue in which owners take turns, however many requests one of them has in it.

    The next request is of the owner who was served least recently; of those never served, of the
    one who came first. An owner's own requests stay in their order.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._served: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def join(self, owner: str, request: T) -> None:
        """Add a request."""
        self._waiting.setdefault(owner, deque()).append(request)

    def next(self, fits: Callable[[T], bool] = lambda _: True) -> T | None:
        """Take out the request whose turn it is; None where none waits, or that one does not fit.

        Args:
            fits: whether it may be taken. None behind it is taken in its place.
        """
        if not self._waiting:
            return None
        owner = min(self._waiting, key=lambda name: self._served.get(name, -1))
        requests = self._waiting[owner]
        if not fits(requests[0]):
            return None
        request = requests.popleft()
        if not requests:
            del self._waiting[owner]
        self.serve(owner)
        return request

    def serve(self, owner: str) -> None:
        """Note that an owner has been served, also one who did not have to wait."""
        self._served[owner] = self._count
        self._count += 1
