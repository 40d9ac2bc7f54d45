"""Sessions of one model that several threads share: cameras take turns at them, or one together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.session.base import Outputs, Session
from runtime.stream.budget import TURN
from runtime.stream.sharing.turns import Turns

FRAMES_AT_ONCE = 4
"""Most frames of several cameras that run as one batch: for so many sizes of a batch a session on
a GPU keeps what it has set up."""

NOTHING = np.empty((0, 1, 0, 0), np.uint8)


class SessionPool:
    """Sessions of one model, each lent to one thread at a time.

    A session that comes back goes to the camera that was served least recently: one that sends
    many frames keeps no other waiting for longer than one inference per camera. Where sessions
    gain by it, frames that wait then run as one batch, whose time each of them takes.

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
        self._cameras: set[str] = set()
        self._tiles = 0

    def for_camera(self, name: str) -> Session:
        """Return a session for a camera: one of the pool's for each batch, in its turn.

        It may be used from several threads at once. Call it before the first frame: sessions are
        warmed up for one more frame at once.
        """
        if name not in self._cameras:
            self._cameras.add(name)
            self._warm_up(len(self._cameras))
        return _SharedSession(self, name)

    def run(self, camera: str, batch: NDArray[np.uint8]) -> tuple[Outputs, dict[str, int]]:
        """Run a camera's batch in its turn, or with that of another camera.

        Returns:
            Its outputs; and the session's steps, with the wait before them as the step `turn`.
        """
        asked = time.perf_counter_ns()
        own = _Request(batch)
        session = self._take(camera, own)
        if session is not None:
            try:
                _run_together(session, [own, *self._joining(session, batch)])
            finally:
                self._give_back(session)
        outputs, steps, begun = own.answer()
        return outputs, {TURN: begun - asked, **steps}

    def prepare(self, camera: str, tiles: int) -> None:
        """Set all sessions up for frames of so many tiles, each while nobody else has it."""
        with self._preparing:
            if tiles == self._tiles or self.sessions[0].contract.input.tiling is None:
                return
            taken: list[Session] = []
            try:
                for _ in self.sessions:
                    session = self._take(camera, _Request())
                    assert session is not None
                    taken.append(session)
                for session in taken:
                    session.prepare(tiles)
                self._tiles = tiles
            finally:
                for session in taken:
                    self._give_back(session)

    def _warm_up(self, frames: int) -> None:
        """Let sessions set up for batches of so many frames, where cameras may fill them."""
        for session in self.sessions:
            tiled = session.contract.input.tiling is not None  # how many tiles is not known yet
            if not tiled and 1 < frames <= _frames_at_once(session):
                session.warm_up(sizes=(frames,))

    def _take(self, camera: str, request: _Request) -> Session | None:
        """Return a session in the camera's turn; None where another one has run the request."""
        with self._lock:
            if self._free:
                self._turns.serve(camera)
                return self._free.pop()
            self._turns.join(camera, request)
        return request.wait()

    def _joining(self, session: Session, batch: NDArray[np.uint8]) -> list[_Request]:
        """Take out the requests that wait next and fit into one batch with this one."""
        joining: list[_Request] = []
        room = session.batches[1] - len(batch)
        with self._lock:
            for _ in range(_frames_at_once(session) - 1):
                request = self._turns.next(partial(_Request.fits, room=room))
                if request is None:
                    break
                joining.append(request)
                room -= len(request.batch)
        return joining

    def _give_back(self, session: Session) -> None:
        with self._lock:
            request = self._turns.next()
            if request is None:
                self._free.append(session)
            else:
                request.grant(session)


def _frames_at_once(session: Session) -> int:
    return min(FRAMES_AT_ONCE, session.batches[1]) if session.joins_cameras else 1


def _run_together(session: Session, requests: Sequence[_Request]) -> None:
    """Run requests as one batch, and answer each; what the session raises is the answer of all."""
    alone = len(requests) == 1
    begun = time.perf_counter_ns()
    try:
        batch = requests[0].batch if alone else np.concatenate([each.batch for each in requests])
        outputs, steps = session.infer_timed(batch)
    except BaseException as error:
        for request in requests:
            request.fail(error)
        return
    start = 0
    for request in requests:
        stop = start + len(request.batch)
        request.give(outputs if alone else _rows(outputs, start, stop), steps, begun)
        start = stop


def _rows(outputs: Outputs, start: int, stop: int) -> Outputs:
    return Outputs(outputs.probabilities[start:stop], outputs.embedding[start:stop])


class _Request:
    """One thread's wait for a session, or for what another thread's run answers.

    Args:
        batch: uint8, N×1×H×W; empty for who wants the session itself.
    """

    __slots__ = ("_answer", "_error", "_over", "_session", "batch")

    def __init__(self, batch: NDArray[np.uint8] = NOTHING) -> None:
        self.batch = batch
        self._session: Session | None = None
        self._answer: tuple[Outputs, dict[str, int], int] | None = None
        self._error: BaseException | None = None
        self._over = threading.Lock()
        self._over.acquire()

    def fits(self, room: int) -> bool:
        """Return whether it may run in another one's batch that has room for so many images."""
        return 0 < len(self.batch) <= room

    def grant(self, session: Session) -> None:
        self._session = session
        self._over.release()

    def give(self, outputs: Outputs, steps: dict[str, int], begun_ns: int) -> None:
        self._answer = outputs, steps, begun_ns
        self._over.release()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._over.release()

    def wait(self) -> Session | None:
        self._over.acquire()
        return self._session

    def answer(self) -> tuple[Outputs, dict[str, int], int]:
        """Return the outputs, the steps, and when the run began, in nanoseconds."""
        if self._error is not None:
            raise self._error
        assert self._answer is not None
        return self._answer


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
        return self._pool.run(self._camera, batch)

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        return self.infer_timed(batch)[0]
