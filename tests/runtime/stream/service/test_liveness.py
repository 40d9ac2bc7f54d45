"""A stream that works is told from one that hangs."""

from __future__ import annotations

import pytest

from runtime.stream.service.liveness import Liveness, Moment, Progress
from tests.runtime.stream.service.cameras import QuietCamera


def moment(finished: int, *, busy=False, away=False, quiet_s: float | None = 10.0) -> Moment:
    return Moment(finished, busy, away, quiet_s)


def test_frames_that_are_judged():
    liveness = Liveness(0.0)
    looks = [liveness.look(moment(n, busy=True), float(n)) for n in range(1, 5)]
    assert looks == [True] * 4


def test_a_judge_that_hangs_at_a_frame_is_never_taken_for_one_that_works():
    liveness = Liveness(0.0)
    assert liveness.look(moment(3, busy=True), 1.0)
    assert not any(liveness.look(moment(3, busy=True), float(s)) for s in range(2, 100))
    assert not liveness.look(moment(3, busy=True, away=True), 101.0), "whatever the camera does"
    assert liveness.look(moment(4), 102.0)


def test_a_camera_that_is_opened_again_may_take_for_ever():
    liveness = Liveness(0.0)
    assert all(liveness.look(moment(0, away=True), float(s)) for s in range(0, 9999, 9))
    assert liveness.look(moment(0), 9999.0), "it has the whole time again once it is back"


def test_a_camera_that_is_quiet_and_not_opened_again_hangs():
    liveness = Liveness(0.0)
    assert liveness.look(moment(5), 1.0)
    assert liveness.look(moment(5), 10.9)
    assert not liveness.look(moment(5), 11.1)
    assert liveness.look(moment(6), 12.0)


def test_a_camera_that_waits_for_parts_may_be_quiet():
    liveness = Liveness(0.0)
    assert all(liveness.look(moment(0, quiet_s=None), float(s)) for s in range(0, 9999, 100))


@pytest.mark.parametrize(
    ("fps", "trigger", "quiet_s"),
    [(None, None, 10.0), (100.0, None, 10.03), (0.01, None, 310.0), (None, "line", None)],
)
def test_moments(fps, trigger, quiet_s):
    camera = QuietCamera()
    camera.fps, camera.trigger = fps, trigger
    progress = [Progress(3, 3), Progress(5, 4)]
    found = Moment.of(progress, camera)
    assert (found.finished, found.busy, found.away) == (7, True, False)
    assert found.quiet_s == pytest.approx(quiet_s)
    progress[1].finished = 5
    assert not Moment.of(progress, camera).busy
