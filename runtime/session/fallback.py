"""Session with a fallback: the second answers once the first is lost."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import SessionLostError
from runtime.progress import Say
from runtime.session.base import Outputs, Session


class FallbackSession(Session):
    """Session that uses `first` until it is lost, then `second`, for good.

    A frame that `first` merely cannot answer stays a fault: only a `SessionLostError` turns over,
    and the frame that found it is answered by `second`. Both are closed together.

    Args:
        first: for example on a GPU.
        second: of the same contract, open and warm: what is opened only when it is needed may not
            open then.
        report: given one line when it turns over.
    """

    def __init__(self, first: Session, second: Session, report: Say) -> None:
        if first.contract != second.contract:
            raise ValueError("both sessions must run the same model")
        self.contract = first.contract
        self.active = first
        self._first = first
        self._second = second
        self._report = report

    def __getattr__(self, name: str) -> Any:
        """Return engine, version, device and precision of the active session."""
        if name in ("engine", "version", "device", "precision"):
            return getattr(self.active, name)
        raise AttributeError(name)

    @property
    def batches(self) -> tuple[int, int]:
        """The smallest and the largest batch of the active session."""
        return self.active.batches

    @property
    def joins_cameras(self) -> bool:  # type: ignore[override]  # changes with the active session
        """Whether the active session runs frames of several cameras together."""
        return self.active.joins_cameras

    def prepare(self, tiles: int) -> None:
        """Set up both: the second must not begin to once it is needed."""
        self._second.prepare(tiles)
        self.active.prepare(tiles)

    def infer_timed(self, batch: NDArray[np.uint8]) -> tuple[Outputs, dict[str, int]]:
        """Run the active session, with its own steps."""
        try:
            return self.active.infer_timed(batch)
        except SessionLostError as error:
            self._turn_over(error)
        return self.active.infer_timed(batch)

    def warm_up(self, runs: int = 3, sizes: Collection[int] = ()) -> None:
        """Warm up both."""
        self._second.warm_up(runs, sizes)
        try:
            self._first.warm_up(runs, sizes)
        except SessionLostError as error:
            self._turn_over(error)

    def close(self) -> None:
        """Close both."""
        try:
            self._first.close()
        finally:
            self._second.close()

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        return self.infer_timed(batch)[0]

    def _turn_over(self, error: SessionLostError) -> None:
        if self.active is self._second:
            raise error
        self.active = self._second
        self._report(f"{error.problem}; continuing with {self._second.describe()}")
