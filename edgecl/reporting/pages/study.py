"""The page of a study: the paper's tables as measured here, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from edgecl.learning.config import AUTO
from edgecl.reporting.numbers import amount, number, percent, percent_range
from edgecl.reporting.page import write_page
from edgecl.reporting.plots.study import label_curves, other_views
from edgecl.study.documents import (
    ConditionFigures,
    Estimate,
    GeometryFigures,
    StudyComparison,
    StudySummary,
)
from edgecl.study.grid import Condition, Study
from runtime.files.document import read_document

PAGE = "study.html"
SUMMARY = "summary.json"
METHOD_NAMES = {"simclr": "SimCLR", "nnclr": "NNCLR", "none": "none"}
PUBLISHED = ("accuracy", "macro_f1", "parameters", "contrastive_accuracy")


def study_page(folder: Path) -> Path:
    """Write `study.html` into a study's folder.

    Args:
        folder: with the summary.json that `edgecl study` wrote.

    Returns:
        The page's path.

    Raises:
        InputError: there is no readable summary.json, or the folder cannot be written.
    """
    summary = read_document(folder / SUMMARY, StudySummary)
    conditions, comparisons = summary.conditions, summary.comparisons
    full = [entry for entry in conditions if entry.label_share == 1]
    grouped = [entry for entry in full if entry.protocol == "grouped"]
    return write_page(
        "study.html",
        folder / PAGE,
        name=folder.absolute().name,
        subtitle=_subtitle(summary.grid, conditions),
        done=summary.done,
        total=summary.total,
        figures=_figures(grouped, comparisons),
        methods=[
            {
                "title": f"Table {number}. {METHOD_NAMES[method]}, fine-tuned on all labels",
                "rows": [_row(entry) for entry in full if entry.method == method],
            }
            for number, method in ((2, "simclr"), (3, "nnclr"))
            if any(entry.method == method for entry in full)
        ],
        pretrainings=[_row(entry) for entry in full if entry.pretraining],
        gains=[_gain(entry, conditions) for entry in comparisons if entry.kind == "pretraining"],
        others=sorted(
            (_row(entry) for entry in grouped if entry.method == "none"),
            key=lambda row: -row["accuracy"].value,
        ),
        inflation=[
            _gain(entry, conditions) for entry in comparisons if entry.kind != "pretraining"
        ],
        curves=label_curves(conditions),
        few=[_row(entry) for entry in conditions if entry.label_share < 1],
        geometries=[_geometry(found) for found in summary.geometries],
        failures=summary.failures,
        facts=_facts(summary.grid),
    )


def _subtitle(grid: Study, conditions: Sequence[ConditionFigures]) -> str:
    data = Path(grid.data).name if grid.data else "drawn surfaces"
    height, width = grid.tile or grid.image_size
    looked_at = f"{height}×{width} pixels" + (" in tiles" if grid.tile else "")
    if grid.geometry == AUTO:
        looked_at = "tiles or whole images, as each run's labels show"
    images = max((entry.images for entry in conditions), default=0)
    groups = max((entry.groups for entry in conditions), default=0)
    return (
        f"{data} · {images} images in {groups} groups · {looked_at} · "
        f"{grid.folds} folds × {len(grid.seeds)} seed(s) · at most "
        f"{grid.pretrain_epochs} + {grid.epochs} epochs"
    )


def _figures(
    grouped: Sequence[ConditionFigures], comparisons: Sequence[StudyComparison]
) -> list[tuple[str, str, str]]:
    figures = []
    if grouped:
        best = max(grouped, key=lambda entry: entry.accuracy.value)
        accuracy = best.accuracy
        figures += [
            (
                "Best, leak-free",
                percent(accuracy.value, 2),
                f"{_words(best)}; 95 %: {percent_range(accuracy.low, accuracy.high)}",
            ),
            (
                "Its parameters",
                amount(best.parameters),
                f"{amount(best.macs)}MAC per image",
            ),
            (
                "Its lowest recall",
                percent(best.lowest_recall[1]),
                str(best.lowest_recall[0]),
            ),
        ]
    for kind, name in (("pretraining", "Largest gain of pretraining"), ("inflation", "Leaks add")):
        entries = [entry for entry in comparisons if entry.kind == kind]
        if entries:
            top = max(entries, key=lambda entry: entry.difference.value)
            figures.append(
                (
                    name,
                    _points(top.difference.value),
                    f"points; {_words(top.first)}; 95 %: {_range(top.difference)}",
                )
            )
    return figures


def _row(entry: ConditionFigures) -> dict[str, Any]:
    """A condition for a table."""
    published = entry.published if entry.label_share == 1 else None
    return {
        **asdict(entry),
        "method": _joined(METHOD_NAMES.get(entry.method) or entry.method, other_views(entry)),
        "views": other_views(entry),
        "labels": f"{100 * entry.label_share:g} %",
        "published": published or dict.fromkeys(PUBLISHED),
        "whole": entry.runs == entry.expected_runs,
        "repeats": _spread(entry.accuracy_per_repeat),
    }


def _gain(entry: StudyComparison, conditions: Sequence[ConditionFigures]) -> dict[str, Any]:
    """A comparison for a table, with both sides' accuracies and the paper's difference."""
    first, second = (_find(side, conditions) for side in (entry.first, entry.second))
    there = [side.published.accuracy for side in (first, second) if side.published]
    known = entry.first.label_share == 1 and len(there) == 2
    return {
        **asdict(entry),
        "first": _row(first),
        "second": _row(second),
        "labels": f"{100 * entry.first.label_share:g} %",
        "gain": _points(entry.difference.value),
        "range": _range(entry.difference),
        "clear": entry.difference.low > 0 or entry.difference.high < 0,
        "paper": _points(there[0] - there[1]) if known else None,
    }


def _geometry(found: GeometryFigures) -> dict[str, Any]:
    """Geometries of one table's block: what was compared, and how often each was chosen."""
    return {**asdict(found), "labels": f"{100 * found.label_share:g} %"}


def _find(side: Condition, conditions: Sequence[ConditionFigures]) -> ConditionFigures:
    return next(entry for entry in conditions if entry.condition == side)


def _words(entry: ConditionFigures | Condition) -> str:
    method = METHOD_NAMES.get(entry.method, entry.method)
    how = f"{method}, {entry.arm}"
    how = _joined("no pretraining", other_views(entry)) if entry.method == "none" else how
    share = entry.label_share
    few = f", {100 * share:g} % of the labels" if share < 1 else ""
    return f"{entry.encoder}, {how}{few}"


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))


def _spread(repeats: Mapping[str, float]) -> str:
    values = [value for value in repeats.values() if number(value) is not None]
    if len(values) < 2:
        return ""
    return percent_range(min(values), max(values))


def _points(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", "−")


def _range(estimate: Estimate) -> str:
    return f"{_points(estimate.low)} to {_points(estimate.high)}"


def _facts(grid: Study) -> list[tuple[str, str]]:
    facts = []
    for name, value in grid.to_json().items():
        if value in ("", (), None):
            continue
        if name == "image_size" and (grid.tile or grid.geometry == AUTO):
            continue
        if name == "scale" and not grid.tile:
            continue
        words = ", ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
        facts.append((name.replace("_", " "), words))
    return facts
