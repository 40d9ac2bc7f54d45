"""Labels that by their name alone let a part pass."""

from __future__ import annotations

from collections.abc import Sequence

USUAL = frozenset(
    {"clean", "good", "ok", "normal", "pass", "defect-free", "defect_free", "no_defect", "none"}
)


def usual_pass_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return those of `labels` that usually name parts without a defect."""
    return tuple(name for name in labels if name.lower() in USUAL)


def passing_classes(labels: Sequence[str]) -> tuple[int, ...]:
    """Return the class numbers of `usual_pass_labels`."""
    usual = usual_pass_labels(labels)
    return tuple(number for number, name in enumerate(labels) if name in usual)
