"""The tables per class: recall with its interval, precision, and the confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgecl.learning.documents import RunResult
from edgecl.reporting.numbers import number
from runtime.statistics import share_interval


def class_rows(result: RunResult) -> tuple[list[dict[str, Any]], float]:
    """A row per class.

    Returns:
        The rows, and the share at which their scale starts (it ends at 1).
    """
    labels = result.labels
    matrix = confusion_counts(result)
    rows = [_row(number, label, labels, result, matrix) for number, label in enumerate(labels)]
    lowest = [row["interval"][0] if row["interval"] else row["recall"] for row in rows]
    start = min((value for value in lowest if value is not None), default=0.0)
    start = max(0.0, math.floor(start * 10) / 10)
    start = min(start, 0.9)
    for row in rows:
        row["mark"], row["band"] = None, None
        if row["recall"] is not None:
            row["mark"] = _place(row["recall"], start)
        if row["interval"]:
            low, high = (_place(end, start) for end in row["interval"])
            row["band"] = (low, round(high - low, 2))
    return rows, start


def confusion_counts(result: RunResult) -> tuple[tuple[int, ...], ...] | None:
    """The confusion matrix; None where it is not square over the labels."""
    matrix, size = result.confusion, len(result.labels)
    whole = len(matrix) == size and all(len(row) == size for row in matrix)
    return matrix if whole else None


def confusion_table(result: RunResult) -> dict[str, Any] | None:
    """The matrix with each cell's share of its row, for shading."""
    matrix = confusion_counts(result)
    if not matrix:
        return None
    labels = result.labels
    rows = []
    for number_, (label, counts) in enumerate(zip(labels, matrix, strict=True)):
        total = sum(counts) or 1
        cells = [
            {
                "count": count,
                "share": round(count / total, 3),
                "kind": "none" if not count else "right" if column == number_ else "wrong",
            }
            for column, count in enumerate(counts)
        ]
        rows.append({"label": label, "cells": cells})
    return {"labels": labels, "rows": rows}


def _row(
    index: int,
    label: str,
    labels: Sequence[str],
    result: RunResult,
    matrix: Sequence[Sequence[int]] | None,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "label": label,
        "recall": number(result.recall.get(label)),
        "auc": number(result.auc.get(label)),
        "count": None,
        "interval": None,
        "precision": None,
        "mistaken": None,
    }
    if matrix is None:
        return row
    right, total = matrix[index][index], sum(matrix[index])
    answered = sum(counts[index] for counts in matrix)
    others = [(count, labels[column]) for column, count in enumerate(matrix[index])]
    del others[index]
    most = max(others, default=(0, ""), key=lambda pair: pair[0])
    return {
        **row,
        # A class without an image in the test part has no recall, whatever the file says.
        "recall": row["recall"] if total else None,
        "count": total,
        "interval": share_interval(right, total) if total else None,
        "precision": right / answered if answered else None,
        "mistaken": (most[1], most[0]) if most[0] else None,
    }


def _place(share: float, start: float) -> float:
    """Return the position in per cent of the way from the scale's start to 1."""
    return round(100 * max(0.0, share - start) / (1 - start), 2)
