"""Which remedies are tried on refused INT8, in which order and for how long, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from export.job import Int8Choices
from export.stages.int8 import Int8Parts
from export.stages.int8_trials import ChosenRanges, KeptLayers
from export.stages.remedies import seeking
from export.stages.remedies.attempts import Attempts
from export.stages.remedies.deadline import Deadline
from export.stages.remedies.seeking import Remedies
from runtime.errors import InputError

LAYERS = tuple("abcdefgh")
CPU, TENSORRT = "int8", "int8-tensorrt"


@dataclass(frozen=True)
class Plan:
    """What a form is quantised with, as the fakes see it."""

    algorithm: str
    images: int
    kept: frozenset[str]


@dataclass
class Bench:
    """Remedies on fakes: `good(form, plan)` says whether a form is within the limits.

    Every proof takes a second; so does an observation, and so does a layer's damage.
    """

    good: Callable[[str, Plan], bool]
    seconds: float = 1000.0
    choices: Int8Choices = field(default_factory=Int8Choices)
    refused: tuple[str, ...] = (TENSORRT,)
    unproven: tuple[str, ...] = ()
    candidates: int = 600
    now: float = 0.0
    proofs: list[tuple[str, Plan, bool]] = field(default_factory=list)

    def proposals(self, ranges: Any, kept: Any) -> list[Any]:
        algorithm, images = ranges
        plan = Plan(algorithm, images, frozenset(kept))
        return [SimpleNamespace(name=name, plan=plan) for name in (CPU, TENSORRT)]

    def proof(self, proposal: Any, *, strict: bool) -> Any:
        self.now += 1
        self.proofs.append((proposal.name, proposal.plan, strict))
        good = self.good(proposal.name, proposal.plan)
        comparison = SimpleNamespace(lost=2, gained=1, escapes=0)
        return SimpleNamespace(reason="" if good else "it fell", comparison=comparison)

    def seek(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Attempts]:
        def observed(fp32: Any, images: Any, cache: Any, report: Any) -> int:
            self.now += 1
            report("calibrate", 1, 1, "")
            return len(images.part)

        def measure(trials: Any, ranges: Any, report: Any) -> tuple[Any, ...]:
            for number, layer in enumerate(LAYERS):
                report("sensitivity", number, len(LAYERS), layer)
                self.now += 1
            return tuple(SimpleNamespace(layer=layer) for layer in LAYERS)

        def choose(algorithm: str, observation: int, *_: Any) -> ChosenRanges:
            found = "minmax" if algorithm == "auto" else algorithm
            return ChosenRanges(found, (found, observation))  # type: ignore[arg-type]

        for name, fake in (
            ("observed", observed),
            ("measure_layers", measure),
            ("choose_ranges", choose),
            ("ranges_of", lambda observation, algorithm: (algorithm, observation)),
            ("weighted_layers", lambda _: [SimpleNamespace(name=layer) for layer in LAYERS]),
        ):
            monkeypatch.setattr(seeking, name, fake)
        attempts = Attempts(self, frozenset(self.refused), frozenset(self.unproven))  # type: ignore[arg-type]
        first = choose("minmax", 128)
        parts = Int8Parts(images_of(128), 128, first, KeptLayers(self.choices.keep))  # type: ignore[arg-type]
        remedies = Remedies(
            parts,
            self.choices,
            SimpleNamespace(fp32=None),  # type: ignore[arg-type]
            self.candidates,
            lambda choices, report: images_of(choices.images),
            attempts,
            Deadline.after(self.seconds, lambda: self.now),
            lambda *_: None,
        )
        return remedies.seek(), attempts


def images_of(count: int) -> Any:
    return SimpleNamespace(part=range(count))


def kept_of(attempts: Attempts) -> tuple[str, ...]:
    assert attempts.best is not None
    return attempts.best.kept.names


def test_what_costs_the_line_nothing_comes_first_and_all_is_told(monkeypatch):
    tried, attempts = Bench(lambda *_: False).seek(monkeypatch)
    assert [each.remedy for each in tried] == [
        *(f"{name} calibration" for name in ("mse", "percentile", "entropy")),
        "512 calibration images instead of 128",
        "layers in floating point",
    ]
    assert {each.outcome for each in tried} == {"fails"}
    assert {each.result for each in tried} == {f"{TENSORRT} 2 lost, 1 gained, 0 escaped"}
    assert [each.seconds for each in tried] == [1, 1, 1, 2, 9]
    assert attempts.best is None
    assert attempts.still == {TENSORRT}


@pytest.mark.parametrize(
    ("good", "count", "remedy"),
    [
        (lambda plan: plan.algorithm == "percentile", 2, "percentile calibration"),
        (lambda plan: plan.images == 512, 4, "512 calibration images instead of 128"),
        (lambda plan: {"b", "c"} <= plan.kept, 5, "layers in floating point: b, c"),
    ],
)
def test_the_first_remedy_that_ships_is_the_last_that_is_tried(monkeypatch, good, count, remedy):
    tried, attempts = Bench(lambda form, plan: form == CPU or good(plan)).seek(monkeypatch)
    assert (len(tried), tried[-1].remedy) == (count, remedy)
    assert (tried[-1].outcome, tried[-1].result) == ("ships", "ships")
    assert not attempts.still


def test_layers_that_the_user_keeps_stay_and_are_not_counted_as_the_remedy(monkeypatch):
    bench = Bench(
        lambda form, plan: form == CPU or {"a", "b"} <= plan.kept, choices=Int8Choices(keep=("a",))
    )
    tried, attempts = bench.seek(monkeypatch)
    assert tried[-1].remedy == "layers in floating point: b"
    assert kept_of(attempts) == ("a", "b")


def test_no_more_than_half_of_the_layers_are_spared(monkeypatch):
    tried, attempts = Bench(lambda form, plan: len(plan.kept) > 4).seek(monkeypatch)
    assert tried[-1].outcome == "fails"
    assert attempts.best is None


def test_what_shipped_must_still_ship(monkeypatch):
    # Percentile saves TensorRT's form and spoils the CPU's.
    bench = Bench(
        lambda form, plan: (
            "a" in plan.kept or (form == TENSORRT) == (plan.algorithm == "percentile")
        )
    )
    tried, _ = bench.seek(monkeypatch)
    assert tried[1].result == f"{CPU} 2 lost, 1 gained, 0 escaped"
    assert tried[-1].remedy == "layers in floating point: a"


def test_a_remedy_is_held_to_the_count_but_for_what_was_unproven_before(monkeypatch):
    bench = Bench(lambda *_: True, unproven=(CPU,))
    bench.seek(monkeypatch)
    assert {(name, strict) for name, _, strict in bench.proofs} == {(TENSORRT, True), (CPU, False)}


def test_one_of_two_forms_is_better_than_none(monkeypatch):
    bench = Bench(
        lambda form, plan: form == CPU and plan.algorithm == "percentile", refused=(CPU, TENSORRT)
    )
    tried, attempts = bench.seek(monkeypatch)
    assert (tried[1].remedy, tried[1].outcome) == ("percentile calibration", "helps")
    assert tried[1].result == f"helps, but {TENSORRT} is still refused"
    assert attempts.still == {TENSORRT}
    assert attempts.best is not None
    assert attempts.best.chosen.algorithm == "percentile"
    # Layers are looked for with the calibration that helped.
    assert {plan.algorithm for _, plan, _ in bench.proofs if plan.kept} == {"percentile"}


def test_images_that_were_given_one_by_one_are_not_exchanged(monkeypatch):
    record: Any = object()
    bench = Bench(lambda *_: False, choices=Int8Choices(repeated=record))
    tried, _ = bench.seek(monkeypatch)
    assert [each.remedy for each in tried] == ["layers in floating point"]


def test_layers_that_were_searched_are_not_searched_again_and_leave_their_time(monkeypatch):
    bench = Bench(lambda *_: False, seconds=6, choices=Int8Choices(search=True))
    tried, _ = bench.seek(monkeypatch)
    assert [each.outcome for each in tried] == ["fails"] * 4


def test_all_images_calibrate_already(monkeypatch):
    tried, _ = Bench(lambda *_: False, candidates=128).seek(monkeypatch)
    assert not any("images" in each.remedy for each in tried)


def test_nothing_begins_that_would_not_end_in_time(monkeypatch):
    # Half of it for calibrations: two proofs, and a third would end when that half does.
    bench = Bench(lambda *_: False, seconds=6)
    tried, attempts = bench.seek(monkeypatch)
    assert [each.outcome for each in tried] == ["fails", "fails", "no time", "no time", "no time"]
    assert tried[-1].result == "no time left for it"
    assert bench.now <= 6
    assert attempts.best is None


def test_layers_that_ship_are_kept_when_the_time_for_fewer_is_over(monkeypatch):
    # Three calibrations, more images, eight layers measured, and one pair of proofs.
    bench = Bench(lambda form, plan: form == CPU or "a" in plan.kept, seconds=16)
    tried, attempts = bench.seek(monkeypatch)
    assert tried[-1].remedy == "layers in floating point: a, b, c, d"
    assert tried[-1].outcome == "ships"
    assert tried[-1].result == "ships; no time left to look for fewer layers"
    assert kept_of(attempts) == ("a", "b", "c", "d")
    assert bench.now <= 16


def test_a_remedy_that_breaks_does_not_break_the_export(monkeypatch):
    def good(form: str, plan: Plan) -> bool:
        if plan.algorithm == "percentile":
            raise InputError("an activation is not finite", hint="train again")
        return plan.algorithm == "entropy"

    tried, attempts = Bench(good).seek(monkeypatch)
    assert [each.outcome for each in tried] == ["fails", "fails", "ships"]
    assert tried[1].result == "an activation is not finite"
    assert not attempts.still


def test_ctrl_c_ends_it(monkeypatch):
    def good(*_: object) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Bench(good).seek(monkeypatch)
