"""A study's figures: every condition with its interval, and the paired comparisons between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from dataclasses import replace as changed
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from edgecl.study.cells import cells
from edgecl.study.documents import (
    ComparisonKind,
    ConditionFigures,
    Failure,
    PretrainingSpeed,
    StudyComparison,
    StudySummary,
)
from edgecl.study.execution import count_done
from edgecl.study.geometry import geometry_figures, settled
from edgecl.study.grid import GROUPED, NO_ARM, Condition, Study
from edgecl.study.outcomes import ConditionOutcome, collect, pretraining_speeds
from edgecl.study.published import CLASSES, ROWS
from edgecl.study.statistics import holm, mean_by_groups, paired_difference
from runtime.files.document import write_document

SUMMARY = "summary.json"
PRETRAINING: ComparisonKind = "pretraining"
INFLATION: ComparisonKind = "inflation"


def summarise(study: Study, folder: Path, failures: Sequence[Failure] = ()) -> StudySummary:
    """Read what is done, work the figures out, and write summary.json.

    Returns:
        What summary.json holds: `done` and `total` runs, `conditions`, `comparisons`, `failures`,
        the `grid`, and the
        `geometries` that were chosen.

    Raises:
        InputError: a finished run's files are damaged.
    """
    everything = settled(folder, cells(study), {failure.cell for failure in failures})
    outcomes = collect(folder, everything)
    speeds = pretraining_speeds(folder, everything)
    comparisons = list(_comparisons(outcomes))
    adjusted = holm([entry.p for entry in comparisons])
    summary = StudySummary(
        grid=study,
        done=count_done(folder, everything),
        total=len(everything),
        conditions=tuple(_condition(outcome, speeds) for outcome in outcomes),
        comparisons=tuple(
            replace(entry, p_holm=p) for entry, p in zip(comparisons, adjusted, strict=True)
        ),
        failures=tuple(failures),
        geometries=geometry_figures(folder, everything),
    )
    write_document(folder / SUMMARY, summary)
    return summary


def _condition(
    outcome: ConditionOutcome, speeds: dict[tuple[str, str, str], PretrainingSpeed]
) -> ConditionFigures:
    condition, result = outcome.condition, outcome.result
    # The paper's figures are of NEU; beside those of other classes they would mean nothing.
    is_neu = result.labels == CLASSES
    worst = min(outcome.recall, key=outcome.recall.__getitem__)
    return ConditionFigures(
        **asdict(condition),
        accuracy=mean_by_groups(outcome.right, outcome.groups),
        accuracy_per_repeat=outcome.accuracy_per_repeat,
        macro_f1=outcome.macro_f1,
        recall=outcome.recall,
        lowest_recall=(worst, outcome.recall[worst]),
        images=len(outcome.files),
        groups=len(set(outcome.groups)),
        runs=outcome.runs,
        expected_runs=outcome.expected_runs,
        parameters=result.parameters,
        macs=result.macs,
        epoch_seconds=outcome.epoch_seconds,
        pretraining=speeds.get((condition.encoder, condition.method, condition.arm)),
        published=ROWS.get((condition.encoder, condition.method)) if is_neu else None,
    )


def _comparisons(outcomes: Sequence[ConditionOutcome]) -> Iterator[StudyComparison]:
    """Pretraining against none, and the leaky protocol against the grouped one."""
    known = {outcome.condition: outcome for outcome in outcomes}
    for condition in known:
        if condition.protocol == GROUPED and condition.arm != NO_ARM:
            other = changed(condition, method="none", arm=NO_ARM)
            yield from _compare(PRETRAINING, known, condition, other)
        elif condition.protocol != GROUPED:
            for arm in (NO_ARM,) if condition.arm == NO_ARM else ("clean", "in-domain"):
                other = changed(condition, arm=arm, protocol=GROUPED)
                yield from _compare(INFLATION, known, condition, other)


def _compare(
    kind: ComparisonKind,
    known: dict[Condition, ConditionOutcome],
    first: Condition,
    second: Condition,
) -> Iterator[StudyComparison]:
    if second not in known:
        return
    a, b = known[first], known[second]
    common = sorted(set(a.files) & set(b.files))
    if not common:
        return
    place_a = {file: row for row, file in enumerate(a.files)}
    place_b = {file: row for row, file in enumerate(b.files)}
    rows_a = np.array([place_a[file] for file in common])
    rows_b = np.array([place_b[file] for file in common])
    found = paired_difference(
        a.right[rows_a], b.right[rows_b], [a.groups[row] for row in rows_a.tolist()]
    )
    yield StudyComparison(
        kind=kind,
        first=first,
        second=second,
        difference=found.estimate,
        p=found.p,
        images=found.images,
        p_holm=found.p,
    )
