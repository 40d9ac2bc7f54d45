"""Factors that a study crosses, and the conditions that it compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgecl.learning.config import AUTO, ENCODER_NAMES, METHODS, known_values
from runtime.errors import InputError

CLEAN, IN_DOMAIN, PAPER = "clean", "in-domain", "paper"
ARMS = (CLEAN, IN_DOMAIN, PAPER)
NO_ARM = "-"
GROUPED, LEAKY = "grouped", "paper"
STUDY_SCHEMA = 1


@dataclass(frozen=True)
class Study:
    """Factors that a study crosses.

    Every encoder is evaluated without pretraining and after each method on each arm, on every
    fold of every seed, with every share of the labels. The arms are where pretraining gets its
    images: `clean` from the unlabelled sets alone; `in-domain` from these and the train part,
    without labels; `paper` as in-domain, with the leaky sets too and on a random split, to
    measure what leaking is worth. All have the same budget of epochs.

    Args:
        data, groups: as in `TrainConfig`.
        unlabelled: sets that show nothing of `data`.
        leaky: sets that do, for the arm `paper` alone.
        encoders: trained with every method, and without.
        baselines: models to compare with, trained without pretraining on all labels.
        methods: of pretraining.
        arms: see above.
        seeds: of splits, weights and augmentation.
        folds: test parts per seed.
        label_shares: of the labels that fine-tuning sees, each in (0, 1].
        draws: how often a share below 1 is drawn.
        geometry: `auto`, with the choices of the `line` recipe, for what each run's labelled images
            show to be better; empty for tiles where `tile` is given, else stretched images.
        image_size: (height, width) in pixels, where images are stretched.
        tile: (height, width) of tiles, with the choices of the `line` recipe; empty to stretch.
        scale: factor on images before they are cut into tiles.
        roi, flat: as in `TrainConfig`, of all images.
        self_train: let a teacher label what has no label, in every run.
        channels, interpolation, pretrain_epochs, epochs, batch_size, pretrain_lr, rate,
            patience, queue_size, autocast: as in `TrainConfig`.
    """

    data: str = ""
    groups: str = ""
    unlabelled: tuple[str, ...] = ()
    leaky: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ("shufflenet",)
    baselines: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("simclr", "nnclr")
    arms: tuple[str, ...] = (CLEAN,)
    seeds: tuple[int, ...] = (0,)
    folds: int = 5
    label_shares: tuple[float, ...] = (1.0,)
    draws: int = 1
    geometry: str = ""
    image_size: tuple[int, int] = (128, 128)
    tile: tuple[int, ...] = ()
    scale: float = 1.0
    roi: str = ""
    flat: str = ""
    self_train: bool = False
    channels: int = 1
    interpolation: str = "auto"
    pretrain_epochs: int = 40
    epochs: int = 40
    batch_size: int = 32
    pretrain_lr: float = 1e-3
    lr: float = 5e-4
    patience: int = 15
    queue_size: int = 10_000
    autocast: str = "auto"

    def check(self) -> None:
        """Check that the grid can be run.

        Raises:
            InputError: a name that is not known, a share that is none, an arm without images.
        """
        _require_known("encoder", (*self.encoders, *self.baselines), ENCODER_NAMES)
        _require_known("method", self.methods, tuple(m for m in METHODS if m != "none"))
        _require_known("arm", self.arms, ARMS)
        if self.methods and not self.unlabelled and CLEAN in self.arms:
            raise InputError(
                "the arm 'clean' pretrains on unlabelled sets only, but none was given",
                hint="pass one with --unlabelled, or skip this arm with --arm in-domain",
            )
        if self.geometry not in ("", AUTO):
            raise InputError(
                f"the geometry {self.geometry!r} is neither {AUTO!r} nor empty",
                hint="give tiles with a tile's size, and whole images with an image size",
            )
        for share in self.label_shares:
            if not 0 < share <= 1:
                raise InputError(
                    f"a label share of {share:g} is not above 0 and at most 1",
                    hint="use shares such as 0.05",
                )

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` takes back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Study:
        """Read a grid back.

        Raises:
            InputError: a field that this version does not know.
        """
        return cls(**known_values(cls, value, where=where, hint="update edgecl"))


@dataclass(frozen=True)
class Condition:
    """Condition to compare: everything but seed, fold and draw.

    Args:
        encoder, method: by name.
        arm: where pretraining got its images; `NO_ARM` without pretraining.
        protocol: of the split, `grouped` or `paper`.
        label_share: in (0, 1].
        views: the augmentation. Without pretraining there is one condition for the views of each
            method: what is compared must differ in nothing else. `auto` where each run chooses its
            geometry: those of tiles, or SimCLR's for whole images, whatever the method.
    """

    encoder: str
    method: str
    arm: str
    protocol: str
    label_share: float
    views: str = "zoom"


def _require_known(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"unknown {what} {name!r}", hint=f"choose from {', '.join(known)}")
