"""Limits that are given by name."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from runtime.artifact.scene import Quantiles, SceneRecord
from runtime.errors import InputError
from runtime.health import HealthLimits
from runtime.health.limits import parse_health_limits


def test_given_limits_replace_those_that_were_learnt():
    spread = Quantiles(q01=0.2, q50=0.5, q99=0.8)
    scene = SceneRecord(images=9, level=spread, sharpness=spread, black=0.1, saturated=0.1)
    learnt = HealthLimits().learnt(scene)
    given = learnt.given(parse_health_limits(["dark-below=0.3", "frozen-frames = 7"]))
    assert asdict(given) == {**asdict(learnt), "dark_below": 0.3, "frozen_frames": 7}
    assert isinstance(given.frozen_frames, int)
    assert learnt.given({}) == learnt


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["dark-below"], "'dark-below' is not NAME=VALUE"),
        (["0.5"], "'0.5' is not NAME=VALUE"),
        (["dusky=0.5"], "unknown health limit 'dusky'"),
        (["dark_below=0.5"], "unknown health limit 'dark_below'"),
        (["dark-below=dim"], "dark-below: 'dim' is not a share from 0 to 1"),
        (["dark-below=1.5"], "'1.5' is not a share from 0 to 1"),
        (["dark-below=nan"], "'nan' is not a share from 0 to 1"),
        (["frozen-frames=2.5"], "'2.5' is not a whole number above 0"),
        (["frozen-frames=0"], "'0' is not a whole number above 0"),
        (["frozen-frames=inf"], "'inf' is not a whole number above 0"),
        (["clock-jump-s=-1"], "'-1' is not a number from 0 up"),
        (["clock-jump-s=inf"], "'inf' is not a number from 0 up"),
        (["dark-below=0.1", "dark-below=0.2"], "'dark-below' is given twice"),
    ],
)
def test_what_is_no_limit_is_one_line(texts, problem):
    with pytest.raises(InputError) as caught:
        parse_health_limits(texts)
    assert problem in str(caught.value)
    assert caught.value.hint
