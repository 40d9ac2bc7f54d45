"""The grid: every run once, pretrainings before and shared, arms that see what they may."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.augmentation import augmentation_of
from edgecl.study.cells import cells
from edgecl.study.grid import ARMS, LEAKY, NO_ARM, Condition, Study
from edgecl.study.presets import PRESETS
from runtime.errors import InputError

SMALL = Study(
    unlabelled=("/steel",),
    leaky=("/copies",),
    arms=ARMS,
    baselines=("vgg19",),
    seeds=(0, 1),
    folds=3,
    label_shares=(0.05, 1.0),
    draws=2,
)


def test_every_combination_is_there_once():
    names = [cell.name for cell in cells(SMALL)]
    assert len(names) == len(set(names))
    count = Counter(cell.condition for cell in cells(SMALL) if cell.condition)
    # None in both views, and two methods on two arms, each with few (two draws) and all labels.
    few = [c for c in count if c.label_share < 1]
    assert len(few) == 6
    assert all(count[c] == 2 * 3 * 2 for c in few)
    # The same six, the leaky protocol for none and both methods, and the baseline under both.
    assert all(count[c] == 2 * 3 for c in count if c.label_share == 1)
    assert len([c for c in count if c.label_share == 1]) == 6 + 3 + 2
    assert {c.method for c in count if c.encoder == "vgg19"} == {"none"}


def test_every_method_has_a_twin_without_pretraining_that_differs_in_nothing_else():
    by_condition: dict[Condition, TrainConfig] = {}
    for cell in cells(SMALL):
        if cell.condition:
            by_condition.setdefault(cell.condition, cell.config)
    pretrained = [c for c in by_condition if c.method != "none"]
    assert {c.views for c in pretrained if c.method == "nnclr"} == {"crop"}
    assert {c.views for c in pretrained if c.method == "simclr"} == {"zoom"}
    for condition in pretrained:
        if condition.protocol == LEAKY:
            continue
        twin = by_condition[replace(condition, method="none", arm=NO_ARM)]
        own = by_condition[condition]
        assert augmentation_of(twin.method, twin.views) is augmentation_of(own.method, own.views)


def test_an_encoder_that_is_never_trained_has_no_views():
    study = replace(SMALL, encoders=("resnet101-svm",), baselines=(), label_shares=(1.0,))
    conditions = {cell.condition for cell in cells(study) if cell.condition}
    assert {(c.method, c.views) for c in conditions} == {("none", "zoom")}


def test_pretrainings_come_first_and_are_shared():
    seen = set()
    for cell in cells(SMALL):
        assert not cell.needs or cell.needs in seen
        seen.add(cell.name)
    pretrainings = [cell for cell in cells(SMALL) if cell.config.pretrain_only]
    # Two methods, two seeds: one for all folds on the clean arm, one per fold on the others.
    assert len(pretrainings) == 2 * 2 * (1 + 3 + 3)
    users = Counter(cell.needs for cell in cells(SMALL) if cell.needs)
    assert users["pretraining/shufflenet-simclr-clean-s0"] == 3 * 3
    assert users["pretraining/shufflenet-simclr-in-domain-s0-f1"] == 3


def test_the_arms_see_what_they_may():
    by_arm = {
        arm: next(c.config for c in cells(SMALL) if c.config.pretrain_only and f"-{arm}-" in c.name)
        for arm in ARMS
    }
    assert by_arm["clean"].pretrain_on == "unlabelled"
    assert by_arm["clean"].unlabelled == ("/steel",)
    assert by_arm["in-domain"].pretrain_on == "all"
    assert by_arm["in-domain"].unlabelled == ("/steel",)
    assert not by_arm["in-domain"].allow_leak
    assert by_arm["paper"].unlabelled == ("/steel", "/copies")
    assert by_arm["paper"].split == "paper"
    assert by_arm["paper"].allow_leak


def test_all_methods_have_the_same_budget():
    budgets = {
        (c.config.epochs, c.config.lr, c.config.batch_size, c.config.patience)
        for c in cells(SMALL)
        if c.condition
    }
    assert len(budgets) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unlabelled": ()}, "arm 'clean' pretrains on unlabelled sets only"),
        ({"encoders": ("resnet",)}, "unknown encoder 'resnet'"),
        ({"methods": ("none",)}, "unknown method 'none'"),
        ({"arms": ("dirty",)}, "unknown arm 'dirty'"),
        ({"label_shares": (0.0,)}, "label share of 0"),
        ({"geometry": "tiles"}, "geometry 'tiles' is neither"),
    ],
)
def test_a_grid_that_cannot_be_run_is_named(change, message):
    with pytest.raises(InputError, match=message):
        cells(replace(SMALL, **change))


def test_a_grid_survives_json():
    assert Study.from_json(SMALL.to_json(), where="here") == SMALL
    with pytest.raises(InputError, match="unknown field 'colour'"):
        Study.from_json({**SMALL.to_json(), "colour": 1}, where="here")


def test_every_run_cuts_and_corrects_its_images():
    study = replace(SMALL, roi="0,16,1600,224", flat="/line.npz")
    assert {(cell.config.roi, cell.config.flat) for cell in cells(study)} == {
        ("0,16,1600,224", "/line.npz")
    }


def test_the_presets_are_grids():
    for name, preset in PRESETS.items():
        grid = cells(replace(preset, unlabelled=("/steel",)))
        assert len(grid) > 10, name


def test_a_study_in_tiles_has_one_baseline_in_the_same_views():
    study = Study(tile=(32, 48), scale=0.5, self_train=True, arms=("in-domain",), folds=2, lr=3e-3)
    configs = [cell.config for cell in cells(study)]
    assert {config.geometry for config in configs} == {"tiles"}
    assert {config.image_size for config in configs} == {(32, 48)}
    assert {(config.scale, config.self_train, config.head) for config in configs} == {
        (0.5, True, "wide")
    }
    assert {config.lr for config in configs} == {3e-3}
    views = {
        (cell.condition.method, cell.condition.views) for cell in cells(study) if cell.condition
    }
    assert views == {("none", "tiles"), ("simclr", "tiles"), ("nnclr", "tiles")}
