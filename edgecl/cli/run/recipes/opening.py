"""Opening of another recipe beside a running stream of `edgecl run`."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.run.model.opening import threads_per_worker
from edgecl.cli.run.opening import settings_of
from runtime.errors import EdgeclError, InputError

if TYPE_CHECKING:
    from edgecl.cli.run.cameras import CameraChoice
    from edgecl.cli.run.choices import RunChoices
    from runtime.artifact.bundle import Bundle
    from runtime.camera import Camera
    from runtime.progress import Say
    from runtime.session import Session
    from runtime.stream.recipes.opened import OpenedRecipe


class LineRecipes:
    """Opens the recipes that the choices name.

    Args:
        choices: of the command.
        context: of the command.
        cameras: with their choices, by name; the only one's name is empty.
        running: a session of the recipe that judges first: what was the fastest for that is not
            looked for again.
        say: is told, in one line each, what is done otherwise than was asked for.
    """

    def __init__(
        self,
        choices: RunChoices,
        context: click.Context,
        cameras: Mapping[str, tuple[CameraChoice, Camera]],
        running: Session,
        say: Say,
    ) -> None:
        self._choices = choices
        self._context = context
        self._cameras = cameras
        self._engine, self._precision = running.engine, running.precision
        self._told: set[str] = set()
        self._tell = say
        self._recipes = {recipe.id: recipe for recipe in choices.recipes}

    def _say(self, text: str) -> None:
        """Say what is done otherwise than was asked for, once: recipes change all day."""
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

    def renewed(self, choices: RunChoices, context: click.Context) -> LineRecipes:
        """Return what opens the recipes of other choices, as this one would.

        Args:
            choices: of a configuration that was read again.
            context: which knows where its values stand.
        """
        other = copy(self)
        other._choices, other._context = choices, context
        other._recipes = {recipe.id: recipe for recipe in choices.recipes}
        return other

    def open(self, name: str) -> OpenedRecipe:
        """Open a recipe.

        Raises:
            InputError: it cannot be opened, is not signed, or does not fit its rules or a camera.
        """
        from runtime.realtime import threads_take_part
        from runtime.stream.recipes.opened import OpenedRecipe
        from runtime.stream.recipes.recipe import LineRecipe, RecipeMark
        from runtime.stream.sharing.pool import SessionPool

        recipe = self._recipes[name]
        choices = self._choices.with_recipe(recipe)
        bundle = self.verified(recipe.model)
        opened = OpenedRecipe({})
        try:
            with threads_take_part():
                sessions = self.sessions(choices, bundle)
            for session in sessions:
                opened.held.callback(session.close)
            pool = SessionPool(sessions)
            choices.require_labels(bundle.contract.labels, self._context)
            rules, novelty = choices.rules(self._context), choices.novelty(bundle, self._say)
            mark = RecipeMark.of(name, bundle.path, bundle.manifest)
            made = {}
            for camera_name, (chosen, camera) in self._cameras.items():
                alone = len(sessions) == 1 and not camera_name
                session = sessions[0] if alone else pool.for_camera(camera_name or "camera")
                health = choices.health_of(chosen, bundle.manifest.scene, self._context)
                try:
                    settings = settings_of(
                        chosen, camera, session, rules, health, novelty, self._say
                    )
                except EdgeclError as error:
                    raise InputError(error.problem, hint=error.hint, code="recipe-unfit") from error
                made[camera_name] = LineRecipe.of(
                    session, settings, mark, str(recipe.model), bundle.manifest.scene
                )
        except BaseException:
            opened.held.close()
            raise
        return replace(opened, recipes=made)

    def verified(self, model: Path) -> Bundle:
        """Read a bundle, verify its files, and its signature where `--verify-key` asks for one.

        Raises:
            InputError: it cannot be read, was changed, or is not signed by that key.
        """
        from runtime.artifact.bundle import load_bundle
        from runtime.artifact.signature import require_signed

        bundle = load_bundle(model)
        if self._choices.verify_key is not None:
            try:
                require_signed(bundle, self._choices.verify_key)
            except EdgeclError as error:
                raise InputError(error.problem, hint=error.hint, code="recipe-unsigned") from error
        return bundle

    def sessions(self, choices: RunChoices, bundle: Bundle) -> list[Session]:
        """Open a session per worker, in what was the fastest for the first recipe if it can be.

        Nothing is measured: a measurement would take the cores from the stream.

        Raises:
            InputError: it cannot be opened.
        """
        from edgecl.cli.engine_choices import engine_builder
        from runtime.session.opening import open_fastest
        from runtime.session.spec import AUTO, ENGINES, GPU

        builder = engine_builder(
            choices.building(),
            lambda stage, done, total, text: None,
            self._say,
            own_only=choices.verify_key is not None,
        )
        precision, engine = choices.precision, choices.engine
        if engine == AUTO and ENGINES[self._engine].device != GPU:
            engine = self._engine
        if precision == AUTO and self._precision in bundle.precisions:
            precision = self._precision
        sessions: list[Session] = []
        try:
            for _ in range(choices.workers):
                session, _ = open_fastest(
                    bundle,
                    precision,
                    engine=engine,
                    threads=choices.threads or threads_per_worker(choices.workers),
                    device=choices.device,
                    engine_for=builder,
                    server=choices.server(),
                    report=self._say,
                )
                sessions.append(session)
        except BaseException:
            for session in sessions:
                session.close()
            raise
        return sessions
