"""Of `train`, `study` and `demo`."""

from __future__ import annotations

from collections.abc import Callable

from edgecl.cli.ignored_options.rule import LEAVE_ONE, Rule, Values


def _frozen(values: Values) -> bool:
    """Whether the encoder is never trained; to pretrain it is refused elsewhere."""
    from edgecl.learning.config import FROZEN_ENCODERS

    return values["encoder"] in FROZEN_ENCODERS and values["method"] == "none"


def _new(idle: Callable[[Values], bool]) -> Callable[[Values], bool]:
    """Of a run that begins: one that is resumed keeps its own choices and refuses others."""
    return lambda values: not values["resume"] and idle(values)


_PRETRAINING = (
    "pretrain_epochs",
    "pretrain_lr",
    "temperature",
    "negatives",
    "queue_size",
    "pretrain_on",
    "unlabelled",
)

TRAIN = (
    Rule(
        ("groups",),
        _new(lambda v: v["data"] is None),
        "groups the images of --data, and the built-in surfaces bring their own groups",
        "name the images with --data, or leave it out",
    ),
    Rule(
        ("groups",),
        _new(lambda v: v["split"] == "paper"),
        "keeps groups on one side, and --split paper cuts at random",
        LEAVE_ONE,
    ),
    Rule(
        ("strict", "bits"),
        _new(lambda v: v["data"] is None and not v["unlabelled"]),
        "is about images that are read, and the built-in surfaces are drawn",
        "name images with --data, or leave it out",
    ),
    Rule(
        ("fold",),
        _new(lambda v: v["folds"] is None),
        "names one of the folds of --folds, and there are none",
        "add --folds, or leave it out",
    ),
    Rule(
        ("label_draw",),
        _new(lambda v: v["label_share"] == 1),
        "says which labels are known, and all are",
        "add --label-share, or leave it out",
    ),
    Rule(
        ("allow_leak",),
        _new(lambda v: not v["unlabelled"] and v["pretrained"] is None),
        "admits copies of held-out images to pretraining, and neither --unlabelled nor "
        "--pretrained can bring any",
    ),
    Rule(
        ("weights",),
        _new(lambda v: v["pretrained"] is not None),
        "gives the encoder weights that those of --pretrained would take the place of",
        LEAVE_ONE,
    ),
    Rule(
        _PRETRAINING,
        _new(lambda v: v["pretrained"] is not None),
        "says how to pretrain, and --pretrained takes over what another run did",
        LEAVE_ONE,
    ),
    Rule(
        ("negatives",),
        _new(lambda v: v["method"] == "nnclr"),
        "is SimCLR's, and the method is nnclr",
        "take --method simclr, or leave it out",
    ),
    Rule(
        ("queue_size",),
        _new(lambda v: v["method"] == "simclr"),
        "is NNCLR's, and the method is simclr",
        "take --method nnclr, or leave it out",
    ),
    Rule(
        ("lr", "epochs", "patience"),
        _new(lambda v: bool(v["pretrain_only"])),
        "says how to fine-tune, and --pretrain-only stops before that",
        LEAVE_ONE,
    ),
    Rule(
        ("lr", "epochs", "patience", "batch_size", "views", "compile"),
        _new(_frozen),
        "says how to train an encoder, and this one stays as it is",
        "choose another --encoder, or leave it out",
    ),
    Rule(
        ("autocast",),
        _new(lambda v: _frozen(v) and v["autocast"] not in ("auto", "off")),
        "says how to train an encoder, and this one stays as it is",
        "choose another --encoder, or leave it out",
    ),
)

DEMO = (
    Rule(
        ("groups",),
        lambda v: v["data"] is None,
        "groups the images of --data, and the built-in surfaces bring their own groups",
        "name the images with --data, or leave it out",
    ),
)

STUDY = (
    Rule(
        ("processes",),
        lambda v: bool(v["plan"]),
        "says how the runs are done, and --plan does none",
        LEAVE_ONE,
    ),
    Rule(
        ("baselines",),
        lambda v: "none" in v["baselines"] and len(v["baselines"]) > 1,
        "none leaves all baselines out, and another one is named as well",
        LEAVE_ONE,
    ),
)


def _all_frozen(values: Values) -> bool:
    from edgecl.learning.config import FROZEN_ENCODERS

    return all(name in FROZEN_ENCODERS for name in values["encoders"])


STUDY_GRID = (
    Rule(
        ("groups",),
        lambda v: not v["data"],
        "groups the images of --data, and the built-in surfaces bring their own groups",
        "name the images with --data, or leave it out",
    ),
    Rule(
        ("leaky",),
        lambda v: "paper" not in v["arms"],
        "is for the arm 'paper', which is not in this study",
        "add --arm paper to the arms, or leave it out",
    ),
    Rule(
        ("draws",),
        lambda v: all(share == 1 for share in v["label_shares"]),
        "says how often a share of the labels is drawn, and all are known",
        "add a --label-share below 1, or leave it out",
    ),
    Rule(
        ("methods", "arms", "pretrain_epochs", "unlabelled", "leaky"),
        _all_frozen,
        "says how to pretrain, and no encoder of this study is pretrained",
        "choose another --encoder, or leave it out",
    ),
)
"""Of the values of the grid, once its preset or folder is known."""

TRAIN_NOTES = (
    # Whoever compares methods varies --method alone, over one command line.
    Rule(
        _PRETRAINING,
        _new(lambda v: v["method"] == "none" and v["pretrained"] is None),
        "without effect, for --method none does not pretrain",
    ),
)
