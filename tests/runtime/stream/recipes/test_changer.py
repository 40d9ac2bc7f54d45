"""Change of recipe in a running stream. Cameras and models here wait for events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from queue import Queue

import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.roi import Roi
from runtime.camera.base import Camera, Frame
from runtime.errors import InputError
from runtime.health import HealthLimits
from runtime.session.base import Outputs, Session
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.recipes.changer import RecipeChanger
from runtime.stream.recipes.opened import OpenedRecipe
from runtime.stream.recipes.recipe import LineRecipe, RecipeMark
from runtime.stream.rules import Debounce, Rules
from tests.runtime.stream.test_pipeline import PATIENCE, ListSink

BRIGHT = np.arange(256, dtype=np.uint8).reshape(16, 16)


class HandCamera(Camera):
    """Gives a frame for each that was put into it; None ends it."""

    name = "hand"
    live = False

    def __init__(self) -> None:
        self.parts: Queue[np.ndarray | None] = Queue()
        self._number = 0
        self.start_ns: int | None = None

    def read(self) -> Frame | None:
        pixels = self.parts.get()
        if pixels is None:
            return None
        now = self.start_ns or time.monotonic_ns()
        number, self._number = self._number, self._number + 1
        return Frame(number, pixels, now, now)

    def give(self, count: int = 1) -> None:
        for _ in range(count):
            self.parts.put(BRIGHT)


class NamedSession(Session):
    """Answers its only label; `work` runs first."""

    engine, version, device, precision = "fake", "1", "CPU", "fp32"

    def __init__(self, label: str, *, roi: Roi | None = None) -> None:
        self.contract = ModelContract(InputContract(8, 8, roi=roi), (label, "other"), ())
        self.work: Callable[[], None] = lambda: None
        self.closed = False

    def _infer(self, batch):
        assert not self.closed
        self.work()
        return Outputs(np.array([[0.9, 0.1]], np.float32), np.zeros((1, 4), np.float32))

    def close(self) -> None:
        self.closed = True


class Line:
    """A stream of recipes a, b and c, whose sessions are made when they are asked for."""

    def __init__(self, **settings) -> None:
        self.camera, self.sink = HandCamera(), ListSink()
        self.sessions: dict[str, list[NamedSession]] = {}
        self.refusal: Exception | None = None
        self.before_open: Callable[[], None] = lambda: None
        self.rules: dict[str, Rules] = {}
        self.roi: Roi | None = None
        first = self.opened("a")
        self.pipeline = Pipeline(
            self.camera,
            first.recipe.session,
            Settings(self.rules.get("a", Rules()), **settings),
            [self.sink],
            mark=first.mark,
            grace_s=0.2,
        )
        self.changer = RecipeChanger({"": self.pipeline}, self.open, ("a", "b", "c"), first)
        self.pipeline.start()

    def open(self, name: str) -> OpenedRecipe:
        self.before_open()
        if self.refusal is not None:
            raise self.refusal
        return self.opened(name)

    def opened(self, name: str) -> OpenedRecipe:
        session = NamedSession(name, roi=self.roi)
        made = self.sessions.setdefault(name, [])
        made.append(session)
        mark = RecipeMark(name, f"{name}{len(made)}")
        opened = OpenedRecipe({"": LineRecipe(session, self.rules.get(name, Rules()), mark=mark)})
        opened.held.callback(session.close)
        return opened

    def judge(self, count: int) -> None:
        before = len(self.sink.verdicts)
        self.camera.give(count)
        self.sink.wait_for(before + count)

    def told(self) -> list[tuple[str, str, str]]:
        return [(v.recipe, v.digest, v.decision.label) for v in self.sink.verdicts]

    def close(self) -> None:
        self.camera.parts.put(None)
        self.pipeline.finish()
        self.changer.close()


@pytest.fixture
def line() -> Iterator[Line]:
    opened = Line()
    yield opened
    opened.close()


def test_a_change_holds_from_the_next_frame_on_and_every_verdict_names_what_made_it(line):
    line.judge(3)
    outcome = line.changer.change("b")
    assert (outcome.ok, outcome.code, outcome.recipe, outcome.digest) == (True, "", "b", "b1")
    line.judge(2)
    assert line.told() == [("a", "a1", "a")] * 3 + [("b", "b1", "b")] * 2
    assert line.pipeline.ledger.snapshot().recipes == {
        ("a", "a1"): {"reject": 3},
        ("b", "b1"): {"reject": 2},
    }


def test_a_frame_in_flight_is_judged_by_the_old_recipe(line):
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert release.wait(PATIENCE)

    line.sessions["a"][0].work = hang
    line.camera.give(1)
    assert entered.wait(PATIENCE)
    assert line.changer.change("b").ok
    line.camera.give(1)
    release.set()
    line.sink.wait_for(2)
    assert [label for _, _, label in line.told()] == ["a", "b"]


def test_a_frame_whose_capture_began_before_the_change_is_judged_by_the_old_recipe(line):
    line.camera.start_ns = time.monotonic_ns()  # as of a camera that delivers it only now
    assert line.changer.change("b").ok
    line.judge(1)
    line.camera.start_ns = None
    line.judge(1)
    assert [label for _, _, label in line.told()] == ["a", "b"]


def test_the_one_before_is_open_still_and_comes_back_without_being_opened(line):
    line.changer.change("b")
    outcome = line.changer.back()
    assert (outcome.ok, outcome.recipe, outcome.previous) == (True, "a", "b")
    line.judge(1)
    assert line.changer.back().recipe == "b"
    line.judge(1)
    assert [digest for _, digest, _ in line.told()] == ["a1", "b1"]


def test_only_two_recipes_are_open_at_a_time(line):
    for name in ("b", "c", "a", "b"):
        line.judge(1)
        assert line.changer.change(name).ok
    closed = {name: [s.closed for s in made] for name, made in line.sessions.items()}
    assert closed == {"a": [True, False], "b": [True, False], "c": [True]}


def test_nothing_came_before_the_first_recipe(line):
    outcome = line.changer.back()
    assert (outcome.ok, outcome.code, outcome.recipe) == (False, "recipe-unknown", "a")


def test_an_id_that_is_not_known_is_refused_and_the_old_one_goes_on(line):
    outcome = line.changer.change("7")
    assert (outcome.ok, outcome.code, outcome.recipe) == (False, "recipe-unknown", "a")
    assert "a, b, c" in outcome.hint
    line.judge(1)
    assert line.told() == [("a", "a1", "a")]


@pytest.mark.parametrize("problem", [InputError("no bundle found at b.edgecl"), OSError("gone")])
def test_a_recipe_that_cannot_be_opened_is_refused_and_the_old_one_goes_on(line, problem):
    line.refusal = problem
    outcome = line.changer.change("b")
    assert (outcome.ok, outcome.code, outcome.recipe) == (False, "recipe-refused", "a")
    assert str(problem) in outcome.message
    line.judge(1)
    assert line.told() == [("a", "a1", "a")]
    assert line.changer.state().refused == 1


def test_a_model_that_does_not_take_the_cameras_frames_is_refused(line):
    line.judge(1)
    line.roi = Roi(0, 0, 400, 400)
    outcome = line.changer.change("b")
    assert (outcome.ok, outcome.code, outcome.recipe) == (False, "recipe-unfit", "a")
    assert line.sessions["b"][0].closed


def test_rules_for_labels_that_the_model_has_not_refuse_it(line):
    line.rules["b"] = Rules(pass_labels=("shiny",))
    outcome = line.changer.change("b")
    assert (outcome.ok, "shiny" in outcome.message) == (False, True)
    assert line.sessions["b"][0].closed


def test_of_two_requests_at_once_the_second_is_refused(line):
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert release.wait(PATIENCE)

    line.before_open = hang
    outcomes = []
    first = threading.Thread(target=lambda: outcomes.append(line.changer.change("b")))
    first.start()
    assert entered.wait(PATIENCE)
    assert line.changer.state().changing == "b"
    second = line.changer.change("c")
    assert (second.ok, second.code, second.recipe) == (False, "recipe-busy", "a")
    line.judge(1)  # the stream does not wait for it
    release.set()
    first.join(PATIENCE)
    assert [outcome.recipe for outcome in outcomes] == ["b"]


def test_a_stream_that_ends_meanwhile_takes_no_recipe_and_closes_what_was_opened():
    line = Line()
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert release.wait(PATIENCE)

    line.before_open = hang
    outcomes = []
    changing = threading.Thread(target=lambda: outcomes.append(line.changer.change("b")))
    changing.start()
    assert entered.wait(PATIENCE)
    line.camera.parts.put(None)
    line.pipeline.close()
    release.set()
    line.changer.close()
    changing.join(PATIENCE)
    assert [outcome.code for outcome in outcomes] == ["stream-ended"]
    assert line.sessions["b"][0].closed


def test_debounce_begins_anew_with_the_rule_of_the_recipe():
    line = Line()
    line.rules["b"] = Rules(debounce=Debounce(2, 2))
    line.judge(2)
    line.changer.change("b")
    line.judge(2)
    line.close()
    statuses = [verdict.decision.status.value for verdict in line.sink.verdicts]
    assert statuses == ["reject", "reject", "pass", "reject"]


def test_health_limits_follow_the_recipe():
    line = Line()
    opened = line.opened

    def dark_only(name: str) -> OpenedRecipe:
        made = opened(name)
        recipe = made.recipe
        limited = LineRecipe(
            recipe.session, recipe.rules, HealthLimits(bright_above=0.3), mark=recipe.mark
        )
        return OpenedRecipe({"": limited}, made.held)

    line.opened = dark_only  # type: ignore[method-assign]
    line.judge(1)
    line.changer.change("b")
    line.judge(1)
    line.changer.back()
    line.judge(1)
    line.close()
    statuses = [verdict.decision.status.value for verdict in line.sink.verdicts]
    assert statuses == ["reject", "fault", "reject"]
    assert line.sink.verdicts[1].recipe == "b"


def with_rules(rules: Rules, *, of: str = "abc"):
    """Give the recipes of these names other rules."""

    def amend(opened: OpenedRecipe) -> dict[str, LineRecipe] | None:
        if opened.mark.id not in of:
            return None
        return {"": replace(opened.recipe, rules=rules)}

    return amend


def test_other_rules_hold_for_the_recipe_that_judges_and_for_the_one_before(line):
    line.changer.change("b")
    line.changer.renew(("a", "b"), line.open, with_rules(Rules(unsure_below=0.95)))
    line.judge(1)
    assert line.changer.back().ok
    line.judge(1)
    assert [v.decision.status.value for v in line.sink.verdicts] == ["unsure", "unsure"]
    assert line.told() == [("b", "b1", "b"), ("a", "a1", "a")], "nothing was opened again"
    assert line.changer.change("c").code == "recipe-unknown"


def test_another_bundle_under_the_id_that_judges_is_opened_and_the_old_one_is_gone(line):
    line.judge(1)
    line.changer.renew(("a", "b"), line.open, with_rules(Rules(), of=""))
    line.judge(1)
    assert line.told() == [("a", "a1", "a"), ("a", "a2", "a")]
    assert line.changer.back().code == "recipe-unknown"
    assert line.changer.change("b").previous == "a"
    assert line.changer.back().digest == "a2"


@pytest.mark.parametrize("known", ["", "b"])
def test_a_recipe_that_was_let_go_is_closed_at_once(line, known):
    """The one before has another bundle, or that of the one that judges changed as well."""
    line.judge(1)
    line.changer.change("b")
    line.judge(1)
    line.changer.renew(("b",), line.open, with_rules(Rules(), of=known))
    assert [session.closed for session in line.sessions["a"]] == [True]
    assert [session.closed for session in line.sessions["b"]] == (
        [False] if known else [True, False]
    )
    line.judge(1)
    assert line.told()[-1][1] == ("b1" if known else "b2")


def test_a_frame_in_flight_keeps_the_recipe_that_was_let_go_open(line, monkeypatch):
    monkeypatch.setattr("runtime.stream.recipes.changer.RETIRE_S", 0.05)
    begun, goes_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert goes_on.wait(60)

    line.sessions["a"][0].work = work
    line.camera.give(1)
    assert begun.wait(60)
    line.changer.change("b")
    line.changer.renew(("b", "c"), line.open, with_rules(Rules(), of="b"))
    assert not line.sessions["a"][0].closed
    goes_on.set()
    line.sink.wait_for(1)
    assert line.changer.change("c").ok
    assert line.sessions["a"][0].closed


def test_recipes_that_cannot_be_taken_change_nothing(line):
    def refuse(opened: OpenedRecipe) -> None:
        raise InputError("no such label")

    line.judge(1)
    with pytest.raises(InputError, match="recipe a judges, and would be gone"):
        line.changer.renew(("b",), line.open, with_rules(Rules()))
    with pytest.raises(InputError, match="no such label"):
        line.changer.renew(("a",), line.open, refuse)
    line.refusal = InputError("the bundle is damaged")
    with pytest.raises(InputError, match="the bundle is damaged"):
        line.changer.renew(("a",), line.open, with_rules(Rules(), of=""))
    line.refusal = None
    line.judge(1)
    assert line.told() == [("a", "a1", "a")] * 2
    assert line.changer.state().recipes == ("a", "b", "c")
