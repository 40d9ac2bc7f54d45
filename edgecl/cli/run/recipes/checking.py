"""Check of a running stream of `edgecl run`, beside its judges."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.run.recipes.opening import LineRecipes
from edgecl.cli.verb import naming_place
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.run.choices import RunChoices
    from runtime.progress import Say
    from runtime.stream.checking.checker import CheckPlan
    from runtime.stream.checking.report import CheckReport
    from runtime.stream.pipeline import Pipeline
    from runtime.stream.sinks import Sink


class StreamChecks:
    """Checks running streams. It opens a session of its own, so no frame waits for it.

    Args:
        choices: of the command.
        recipes: verify the bundle as for a change of recipe.
        pipelines: by the camera's name.
        sinks: may keep the reports.
        say: is told of each check, in one line.
    """

    def __init__(
        self,
        choices: RunChoices,
        recipes: LineRecipes,
        pipelines: Mapping[str, Pipeline],
        sinks: Sequence[Sink],
        say: Say,
    ) -> None:
        self._choices = choices
        self._recipes = recipes
        self._pipelines = pipelines
        self._sinks = tuple(sinks)
        self._say = say
        self._working = threading.Lock()

    def check(self) -> CheckReport:
        """Check the bundle that judges now, and what each camera sees.

        Raises:
            InputError: the bundle cannot be opened, or another check is under way.
        """
        if not self._working.acquire(blocking=False):
            raise InputError(
                "another check is under way", hint="wait for its report", code="check-busy"
            )
        try:
            report = self._checked()
        finally:
            self._working.release()
        for sink in self._sinks:
            sink.keep_check(report)
        told = "passed" if report.passed else f"FAILED: {'; '.join(report.failures)}"
        self._say(f"check {told}")
        return report

    def _checked(self) -> CheckReport:
        from runtime.stream.answering.answerer import Answerer
        from runtime.stream.checking.checker import LineCheck, frames_in_service

        plan = plan_of(self._choices)
        judging = next(iter(self._pipelines.values())).judges.recipe
        mark = judging.mark
        model = Path(judging.model) if judging.model else self._choices.model
        assert model is not None
        if model.is_file():
            raise InputError(
                f"{model} is a single file, but only whole bundles are checked",
                hint="run the stream with a bundle",
            )
        bundle = self._recipes.verified(model)
        precision = judging.session.precision
        choices = replace(self._choices, precision=precision, workers=1, threads=1)
        (opened,) = self._recipes.sessions(choices, bundle)
        with opened as session:
            session.view = judging.session.view
            answerer = Answerer(session, judging.rules, judging.novelty)
            check = LineCheck(plan, bundle, session, answerer, mark.id)
            return check.run(
                {
                    name or "camera": partial(frames_in_service, pipeline, plan.frames)
                    for name, pipeline in self._pipelines.items()
                }
            )


def require_checks(choices: RunChoices, context: click.Context) -> None:
    """Look for all that a check of the stream needs, before the stream begins.

    Args:
        choices: with the model that the stream begins with, where that is known.
        context: of the command, which knows where the values stand.

    Raises:
        InputError: a folder of parts cannot be used, or the reference cannot be read.
    """
    from runtime.artifact.bundle import manifest_beside
    from runtime.stream.checking.checks import require_parts
    from runtime.stream.checking.report import read_reference

    plan = plan_of(choices)
    models: dict[str, Path | None] = {recipe.id: recipe.model for recipe in choices.recipes}
    for recipe, model in (models or {"": choices.model}).items():
        folder = plan.parts_of(recipe)
        if folder is not None:
            manifest = None if model is None else manifest_beside(model)
            with naming_place(context, "check_parts"):
                require_parts(folder, manifest.contract.labels if manifest else ())
    if plan.reference is not None:
        with naming_place(context, "check_reference"):
            read_reference(plan.reference)


def plan_of(choices: RunChoices) -> CheckPlan:
    """Return what the choices let a check look at."""
    from runtime.stream.checking.checker import CheckPlan

    return CheckPlan(choices.check_parts, choices.check_wrong, choices.check_reference)


def looked_at_by_checks(choices: RunChoices) -> list[Path]:
    """Return the files and folders that checks of the stream look at, each once."""
    plan = plan_of(choices)
    parts = [plan.parts_of(recipe.id) for recipe in choices.recipes] or [plan.parts]
    return [path for path in dict.fromkeys((plan.reference, *parts)) if path is not None]
