"""The most damaged layer comes first, and no more layers stay in float than needed."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.search.sensitivity import fewest_in_float, measure_sensitivity

LAYERS = [f"layer{number}" for number in range(12)]


def test_layers_come_in_order_of_their_damage():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (300, 4))
    noise = {"quiet": 0.001, "loud": 2.0, "middle": 0.3, "silent": 0.0}

    def softmax(values):
        powers = np.exp(values)
        return (powers / powers.sum(1, keepdims=True)).astype(np.float32)

    asked: list[list[str]] = []

    def answers(quantised):
        asked.append(list(quantised))
        return softmax(logits + noise[quantised[0]] * rng.normal(0, 1, logits.shape))

    told: list[tuple[int, int, str]] = []
    found = measure_sensitivity(
        list(noise),
        answers,
        reference=softmax(logits),
        targets=logits.argmax(1),
        report=lambda *state: told.append(state),
    )
    assert [entry.layer for entry in found] == ["loud", "middle", "quiet", "silent"]
    assert asked == [[name] for name in noise]
    assert found[0].damage.snr_db < found[1].damage.snr_db < found[2].damage.snr_db
    assert found[0].damage.lost > found[2].damage.lost == 0
    assert told[0] == (0, 4, "quiet")
    assert told[-1] == (4, 4, "")


@pytest.mark.parametrize(
    "needed", [set(), {"layer0"}, {"layer0", "layer7"}, {"layer11"}, set(LAYERS)]
)
def test_exactly_the_layers_that_are_needed_stay(needed):
    found = fewest_in_float(LAYERS, lambda kept: needed <= set(kept))
    assert found.holds
    assert set(found.layers) == needed
    assert found.layers == tuple(name for name in LAYERS if name in needed)
    assert found.trials[0].kept == ()
    assert len({trial.kept for trial in found.trials}) == len(found.trials)


def test_any_two_will_do():
    found = fewest_in_float(LAYERS, lambda kept: len(kept) >= 2)
    assert found.layers == ("layer0", "layer1")


def test_it_says_where_not_even_all_in_float_helps():
    found = fewest_in_float(LAYERS, lambda kept: False)
    assert not found.holds
    assert found.layers == tuple(LAYERS)
    assert [trial.kept for trial in found.trials] == [(), tuple(LAYERS)]


def test_the_number_of_evaluations_is_bounded_and_the_result_still_holds():
    many = [f"layer{number}" for number in range(200)]
    asked = []

    def satisfies(kept):
        asked.append(tuple(kept))
        return "layer150" in kept and "layer3" in kept

    found = fewest_in_float(many, satisfies, evaluations=20)
    assert len(asked) == len(found.trials) == 20
    assert {"layer3", "layer150"} <= set(found.layers)
    assert found.holds


def test_a_predicate_that_is_not_monotone_still_gives_what_was_tried():
    def satisfies(kept):
        return len(kept) in (3, 7, 12)

    found = fewest_in_float(LAYERS, satisfies)
    assert satisfies(found.layers)
    assert any(trial.kept == found.layers and trial.holds for trial in found.trials)
