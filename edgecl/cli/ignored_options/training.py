"""Ignored options of `train`, `study` and `demo`."""

from __future__ import annotations

from collections.abc import Callable

from edgecl.cli.ignored_options.rule import LEAVE_ONE, Rule, Values


def _frozen(values: Values) -> bool:
    """Whether the encoder is never trained; to pretrain it is refused elsewhere."""
    from edgecl.learning.config import FROZEN_ENCODERS

    return values["encoder"] in FROZEN_ENCODERS and values["method"] == "none"


def _new(idle: Callable[[Values], bool]) -> Callable[[Values], bool]:
    """Limit a condition to new runs: a resumed run keeps its own choices and refuses others."""
    return lambda values: not values["resume"] and idle(values)


def _geometry(*names: str) -> Callable[[Values], bool]:
    """Return whether the geometry is one of some."""

    def known(values: Values) -> bool:
        from edgecl.cli.train.choices import geometry_of

        return geometry_of(values) in names

    return known


_PRETRAINING = (
    "pretrain_epochs",
    "pretrain_lr",
    "pretrain_batch_size",
    "head",
    "temperature",
    "negatives",
    "queue_size",
    "pretrain_on",
    "unlabelled",
)

TRAIN = (
    Rule(
        ("student_epochs",),
        _new(lambda v: not v["self_train"]),
        "only applies to --self-train, which is not set",
        "add --self-train, or omit this option",
    ),
    Rule(
        ("image_size", "interpolation", "views"),
        _new(_geometry("tiles")),
        "only affects images that are resized, but with tiles they keep their own scale",
        "use --tile for the size of the tiles, or --geometry stretch",
    ),
    Rule(
        ("tile", "stride", "scale", "combine", "turns"),
        _new(_geometry("stretch")),
        "only applies to tiles, but images are resized",
        "add --geometry tiles, or omit this option",
    ),
    Rule(
        ("tile", "stride", "scale", "image_size"),
        _new(_geometry("auto")),
        "states a geometry, but --geometry auto chooses one",
        "omit this option, or use --geometry tiles or stretch",
    ),
    Rule(
        ("groups",),
        _new(lambda v: v["data"] is None),
        "only applies to --data; the built-in surfaces have their own groups",
        "pass images with --data, or omit this option",
    ),
    Rule(
        ("groups",),
        _new(lambda v: v["split"] == "paper"),
        "keeps groups together, but --split paper splits at random",
        LEAVE_ONE,
    ),
    Rule(
        ("strict", "bits", "roi", "flat"),
        _new(lambda v: v["data"] is None and not v["unlabelled"]),
        "only affects image files, but the built-in surfaces are drawn",
        "pass images with --data, or omit this option",
    ),
    Rule(
        ("fold",),
        _new(lambda v: v["folds"] is None),
        "selects one of the --folds, which is not set",
        "add --folds, or omit this option",
    ),
    Rule(
        ("label_draw",),
        _new(lambda v: v["label_share"] == 1),
        "selects which labels are used, but all of them are",
        "add --label-share, or omit this option",
    ),
    Rule(
        ("allow_leak",),
        _new(lambda v: not v["unlabelled"] and v["pretrained"] is None),
        "allows copies of held-out images in pretraining, but without --unlabelled or "
        "--pretrained there are none",
    ),
    Rule(
        ("weights",),
        _new(lambda v: v["pretrained"] is not None),
        "sets weights that --pretrained would overwrite",
        LEAVE_ONE,
    ),
    Rule(
        _PRETRAINING,
        _new(lambda v: v["pretrained"] is not None),
        "only affects pretraining, but --pretrained reuses that of another run",
        LEAVE_ONE,
    ),
    Rule(
        ("negatives",),
        _new(lambda v: v["method"] == "nnclr"),
        "only applies to SimCLR, but the method is nnclr",
        "use --method simclr, or omit this option",
    ),
    Rule(
        ("queue_size",),
        _new(lambda v: v["method"] == "simclr"),
        "only applies to NNCLR, but the method is simclr",
        "use --method nnclr, or omit this option",
    ),
    Rule(
        ("lr", "epochs", "patience", "balance"),
        _new(lambda v: bool(v["pretrain_only"])),
        "only affects fine-tuning, but --pretrain-only stops before it",
        LEAVE_ONE,
    ),
    Rule(
        ("lr", "epochs", "patience", "batch_size", "views", "compile", "balance"),
        _new(_frozen),
        "only affects training the encoder, but this encoder is not trained",
        "choose another --encoder, or omit this option",
    ),
    Rule(
        ("autocast",),
        _new(lambda v: _frozen(v) and v["autocast"] not in ("auto", "off")),
        "only affects training the encoder, but this encoder is not trained",
        "choose another --encoder, or omit this option",
    ),
)

DEMO = (
    Rule(
        ("groups",),
        lambda v: v["data"] is None,
        "only applies to --data; the built-in surfaces have their own groups",
        "pass images with --data, or omit this option",
    ),
)

PICK = (
    Rule(
        ("scale",),
        lambda v: v["run"] is not None,
        "sets the scale of the images, but --run has its own",
        LEAVE_ONE,
    ),
)

STUDY = (
    Rule(
        ("processes",),
        lambda v: bool(v["plan"]),
        "only affects running the study, but --plan only lists it",
        LEAVE_ONE,
    ),
    Rule(
        ("baselines",),
        lambda v: "none" in v["baselines"] and len(v["baselines"]) > 1,
        "none means no baselines, but another one is given too",
        LEAVE_ONE,
    ),
    Rule(
        ("tile", "scale"),
        lambda v: v["geometry"] == "stretch",
        "only applies to tiles, but --geometry stretch resizes images",
        LEAVE_ONE,
    ),
)


def _all_frozen(values: Values) -> bool:
    from edgecl.learning.config import FROZEN_ENCODERS

    return all(name in FROZEN_ENCODERS for name in values["encoders"])


STUDY_GRID = (
    Rule(
        ("tile", "scale", "image_size"),
        lambda v: v["geometry"] == "auto",
        "states a geometry, but --geometry auto chooses one",
        "omit this option, or use --geometry tiles or stretch",
    ),
    Rule(
        ("image_size",),
        lambda v: bool(v["tile"]),
        "only affects images that are resized, but with tiles they keep their own scale",
        "use --tile for the size of the tiles, or --geometry stretch",
    ),
    Rule(
        ("scale",),
        lambda v: not v["tile"],
        "only applies to tiles, but images are resized",
        "add --tile, or omit this option",
    ),
    Rule(
        ("roi", "flat"),
        lambda v: not v["data"] and not v["unlabelled"],
        "only affects image files, but the built-in surfaces are drawn",
        "pass images with --data, or omit this option",
    ),
    Rule(
        ("groups",),
        lambda v: not v["data"],
        "only applies to --data; the built-in surfaces have their own groups",
        "pass images with --data, or omit this option",
    ),
    Rule(
        ("leaky",),
        lambda v: "paper" not in v["arms"],
        "only affects the arm 'paper', which is not in this study",
        "add --arm paper, or omit this option",
    ),
    Rule(
        ("draws",),
        lambda v: all(share == 1 for share in v["label_shares"]),
        "sets how often a share of the labels is drawn, but all labels are used",
        "add a --label-share below 1, or omit this option",
    ),
    Rule(
        ("methods", "arms", "pretrain_epochs", "unlabelled", "leaky"),
        _all_frozen,
        "only affects pretraining, but no encoder of this study is pretrained",
        "choose another --encoder, or omit this option",
    ),
)
"""Rules on the values of the grid, once its preset or folder is known."""

TRAIN_NOTES = (
    # Whoever compares methods varies --method alone, over one command line.
    Rule(
        _PRETRAINING,
        _new(lambda v: v["method"] == "none" and v["pretrained"] is None),
        "no effect, because --method none does not pretrain",
    ),
)
