"""Sessions that several cameras share."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.tiling import Tiling
from runtime.stream.sharing.pool import SessionPool
from tests.runtime.stream.test_pipeline import PATIENCE, FakeSession

BATCH = np.zeros((1, 1, 8, 8), np.uint8)


class Gated(FakeSession):
    """Notes who is in it, and answers when the test lets it."""

    def __init__(self) -> None:
        super().__init__(self._enter)
        self.order: list[str] = []
        self.entered = threading.Semaphore(0)
        self.leave = threading.Semaphore(0)
        self.inside = 0

    def _enter(self, call: int) -> None:
        self.inside += 1
        assert self.inside == 1, "one thread at a time"
        self.order.append(threading.current_thread().name)
        self.entered.release()
        assert self.leave.acquire(timeout=PATIENCE)
        self.inside -= 1


def asking(pool: SessionPool, camera: str, times: int = 1) -> threading.Thread:
    session = pool.for_camera(camera)

    def work() -> None:
        for _ in range(times):
            session.infer(BATCH)

    thread = threading.Thread(target=work, name=camera, daemon=True)
    thread.start()
    return thread


def until_waiting(pool: SessionPool, count: int) -> None:
    for _ in range(10**6):
        if len(pool._turns) == count:
            return
        threading.Event().wait(0.001)
    raise AssertionError


def test_cameras_take_turns_at_one_session():
    session = Gated()
    pool = SessionPool([session])
    threads = [asking(pool, "a", times=3)]
    assert session.entered.acquire(timeout=PATIENCE)
    for waiting, name in enumerate(("b", "c"), start=1):
        threads.append(asking(pool, name, times=2))
        until_waiting(pool, waiting)
    for _ in range(7):
        session.leave.release()
        if len(session.order) < 7:
            assert session.entered.acquire(timeout=PATIENCE)
            # Whoever was in it asks again before the next one is through.
            until_waiting(pool, min(2, 7 - len(session.order)))
    for thread in threads:
        thread.join(PATIENCE)
    assert session.order == ["a", "b", "c", "a", "b", "c", "a"]


def test_two_sessions_are_in_use_at_the_same_time():
    sessions = [Gated(), Gated()]
    pool = SessionPool(sessions)
    threads = [asking(pool, "a"), asking(pool, "a"), asking(pool, "b")]
    for session in sessions:
        assert session.entered.acquire(timeout=PATIENCE)
    until_waiting(pool, 1)
    for session in sessions:
        session.leave.release(2)
    for thread in threads:
        thread.join(PATIENCE)
    assert sum(session.calls for session in sessions) == 3


def test_the_wait_is_a_step_and_a_failure_gives_the_session_back():
    def work(call: int) -> None:
        if call == 0:
            raise RuntimeError("out of luck")

    session = FakeSession(work)
    shared = SessionPool([session]).for_camera("a")
    with pytest.raises(RuntimeError, match="out of luck"):
        shared.infer_timed(BATCH)
    outputs, steps = shared.infer_timed(BATCH)
    assert outputs.probabilities is session.answer
    assert list(steps) == ["turn", "infer"]
    assert (shared.engine, shared.precision, shared.describe()) == (
        "fake",
        "fp32",
        session.describe(),
    )


class Tiled(FakeSession):
    contract = ModelContract(InputContract(8, 8, tiling=Tiling((8, 8))), ("good", "bad"), ("good",))

    def __init__(self, sizes: tuple[int, int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.prepared: list[int] = []

    @property
    def batches(self) -> tuple[int, int]:
        return self.sizes

    def prepare(self, tiles: int) -> None:
        self.prepared.append(tiles)


def prepared(sessions: Sequence[Tiled]) -> list[list[int]]:
    return [session.prepared for session in sessions]


def test_every_session_is_prepared_once_for_a_number_of_tiles():
    sessions = [Tiled((1, 12)), Tiled((2, 8))]
    pool = SessionPool(sessions)
    pool.for_camera("a").prepare(5)
    pool.for_camera("b").prepare(5)
    assert prepared(sessions) == [[5], [5]]
    pool.for_camera("b").prepare(7)
    assert prepared(sessions) == [[5, 7], [5, 7]]
    assert pool.for_camera("a").batches == (2, 8), "what every session takes"
