"""Sessions that several cameras share."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.tiling import Tiling
from runtime.session.base import Outputs
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


class Joining(Gated):
    """As a GPU: runs up to three images together; answers each with what it shows."""

    joins_cameras = True

    def __init__(self, *, largest: int = 3) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.largest = largest

    @property
    def batches(self) -> tuple[int, int]:
        return 1, self.largest

    def _infer(self, batch):
        self.sizes.append(len(batch))
        if batch.any():
            super()._infer(batch)
        if batch.max() == BROKEN:
            raise RuntimeError("out of luck")
        shown = batch[:, 0, 0, :2].astype(np.float32)
        return Outputs(shown, shown)


BROKEN = 255


def asking_together(pool: SessionPool, session: Joining, shown: dict[str, list[int]]):
    """Let the first camera in, the others ask meanwhile; what all got, in the end."""
    got: dict[str, tuple[list[float], dict[str, int]] | str] = {}

    def work(camera: str) -> None:
        batch = np.concatenate([np.full((1, 1, 8, 8), each, np.uint8) for each in shown[camera]])
        try:
            outputs, steps = pool.for_camera(camera).infer_timed(batch)
        except RuntimeError as error:
            got[camera] = str(error)
        else:
            got[camera] = outputs.probabilities[:, 0].tolist(), steps

    threads = []
    for place, camera in enumerate(shown):
        threads.append(threading.Thread(target=work, args=(camera,), daemon=True))
        threads[-1].start()
        if place == 0:
            assert session.entered.acquire(timeout=PATIENCE)
        else:
            until_waiting(pool, place)
    session.leave.release(len(shown))
    for thread in threads:
        thread.join(PATIENCE)
    return got


def warmed_pool(session: Joining, cameras: Sequence[str]) -> SessionPool:
    pool = SessionPool([session])
    for camera in cameras:
        pool.for_camera(camera)
    return pool


def test_frames_that_wait_run_together_where_sessions_gain_by_it():
    session = Joining()
    pool = warmed_pool(session, "abcde")
    assert sorted({*session.sizes}) == [2, 3], "warmed up for as many as fit"
    session.sizes.clear()
    got = asking_together(pool, session, {"a": [1], "b": [2], "c": [3], "d": [4], "e": [5]})
    assert session.sizes == [1, 3, 1]
    assert {camera: answer for camera, (answer, _) in got.items()} == {
        "a": [1.0], "b": [2.0], "c": [3.0], "d": [4.0], "e": [5.0],
    }  # fmt: skip
    assert all(list(steps) == ["turn", "infer"] for _, steps in got.values())
    # One run is the inference of all who were in it.
    assert got["b"][1]["infer"] == got["c"][1]["infer"] == got["d"][1]["infer"]


def test_a_frame_that_finds_no_room_waits_for_its_own_turn():
    session = Joining(largest=4)
    pool = warmed_pool(session, "abcd")
    session.sizes.clear()
    got = asking_together(pool, session, {"a": [1], "b": [2, 3, 4], "c": [5, 6], "d": [7]})
    assert session.sizes == [1, 3, 3], "d does not overtake c"
    assert {camera: answer for camera, (answer, _) in got.items()} == {
        "a": [1.0], "b": [2.0, 3.0, 4.0], "c": [5.0, 6.0], "d": [7.0],
    }  # fmt: skip


def test_what_fails_together_is_everybodys_failure_and_the_session_comes_back():
    session = Joining()
    pool = warmed_pool(session, "abc")
    got = asking_together(pool, session, {"a": [1], "b": [BROKEN], "c": [3]})
    assert got["b"] == got["c"] == "out of luck"
    session.leave.release()
    assert pool.for_camera("c").infer(BATCH + 3).probabilities.tolist() == [[3.0, 3.0]]


def test_processors_run_frames_one_by_one():
    session = Joining()
    session.joins_cameras = False
    pool = warmed_pool(session, "abc")
    assert session.sizes == []
    asking_together(pool, session, {"a": [1], "b": [2], "c": [3]})
    assert session.sizes == [1, 1, 1]


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
