"""Geometries that a study's runs chose, and what the runs that follow them take of it.

A run without pretraining compares tiles with whole images on the labelled images of its own train
part. What is pretrained and then fine-tuned on the same labels takes its choice, so that both
differ in nothing else, and nothing is chosen by an image that is tested.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from edgecl.learning.config import AUTO, TrainConfig
from edgecl.learning.documents import ComparedChoices, RunConfig
from edgecl.learning.run import run_directory
from edgecl.learning.run.geometries import taken
from edgecl.study.cells import Cell, named_in
from edgecl.study.documents import CandidateGeometry, GeometryFigures


def settled(folder: Path, everything: Sequence[Cell], lost: Collection[str] = ()) -> list[Cell]:
    """Return a study's cells with the geometries that are known by now.

    Pretrainings in a geometry that nobody took, or that only lost runs could take, are left out.

    Args:
        folder: of the study.
        everything: all cells, as the grid lists them.
        lost: names of cells that will never be done.

    Raises:
        InputError: a run's config.json is damaged.
    """
    chosen = {
        cell.name: begun.choices
        for cell in everything
        if cell.config.geometry == AUTO and not cell.waits
        if (begun := _begun(folder, cell)) is not None and begun.geometry is not None
    }
    runs = [_with_choice(cell, chosen) for cell in everything]
    followers: dict[str, list[Cell]] = defaultdict(list)
    for cell in runs:
        if cell.needs:
            followers[cell.needs].append(cell)
    found = []
    for cell in runs:
        if cell.only_in:
            mine = followers[cell.name]
            open_yet = [
                one
                for one in followers[cell.name.removesuffix(named_in("", cell.only_in))]
                if one.name not in lost
            ]
            if mine:
                cell = replace(cell, config=taken(cell.config, mine[0].config))
            elif not open_yet:
                continue
        found.append(cell)
    return found


def geometry_figures(folder: Path, everything: Sequence[Cell]) -> tuple[GeometryFigures, ...]:
    """Return what was chosen, by encoder, protocol and share of the labels, as far as it is known.

    Raises:
        InputError: a run's config.json is damaged.
    """
    by_labels: dict[tuple[str, str, float], list[ComparedChoices]] = defaultdict(list)
    for cell in everything:
        condition = cell.condition
        if condition is None or cell.chosen_by:
            continue
        begun = _begun(folder, cell)
        if begun is not None and begun.geometry is not None:
            key = (condition.encoder, condition.protocol, condition.label_share)
            by_labels[key].append(begun.geometry)
    return tuple(
        GeometryFigures(
            encoder=encoder,
            protocol=protocol,
            label_share=share,
            runs=len(choices),
            candidates=_candidates(choices),
        )
        for (encoder, protocol, share), choices in by_labels.items()
    )


def _candidates(choices: Sequence[ComparedChoices]) -> tuple[CandidateGeometry, ...]:
    """Return all geometries that were compared or taken, the most frequently chosen first."""
    accuracies: dict[str, list[float]] = defaultdict(list)
    for choice in choices:
        accuracies[choice.chosen] += []
        for candidate in choice.candidates:
            accuracies[candidate.name].append(candidate.accuracy)
    found = [
        CandidateGeometry(
            name=name,
            chosen=sum(choice.chosen == name for choice in choices),
            accuracy=fmean(values) if values else None,
        )
        for name, values in accuracies.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.chosen))


def _begun(folder: Path, cell: Cell) -> RunConfig | None:
    run = folder / cell.name
    return run_directory.read_config(run) if (run / run_directory.CONFIG).exists() else None


def _with_choice(cell: Cell, chosen: Mapping[str, TrainConfig]) -> Cell:
    choices = chosen.get(cell.chosen_by or cell.name)
    if choices is None:
        return cell
    needs = named_in(cell.needs, choices.geometry) if cell.needs else ""
    return replace(cell, config=taken(cell.config, choices), needs=needs)
