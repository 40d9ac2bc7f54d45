"""The novelty of a stream's frames: each one's distance, and the alarm for many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.health import HealthFault, HealthFinding
from runtime.novelty import DriftAlarm, Novelty
from runtime.session import ENGINES, Session
from runtime.stream.health import StreamHealth


class StreamNovelty:
    """Tells how far frames are from the training images. For the judge's thread alone.

    Args:
        novelty: of the bundle.
        session: that runs it; it may turn over to another form while the stream runs.
        health: takes the alarm; None for none.
    """

    def __init__(self, novelty: Novelty, session: Session, health: StreamHealth | None) -> None:
        self._novelty = novelty
        self._session = session
        self._health = health
        self._running = ("", "")
        self._form: str | None = None
        self._alarm = None
        if health is not None:
            self._alarm = DriftAlarm(novelty.images)
            health.watch(HealthFault.UNFAMILIAR)

    @classmethod
    def of(
        cls, novelty: Novelty | None, session: Session, health: StreamHealth | None
    ) -> StreamNovelty | None:
        """Return the same; None where the bundle does not tell."""
        return None if novelty is None else cls(novelty, session, health)

    def distance(self, embeddings: NDArray[np.float32]) -> float | None:
        """Return how far a frame is from the training images, 1 at the limit.

        Args:
            embeddings: float32, T×D, of its tiles, or of the one stretched frame.

        Returns:
            None where nothing is known of the form that the session runs.
        """
        form = self._form_now()
        if form is None:
            return None
        distance = self._novelty.relative_distance(embeddings, form)
        if self._alarm is not None and self._health is not None:
            words = self._alarm.look(distance > self._novelty.far[form])
            if words:
                self._health.begins(HealthFinding(HealthFault.UNFAMILIAR, words))
        return distance

    def _form_now(self) -> str | None:
        """Return the form that the session runs; None where nothing is known of it."""
        running = (self._session.precision, self._session.engine)
        if running != self._running:
            self._running = running
            precision, engine = running
            # An engine of the caller's own is none of those by name.
            target = ENGINES[engine].form if engine in ENGINES else "cpu"
            self._form = self._novelty.form(precision, target)
        return self._form
