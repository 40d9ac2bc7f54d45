"""Sessions of one model that several threads share: cameras take turns at them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.session.base import Outputs, Session
from runtime.stream.budget import TURN
from runtime.stream.sharing.turns import Turns


class SessionPool:
    """Sessions of one model, each lent to one thread at a time.

    A session that comes back goes to the camera that was served least recently: one that sends
    many frames keeps no other waiting for longer than one inference per camera.

    Args:
        sessions: open and warm, all alike; they stay the caller's to close.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        if not sessions:
            raise ValueError("a pool needs a session")
        self.sessions = tuple(sessions)
        self._free = list(reversed(self.sessions))  # the first one is lent first
        self._turns: Turns[_Request] = Turns()
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        self._tiles = 0

    def for_camera(self, name: str) -> Session:
        """Return a session for a camera: one of the pool's for each batch, in its turn.

        It may be used from several threads at once.
        """
        return _SharedSession(self, name)

    @contextmanager
    def lent(self, camera: str) -> Iterator[Session]:
        """Lend a session for the block, as soon as one is free and it is the camera's turn."""
        session = self._take(camera)
        try:
            yield session
        finally:
            self._give_back(session)

    def prepare(self, camera: str, tiles: int) -> None:
        """Set all sessions up for frames of so many tiles, each while nobody else has it."""
        with self._preparing:
            if tiles == self._tiles or self.sessions[0].contract.input.tiling is None:
                return
            taken: list[Session] = []
            try:
                for _ in self.sessions:
                    taken.append(self._take(camera))
                for session in taken:
                    session.prepare(tiles)
                self._tiles = tiles
            finally:
                for session in taken:
                    self._give_back(session)

    def _take(self, camera: str) -> Session:
        with self._lock:
            if self._free:
                self._turns.serve(camera)
                return self._free.pop()
            request = _Request()
            self._turns.join(camera, request)
        return request.wait()

    def _give_back(self, session: Session) -> None:
        with self._lock:
            request = self._turns.next()
            if request is None:
                self._free.append(session)
            else:
                request.grant(session)


class _Request:
    """One thread's wait for a session."""

    __slots__ = ("_granted", "_session")

    def __init__(self) -> None:
        self._session: Session | None = None
        self._granted = threading.Lock()
        self._granted.acquire()

    def grant(self, session: Session) -> None:
        self._session = session
        self._granted.release()

    def wait(self) -> Session:
        self._granted.acquire()
        assert self._session is not None
        return self._session


class _SharedSession(Session):
    """The pool as one camera sees it. Closing it closes nothing."""

    def __init__(self, pool: SessionPool, camera: str) -> None:
        self._pool = pool
        self._camera = camera
        self.contract = pool.sessions[0].contract
        self._view = pool.sessions[0]._view  # each camera may be given another

    def __getattr__(self, name: str) -> Any:
        """Return what the sessions have in common."""
        if name in ("engine", "version", "device", "precision"):
            return getattr(self._pool.sessions[0], name)
        raise AttributeError(name)

    @property
    def batches(self) -> tuple[int, int]:
        """The smallest and the largest batch that any of the sessions takes."""
        sizes = [session.batches for session in self._pool.sessions]
        return max(least for least, _ in sizes), min(most for _, most in sizes)

    def prepare(self, tiles: int) -> None:
        self._pool.prepare(self._camera, tiles)

    def infer_timed(self, batch: NDArray[np.uint8]) -> tuple[Outputs, dict[str, int]]:
        """Run one of the sessions; the wait for it is the step `turn`."""
        asked = time.perf_counter_ns()
        with self._pool.lent(self._camera) as session:
            waited = time.perf_counter_ns() - asked
            outputs, steps = session.infer_timed(batch)
        return outputs, {TURN: waited, **steps}

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        return self.infer_timed(batch)[0]
