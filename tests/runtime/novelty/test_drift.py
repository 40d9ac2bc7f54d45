"""The alarm for frames that drift away from the training images."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.novelty import DriftAlarm, conformal_rank, tail
from runtime.novelty.drift import FAR_RATE, least_alarming


def begun(far: list[bool], **options) -> list[int]:
    """Numbers of the frames with which an alarm begins."""
    alarm = DriftAlarm(199, **{"every": 1, "window": 20, **options})
    return [number for number, one in enumerate(far) if alarm.look(one)]


def test_frames_as_far_as_the_validation_images_give_no_alarm():
    rng = np.random.default_rng(0)
    assert begun((rng.random(3000) < FAR_RATE).tolist()) == []


def test_an_alarm_is_told_once_while_it_lasts_and_again_after_a_quiet_window():
    assert len(begun([True] * 200)) == 1
    assert len(begun([True] * 50 + [False] * 200 + [True] * 50)) == 2
    # Too short a pause is the same alarm.
    assert len(begun([True] * 50 + [False] * 15 + [True] * 50)) == 1


def test_nothing_is_said_before_the_window_is_full():
    assert begun([True] * 19) == []
    assert begun([True] * 20) == [19]


def test_only_one_of_so_many_frames_counts():
    assert begun([True] * 190, every=10) == []
    assert begun([True] * 191, every=10) == [190]
    # Neighbours of the counted frames do not matter.
    assert begun([number % 10 != 0 for number in range(2000)], every=10) == []


def test_the_words_say_how_many_and_of_how_many():
    alarm = DriftAlarm(199, every=1, window=20)
    words = [alarm.look(True) for _ in range(20)][-1]
    assert words.startswith("20 of 20 frames are farther from the training images than 90%")
    assert f"{alarm.least} or more" in words


@pytest.mark.parametrize("images", [19, 99, 265, 5000])
def test_the_rate_of_false_alarms_is_kept(images):
    rank = conformal_rank(images, FAR_RATE)
    least = least_alarming(images, 100, 1e-5)
    assert tail(least, 100, images, rank) <= 1e-5 < tail(least - 1, 100, images, rank)


def test_fewer_validation_images_take_more_to_alarm():
    assert least_alarming(19, 100, 1e-5) > least_alarming(265, 100, 1e-5)
    assert least_alarming(2, 5, 1e-5) == 6  # never
    assert begun([True] * 100) != []
    alarm = DriftAlarm(2, every=1, window=5)
    assert not any(alarm.look(True) for _ in range(50))
