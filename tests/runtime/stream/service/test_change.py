"""Rules that change while a stream runs: from one frame to the next, and for all that follow."""

from __future__ import annotations

import threading

import pytest

from runtime.errors import InputError
from runtime.health import HealthLimits
from runtime.stream.budget import Budget
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Debounce, Rules
from runtime.stream.verdict import Status
from tests.runtime.stream.service.cameras import QuietCamera
from tests.runtime.stream.test_pipeline import FakeSession, ListSink

MS = 10**6


@pytest.fixture
def camera() -> QuietCamera:
    return QuietCamera()


def begun(camera, session=None, rules: Rules | None = None, health=None, workers=1):
    sink = ListSink()
    settings = Settings(rules or Rules(), health=health)
    pipeline = Pipeline(camera, session or FakeSession(), settings, [sink], workers=workers)
    pipeline.start()
    return pipeline, sink


@pytest.mark.parametrize("workers", [1, 3])
def test_thresholds_and_pass_labels_hold_from_the_next_frame_on(camera, workers):
    pipeline, sink = begun(camera, workers=workers)
    camera.give(3)
    sink.wait_for(3)
    pipeline.change(Rules(unsure_below=0.95), None)
    camera.give(3)
    sink.wait_for(6)
    pipeline.change(Rules(pass_labels=("bad",)), None)
    camera.give(3)
    sink.wait_for(9)
    pipeline.close()
    assert sink.statuses == ["pass"] * 3 + ["unsure"] * 3 + ["reject"] * 3
    assert sink.numbers == list(range(9))


def test_a_label_that_the_model_has_not_changes_nothing(camera):
    pipeline, sink = begun(camera)
    with pytest.raises(InputError, match="no label 'rust'"):
        pipeline.change(Rules(pass_labels=("rust",), unsure_below=0.95), None)
    camera.give()
    sink.wait_for(1)
    pipeline.close()
    assert sink.statuses == ["pass"]


def test_the_debounce_begins_anew(camera):
    rules = Rules(pass_labels=("bad",))
    pipeline, sink = begun(camera, rules=rules)
    camera.give(2)
    sink.wait_for(2)
    pipeline.change(Rules(pass_labels=("bad",), debounce=Debounce(2, 3)), None)
    camera.give(3)
    sink.wait_for(5)
    pipeline.close()
    assert sink.statuses == ["reject", "reject", "pass", "reject", "reject"]


def test_a_shorter_limit_goes_before_a_longer_one_that_still_runs(camera):
    """The watchdog waits for an hour when the frame with a limit of 50 ms comes."""
    released, entered = threading.Event(), threading.Event()

    def work(call: int) -> None:
        entered.set()
        released.wait(20)

    hour = Rules(Budget({"total": 3600 * 1000 * MS}))
    pipeline, sink = begun(camera, FakeSession(work), hour)
    camera.give()
    assert entered.wait(20)
    short = Rules(Budget({"total": 50 * MS}), on_late=Status.REJECT)
    pipeline.change(short, None)
    camera.give(2)
    sink.wait_for(2)
    assert sink.numbers == [1, 2]
    assert [v.decision.reason for v in sink.verdicts] == ["no verdict within 50 ms"] * 2
    assert sink.statuses == ["reject"] * 2
    released.set()
    sink.wait_for(3)
    pipeline.close()
    assert (sink.numbers[2], sink.statuses[2]) == (0, "pass")


def test_health_limits(camera):
    pipeline, sink = begun(camera, health=HealthLimits())
    camera.give(2)
    sink.wait_for(2)
    pipeline.change(Rules(), HealthLimits(dark_below=0.9, bright_above=0.95))
    camera.give()
    sink.wait_for(3)
    pipeline.close()
    assert sink.statuses == ["pass", "pass", "fault"]
    assert sink.verdicts[2].decision.reason.startswith("dark")
