"""A study's grid, and the training runs that fill it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgecl.learning.config import (
    ENCODER_NAMES,
    FROZEN_ENCODERS,
    METHODS,
    TrainConfig,
    known_values,
    views_of,
)
from edgecl.learning.recipes import LINE, RECIPES
from runtime.artifact.tiling import TILES
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
            method: what is compared must differ in nothing else.
    """

    encoder: str
    method: str
    arm: str
    protocol: str
    label_share: float
    views: str = "zoom"


@dataclass(frozen=True)
class Cell:
    """One training run of a study.

    Args:
        name: its folder.
        config: its choices, but for the folder of the pretraining that it takes over.
        needs: the cell whose pretraining it takes over; empty for none.
        condition: what it is evaluated as; None for a pretraining.
    """

    name: str
    config: TrainConfig
    needs: str = ""
    condition: Condition | None = None


def cells(study: Study) -> list[Cell]:
    """List all runs of a study: each pretraining before those that take it over.

    A pretraining on the clean arm depends on no split: one per encoder, method and seed serves
    all folds. Where the train part is pretrained on, each fold has its own. Label shares and
    draws share theirs.

    Raises:
        InputError: see `Study.check`.
    """
    study.check()
    found: dict[str, Cell] = {}
    for seed in study.seeds:
        for encoder in (*study.encoders, *study.baselines):
            for cell in _of_encoder(study, encoder, seed):
                found.setdefault(cell.name, cell)
    return list(found.values())


def _of_encoder(study: Study, encoder: str, seed: int) -> Iterator[Cell]:
    base = TrainConfig(
        data=study.data,
        groups=study.groups,
        encoder=encoder,
        method="none",
        self_train=study.self_train,
        roi=study.roi,
        flat=study.flat,
        **_geometry(study),
        channels=study.channels,
        interpolation=study.interpolation,
        folds=study.folds,
        pretrain_epochs=study.pretrain_epochs,
        epochs=study.epochs,
        batch_size=study.batch_size,
        pretrain_lr=study.pretrain_lr,
        lr=study.lr,
        patience=study.patience,
        queue_size=study.queue_size,
        autocast=study.autocast,
        seed=seed,
    )
    baseline = encoder in study.baselines and encoder not in study.encoders
    protocols = [GROUPED] + [LEAKY] * (PAPER in study.arms)
    for fold in range(study.folds):
        for protocol in protocols:
            shares = (1.0,) if baseline else _shares(study, protocol)
            fixed = baseline or encoder in FROZEN_ENCODERS
            for views in ("auto",) if fixed else _baseline_views(study, protocol):
                at = replace(base, fold=fold, split=protocol, views=views)
                yield from _evaluations(study, at, NO_ARM, shares)
    if baseline or encoder in FROZEN_ENCODERS:
        return
    for method in study.methods:
        for arm in study.arms:
            for fold in range(study.folds):
                at = replace(
                    base, method=method, fold=fold, split=LEAKY if arm == PAPER else GROUPED
                )
                pretraining = _pretraining(study, at, arm)
                yield pretraining
                shares = _shares(study, at.split)
                at = replace(at, allow_leak=arm == PAPER)
                yield from _evaluations(study, at, arm, shares, needs=pretraining.name)


def _geometry(study: Study) -> dict[str, Any]:
    """Return what decides how the images are looked at, as fields of `TrainConfig`."""
    if not study.tile:
        return {"image_size": study.image_size}
    line = {name: value for name, value in RECIPES[LINE].items() if name != "lr"}
    return line | {"geometry": TILES, "image_size": study.tile, "scale": study.scale}


def _baseline_views(study: Study, protocol: str) -> tuple[str, ...]:
    """Views to train in without pretraining: SimCLR's, and those of the methods beside it.

    Under the leaky protocol, where only the protocols are compared, the first will do.
    """
    if study.tile:
        return ("auto",)
    more = {views_of(method) for method in study.methods} - {views_of("none")}
    return ("auto", *(sorted(more) if protocol == GROUPED else ()))


def _shares(study: Study, protocol: str) -> tuple[float, ...]:
    """Limit the leaky protocol to all labels, where it shows its inflation."""
    return study.label_shares if protocol == GROUPED else (1.0,)


def _pretraining(study: Study, at: TrainConfig, arm: str) -> Cell:
    config = replace(
        at,
        fold=0 if arm == CLEAN else at.fold,
        pretrain_only=True,
        pretrain_on="unlabelled" if arm == CLEAN else "all",
        unlabelled=(*study.unlabelled, *study.leaky) if arm == PAPER else study.unlabelled,
        allow_leak=arm == PAPER,
    )
    fold = "" if arm == CLEAN else f"-f{config.fold}"
    name = f"pretraining/{config.encoder}-{config.method}-{arm}-s{config.seed}{fold}"
    return Cell(name, config)


def _evaluations(
    study: Study, at: TrainConfig, arm: str, shares: tuple[float, ...], *, needs: str = ""
) -> Iterator[Cell]:
    for share in shares:
        for draw in range(study.draws if share < 1 else 1):
            config = replace(at, label_share=share, label_draw=draw)
            views = at.views_used
            condition = Condition(at.encoder, at.method, arm, at.split, share, views)
            parts = [at.encoder, at.method]
            parts += [views] if at.views != "auto" else []
            parts += [arm] if arm != NO_ARM else []
            parts += [at.split, f"s{at.seed}", f"f{at.fold}"]
            parts += [f"{100 * share:g}pc", f"d{draw}"] if share < 1 else []
            yield Cell("runs/" + "-".join(parts), config, needs, condition)


def _require_known(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"unknown {what} {name!r}", hint=f"choose from {', '.join(known)}")
