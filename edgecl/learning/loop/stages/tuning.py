"""Choice of how fine-tuning treats a pretrained encoder, by answers to images that it did not see.

All layers at one rate learn most and forget most; a rate that falls from layer to layer keeps what
pretraining left in the early ones (Howard and Ruder, "Universal Language Model Fine-tuning", ACL
2018); a frozen encoder keeps all. Each starts from a linear probe (Kumar et al., "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import msgspec

from edgecl.learning.documents import CandidateAccuracy, ComparedChoices
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.stages.cross_validation import network_accuracy
from edgecl.learning.loop.stages.stage import explained
from edgecl.learning.loop.state import FINETUNE, Journal
from edgecl.learning.teachers.choice import grouped_folds
from runtime.files.atomic import write_json
from runtime.files.document import plain

FILE = "tuning.json"

TUNINGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "all layers at one rate": MappingProxyType({"freeze": False, "layer_decay": 1.0}),
        "layer decay of 0.5": MappingProxyType({"freeze": False, "layer_decay": 0.5}),
        "the head alone": MappingProxyType({"freeze": True, "layer_decay": 1.0}),
    }
)
"""Ways to fine-tune, as fields of `TrainConfig`; of equals the first one is taken."""


def choose_tuning(setup: TrainingSetup) -> TrainingSetup:
    """Return the set-up with the way to fine-tune that answered best out of fold.

    The choice is kept in the run directory, so that a resumed run takes the same.

    Raises:
        InputError: a value is not finite.
    """
    if not setup.config.choose_tuning or setup.config.method == "none":
        return setup
    facts = read_tuning(setup)
    if facts is None:
        told = setup.compute.ranks.by_first(lambda: plain(_compared(setup)))
        facts = msgspec.convert(told, ComparedChoices)
        if facts.candidates:
            setup.compute.ranks.by_first(lambda: write_json(setup.run / FILE, plain(facts)))
    chosen = TUNINGS.get(facts.chosen, {})
    return replace(setup, config=replace(setup.config, **chosen))


def read_tuning(setup: TrainingSetup) -> ComparedChoices | None:
    """Return the comparison that this run has made; None before it, or without one."""
    path = setup.run / FILE
    if not setup.config.choose_tuning or not path.exists():
        return None
    return msgspec.json.decode(path.read_bytes(), type=ComparedChoices)


def _compared(setup: TrainingSetup) -> ComparedChoices:
    dataset, known = setup.prepared.dataset, setup.prepared.split.train
    targets = setup.monitor.targets
    folds = grouped_folds(targets, [dataset.groups[row] for row in known], setup.config.seed)
    found = []
    for name, choices in TUNINGS.items() if folds else ():
        one = replace(setup, config=replace(setup.config, **choices))
        with explained(setup, Journal(stage=FINETUNE), 0):
            accuracy = network_accuracy(one, folds, stage="tuning", what=name)
        found.append(CandidateAccuracy(name=name, accuracy=accuracy))
        setup.report("tuning", len(found), len(TUNINGS), f"{name}: {accuracy:.1%} right")
    best = max(found, key=lambda one: one.accuracy) if found else None
    return ComparedChoices(
        chosen=best.name if best else "",
        candidates=tuple(found),
        measured_on=f"{len(targets)} labelled images, out of fold by groups",
    )
