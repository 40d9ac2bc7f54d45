"""The texture descriptor that a network must beat: with a model that so few labels suffice for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgecl.learning.loop.rivals import ask_texture, texture_model
from edgecl.learning.teachers.classical import fit_discriminant


@pytest.mark.parametrize(
    ("counts", "model"),
    [
        ((1,) * 6, "logistic regression"),
        ((2,) * 6, "logistic regression"),
        ((2, 2, 2, 2, 2, 3), "LDA"),
        ((3,) * 6, "LDA"),
    ],
)
def test_very_few_labels_are_no_excuse_for_a_rival_that_answers_by_chance(counts, model):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 200))
    targets = np.repeat(np.arange(6), counts)
    asked = np.repeat(np.arange(6), 20)
    train, test = (
        (centres[rows] + rng.normal(size=(len(rows), 200)) / 2).astype(np.float32)
        for rows in (targets, asked)
    )
    dataset = SimpleNamespace(targets=np.concatenate((targets, asked)))
    split = SimpleNamespace(train=np.arange(len(targets)), test=len(targets) + np.arange(120))
    setup: Any = SimpleNamespace(prepared=SimpleNamespace(dataset=dataset, split=split))
    assert texture_model(setup) == model
    assert (ask_texture(setup, train, test) == asked).mean() > 0.95
    if model != "LDA":
        broken = fit_discriminant(train, targets)
        assert (broken.predict_proba(test).argmax(1) == asked).mean() < 0.5, "as it would be"
