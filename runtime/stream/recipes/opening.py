"""Recipes of a program's own stream, opened as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.artifact.bundle import Bundle, load_bundle
from runtime.errors import InputError
from runtime.novelty import novelty_beside
from runtime.session import Session, open_session
from runtime.session.opening import AUTO, default_threads
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.recipes.changer import RecipeChanger
from runtime.stream.recipes.opened import OpenedRecipe
from runtime.stream.recipes.recipe import LineRecipe, RecipeMark
from runtime.stream.sharing.pool import SessionPool


class RecipeBook:
    """Bundles by id, the first of them open.

    Args:
        bundles: by id, at least one.
        settings: of the streams. Rules and health limits hold for every recipe; frames are called
            unknown by the recipe's own bundle, if they are at all.
        cameras: their names; the only one's is empty.
        workers: sessions of each recipe.

    Raises:
        InputError: the first cannot be opened.
    """

    def __init__(
        self,
        bundles: Mapping[str, Bundle | Path | str],
        settings: Settings,
        cameras: Sequence[str],
        workers: int,
    ) -> None:
        if workers < 1:
            raise InputError(f"{workers} workers", hint="use 1 or more")
        self._bundles = dict(bundles)
        self._settings = settings
        self._cameras = tuple(cameras)
        self._workers = workers
        self.sessions: list[Session] = []
        self.first = self.open(next(iter(self._bundles)))

    def changer(self, pipelines: Mapping[str, Pipeline]) -> RecipeChanger:
        """Return what changes the recipe of running streams."""
        return RecipeChanger(pipelines, self.open, tuple(self._bundles), self.first)

    def open(self, name: str) -> OpenedRecipe:
        """Open a recipe.

        Raises:
            InputError: it cannot be opened, or was changed.
        """
        source = self._bundles[name]
        bundle = source if isinstance(source, Bundle) else load_bundle(source)
        novelty = None if self._settings.novelty is None else novelty_beside(bundle)
        mark = RecipeMark.of(name, bundle.path, bundle.manifest)
        count = self._workers
        threads = None if count == 1 else max(1, (default_threads() - 1) // count)
        opened = OpenedRecipe({})
        sessions: list[Session] = []
        precision = engine = AUTO
        try:
            for _ in range(count):
                session = open_session(bundle, precision, engine=engine, threads=threads)
                opened.held.callback(session.close)
                sessions.append(session)
                precision, engine = session.precision, session.engine
        except BaseException:
            opened.held.close()
            raise
        self.sessions = self.sessions or sessions
        pool = SessionPool(sessions)
        alone = len(self._cameras) == count == 1
        rules, health = self._settings.rules, self._settings.health
        made = {
            camera: LineRecipe(
                sessions[0] if alone else pool.for_camera(camera),
                rules,
                health,
                novelty,
                mark,
                model=str(bundle.path),
            )
            for camera in self._cameras
        }
        return OpenedRecipe(made, opened.held)
