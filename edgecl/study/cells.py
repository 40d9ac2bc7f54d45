"""Training runs that fill a study's grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from edgecl.learning.config import AUTO, FROZEN_ENCODERS, TrainConfig, views_of
from edgecl.learning.recipes import LINE, RECIPES
from edgecl.study.grid import CLEAN, GROUPED, LEAKY, NO_ARM, PAPER, Condition, Study
from runtime.artifact.tiling import GEOMETRIES, TILES


@dataclass(frozen=True)
class Cell:
    """One training run of a study.

    Args:
        name: its folder.
        config: its choices, but for the folder of the pretraining that it takes over.
        needs: the cell whose pretraining it takes over; empty for none. Where the geometry is not
            known yet, without the name of the geometry.
        condition: what it is evaluated as; None for a pretraining.
        chosen_by: the cell without pretraining that chooses its geometry by the same labels; empty
            where it chooses itself, or nothing is to be chosen.
        only_in: the geometry that a pretraining is there for; empty for whatever the study has.
    """

    name: str
    config: TrainConfig
    needs: str = ""
    condition: Condition | None = None
    chosen_by: str = ""
    only_in: str = ""

    @property
    def waits(self) -> bool:
        """Whether it cannot begin before another cell has chosen a geometry."""
        return self.config.geometry == AUTO and bool(self.chosen_by or self.only_in)


def cells(study: Study) -> list[Cell]:
    """List all runs of a study: each pretraining before those that take it over.

    A pretraining on the clean arm depends on no split: one per encoder, method and seed serves
    all folds. Where the train part is pretrained on, each fold has its own. Label shares and
    draws share theirs. Where runs choose their geometry, there is one for each that they may
    choose; `settled` of `edgecl.study.geometry` leaves out what none of them chose.

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
                if study.geometry == AUTO:
                    for kind in GEOMETRIES:
                        name = named_in(pretraining.name, kind)
                        yield replace(pretraining, name=name, only_in=kind)
                else:
                    yield pretraining
                shares = _shares(study, at.split)
                at = replace(at, allow_leak=arm == PAPER)
                yield from _evaluations(study, at, arm, shares, needs=pretraining.name)


def named_in(pretraining: str, geometry: str) -> str:
    """Return the name of the cell that is a pretraining in one geometry."""
    return f"{pretraining}-{geometry}"


def _geometry(study: Study) -> dict[str, Any]:
    """Return what decides how the images are looked at, as fields of `TrainConfig`."""
    line = {name: value for name, value in RECIPES[LINE].items() if name != "lr"}
    if study.geometry == AUTO:
        return line | {"geometry": AUTO, "views": "zoom"}
    if not study.tile:
        return {"image_size": study.image_size}
    return line | {"geometry": TILES, "image_size": study.tile, "scale": study.scale}


def _baseline_views(study: Study, protocol: str) -> tuple[str, ...]:
    """Views to train in without pretraining: SimCLR's, and those of the methods beside it.

    Under the leaky protocol, where only the protocols are compared, the first will do.
    """
    if study.geometry == AUTO:
        return ("zoom",)
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
            open_yet = at.geometry == AUTO
            views = AUTO if open_yet else at.views_used
            condition = Condition(at.encoder, at.method, arm, at.split, share, views)
            few = (f"{100 * share:g}pc", f"d{draw}") if share < 1 else ()
            last = (at.split, f"s{at.seed}", f"f{at.fold}", *few)
            named = (views,) if at.views != "auto" and not open_yet else ()
            parts = (at.encoder, at.method, *named, *((arm,) if arm != NO_ARM else ()), *last)
            chooser = _run((at.encoder, "none", *last)) if open_yet and needs else ""
            yield Cell(_run(parts), config, needs, condition, chooser)


def _run(parts: tuple[str, ...]) -> str:
    return "runs/" + "-".join(parts)
