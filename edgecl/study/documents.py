"""summary.json of a study: every condition with its interval, and the comparisons."""

from __future__ import annotations

from typing import ClassVar, Literal

from edgecl.study.grid import STUDY_SCHEMA, Condition, Study
from edgecl.study.published import Published
from runtime.files.document import Document, Part

ComparisonKind = Literal["pretraining", "inflation"]
"""Pretraining against none, or the leaky protocol against the grouped one."""


class Estimate(Part, frozen=True):
    """A mean with its 95 % interval, both shares.

    Args:
        value: the mean.
        low, high: ends of the interval.
    """

    value: float
    low: float
    high: float


class Failure(Part, frozen=True):
    """A run that could not be finished.

    Args:
        cell: its name.
        reason: one line.
    """

    cell: str
    reason: str


class PretrainingSpeed(Part, frozen=True, kw_only=True):
    """Speed and outcome of an encoder's pretraining.

    Args:
        step_seconds: median time of a step, two views of a batch.
        images_per_second: images, each in two views.
        probe_accuracy, knn_accuracy: of the frozen encoder at the end, on validation parts, mean.
        contrastive_accuracy: in the last epoch, mean.
        runs: how many pretrainings there were.
        learnt_nothing: how many of them ended at the loss of chance.
    """

    step_seconds: float
    images_per_second: float
    probe_accuracy: float
    knn_accuracy: float
    contrastive_accuracy: float
    runs: int
    learnt_nothing: int


class ConditionFigures(Part, frozen=True, kw_only=True):
    """A condition, over all its seeds, folds and draws.

    Args:
        encoder, method, arm, protocol, label_share, views: see `Condition`.
        accuracy_per_repeat: of each seed and draw whose folds are all done.
        macro_f1: mean over these; None where there are none.
        recall: per class.
        lowest_recall: the class, and its recall.
        images, groups: that were tested.
        runs, expected_runs: how many are in it, and how many there are to be.
        parameters, macs: of the encoder.
        epoch_seconds: median time of a fine-tuning epoch.
        pretraining: None without one.
        published: the paper's figures; None where they do not compare.
    """

    encoder: str
    method: str
    arm: str
    protocol: str
    label_share: float
    views: str = "zoom"
    accuracy: Estimate
    accuracy_per_repeat: dict[str, float]
    macro_f1: float | None
    recall: dict[str, float]
    lowest_recall: tuple[str, float]
    images: int
    groups: int
    runs: int
    expected_runs: int
    parameters: int
    macs: int
    epoch_seconds: float
    pretraining: PretrainingSpeed | None
    published: Published | None

    @property
    def condition(self) -> Condition:
        """The condition that was evaluated."""
        return Condition(
            self.encoder, self.method, self.arm, self.protocol, self.label_share, self.views
        )


class StudyComparison(Part, frozen=True, kw_only=True):
    """Two conditions on the same images.

    Args:
        difference: of the first one's accuracy minus the second one's.
        p: two-sided, of a sign-flip test over groups.
        images: how many were answered under both.
        p_holm: `p`, adjusted for the number of comparisons.
    """

    kind: ComparisonKind
    first: Condition
    second: Condition
    difference: Estimate
    p: float
    images: int
    p_holm: float


class CandidateGeometry(Part, frozen=True, kw_only=True):
    """A geometry that runs could choose.

    Args:
        name: for people.
        chosen: how many runs chose it.
        accuracy: of networks in it on labelled images of the train part that they had not learnt
            from, 0 to 1, mean over the runs; None where there was no comparison.
    """

    name: str
    chosen: int
    accuracy: float | None


class GeometryFigures(Part, frozen=True, kw_only=True):
    """Geometries that the runs without pretraining chose, and those after pretraining took.

    Args:
        encoder, protocol, label_share: see `Condition`.
        runs: how many have chosen.
        candidates: the most frequently chosen first.
    """

    encoder: str
    protocol: str
    label_share: float
    runs: int
    candidates: tuple[CandidateGeometry, ...]


class StudySummary(Document, frozen=True, kw_only=True):
    """Figures of a study, as far as it is done.

    Args:
        done, total: runs.
        geometries: that runs chose; empty where the grid states one.
    """

    WHAT: ClassVar[str] = "a study summary"
    REMEDY: ClassVar[str] = "run 'edgecl study' on that folder again"
    NEWEST: ClassVar[int] = STUDY_SCHEMA

    schema: int = STUDY_SCHEMA
    grid: Study
    done: int
    total: int
    conditions: tuple[ConditionFigures, ...]
    comparisons: tuple[StudyComparison, ...]
    failures: tuple[Failure, ...]
    geometries: tuple[GeometryFigures, ...] = ()
