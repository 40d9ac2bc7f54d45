"""INT8 in all its forms as the gate decided, with remedies where it refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from export.job import DataPart, Job
from export.stages.artefact import Artefact, judge
from export.stages.int8 import Int8Parts, Int8Plan, calibrate_int8, require_layers
from export.stages.int8_graphs import int8_graphs
from export.stages.int8_images import choose_images
from export.stages.int8_trials import trials_of
from export.stages.remedies.attempts import Attempts
from export.stages.remedies.deadline import Deadline
from export.stages.remedies.forms import Int8Forms
from export.stages.remedies.seeking import Remedies
from runtime.artifact.manifest import RemedyRecord
from runtime.progress import Say, StageProgress


@dataclass(frozen=True)
class Int8Judged:
    """INT8 as planned, made and judged.

    Args:
        plan: how it was calibrated.
        artefacts: one of each form that could be made.
        unmade: by form, why there is no graph of it.
        remedies: those tried, in order.
        notes: what the user should know of them.
    """

    plan: Int8Plan
    artefacts: tuple[Artefact, ...]
    unmade: Mapping[str, str] = field(default_factory=dict)
    remedies: tuple[RemedyRecord, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> frozenset[str]:
        """Names of the forms that do not ship."""
        failing = {artefact.name for artefact in self.artefacts if artefact.reason}
        return frozenset(failing | set(self.unmade))


def export_int8(
    job: Job, candidates: DataPart, forms: Int8Forms, step: Say, report: StageProgress
) -> Int8Judged:
    """Calibrate, quantise and judge INT8; where it is refused, look for a remedy.

    Args:
        candidates: the images that calibration may choose from; of cut ones, one tile each.
        forms: the network in its forms. Files of those judged stay in their folder.
        step: told before the images are compared.

    Raises:
        InputError: INT8 cannot be calibrated as asked.
    """
    fp32 = forms.fp32.model
    require_layers(fp32, job.int8.keep)
    choose = partial(
        choose_images,
        candidates=candidates,
        test=job.test,
        classifier=job.classifier,
        seed=job.seed,
    )
    trials = trials_of(fp32, forms.reference, forms.folder, seed=job.seed)
    images = choose(job.int8, report=report)
    parts = calibrate_int8(job.int8, images, trials, forms.within_limits, report)
    judged = _judged(parts, forms, forms.folder, step)
    refused = frozenset(each.name for each in judged.artefacts if each.lost_too_much)
    if not refused or job.remedy_seconds <= 0:
        return judged
    attempts = Attempts(
        _own_folder(forms, "trial"),
        refused,
        frozenset(each.name for each in judged.artefacts if each.unproven),
    )
    remedies = Remedies(
        parts,
        job.int8,
        trials,
        len(candidates),
        lambda choices, watched: choose(choices, report=watched),
        attempts,
        Deadline.after(job.remedy_seconds),
        report,
    )
    tried = remedies.seek()
    if attempts.best is None:
        return replace(judged, remedies=tried)
    apart = _own_folder(forms, "remedied")
    found = _judged(attempts.best, forms, apart.folder, lambda text: report("remedies", 1, 1, text))
    saved = judged.refused - found.refused
    if found.refused - judged.refused or not saved:
        # What answers well is refused all the same where NVIDIA's builder does not compile it.
        why = "; ".join(each.reason for each in found.artefacts if each.reason)
        last = RemedyRecord(remedy="the best of these", outcome="fails", result=why, seconds=0.0)
        return replace(judged, remedies=(*tried, last))
    how = [each.remedy for each in tried if each.outcome in ("ships", "helps")][-1]
    notes = [
        f"{each.name} ships after a remedy ({how}); at first it did not: {each.reason}"
        for each in judged.artefacts
        if each.name in saved
    ]
    return replace(found, remedies=tried, notes=tuple(notes))


def _judged(parts: Int8Parts, forms: Int8Forms, folder: Path, step: Say) -> Int8Judged:
    plan = parts.plan(forms.fp32.model)
    graphs = int8_graphs(plan.ranges, plan.kept, forms.fp32, forms.half, forms.overflow)
    artefacts = [judge(each, forms.reference, folder, step) for each in graphs.proposals]
    return Int8Judged(plan, tuple(artefacts), dict(graphs.refused))


def _own_folder(forms: Int8Forms, name: str) -> Int8Forms:
    """Return the same forms with a folder of their own inside the folder."""
    folder = forms.folder / name
    folder.mkdir()
    return replace(forms, folder=folder)
