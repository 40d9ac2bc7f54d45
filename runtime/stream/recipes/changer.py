"""Change of recipe in a running stream: opened beside it, then swapped between two frames."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from runtime.errors import EdgeclError, EquipmentError, InputError
from runtime.stream.pipeline import Pipeline
from runtime.stream.recipes.judges import RecipeJudges
from runtime.stream.recipes.opened import OpenedRecipe, RetiredRecipe
from runtime.stream.recipes.outcome import RecipeOutcome, RecipeState
from runtime.stream.recipes.recipe import LineRecipe

LOG = logging.getLogger("edgecl.recipes")

END_S = 10.0
"""Longest wait of a stream's end for a recipe that is being opened, in seconds."""

RETIRE_S = 0.5
"""Longest wait for the frames in flight of a recipe that judges no more, in seconds: one that takes
longer is closed with the next change."""

TOGETHER_NS = 20_000_000
"""Nanoseconds from now in which the streams of several cameras change at one moment."""


OpenRecipe = Callable[[str], OpenedRecipe]
"""Opens the recipe of an id, in a thread beside the stream; raises EdgeclError where it cannot."""

AmendRecipe = Callable[[OpenedRecipe], "Mapping[str, LineRecipe] | None"]
"""Returns an open recipe with other rules, by the name of the camera; None where its id stands for
another bundle now, or for none. Raises InputError where the rules do not fit its model."""


class RecipeChanger:
    """Changes the recipe of a running stream, or of the streams of several cameras.

    All methods may be called from any thread. A request that cannot be fulfilled changes nothing:
    the recipe that judges goes on. One request is worked on at a time, and another one that comes
    meanwhile is refused. The recipe before stays open, for `back`.

    Args:
        pipelines: by the name of the camera.
        open_recipe: opens a recipe; of one that judges already, anew.
        ids: what may be asked for.
        first: what the streams begin with; its sessions stay the caller's.
        report: is told of each change, in one line.
    """

    def __init__(
        self,
        pipelines: Mapping[str, Pipeline],
        open_recipe: OpenRecipe,
        ids: Sequence[str],
        first: OpenedRecipe,
        report: Callable[[str], None] = LOG.info,
    ) -> None:
        self._pipelines = dict(pipelines)
        self._open_recipe = open_recipe
        self._ids = tuple(ids)
        self._now = first
        self._before: OpenedRecipe | None = None
        self._replaced: list[tuple[Pipeline, RecipeJudges]] = []
        self._retired: list[RetiredRecipe] = []
        self._report = report
        self._working = threading.Lock()
        self._changing = ""
        self._closed = False
        self._changes = self._refused = 0

    def state(self) -> RecipeState:
        """Return what judges now, and what could."""
        now, before = self._now, self._before
        return RecipeState(
            recipe=now.mark.id,
            digest=now.mark.digest,
            model=now.model,
            previous="" if before is None else before.mark.id,
            recipes=self._ids,
            changing=self._changing,
            changes=self._changes,
            refused=self._refused,
        )

    def change(self, recipe: str) -> RecipeOutcome:
        """Judge by another recipe from the next frame on whose capture has not begun.

        The bundle is read anew, also where the recipe judges already: it may have been replaced.

        Args:
            recipe: its id.

        Returns:
            What came of it; it never raises.
        """
        return self._worked(recipe, lambda: self._opened(recipe, self._ids, self._open_recipe))

    def back(self) -> RecipeOutcome:
        """Judge by the recipe before, which is open still. A second time leads forward again."""
        return self._worked("", self._previous)

    def renew(self, ids: Sequence[str], open_recipe: OpenRecipe, amend: AmendRecipe) -> None:
        """Take other recipes, and other rules of those there are: all of it or nothing.

        The recipe that judges goes on with its sessions, and with other rules from the next frame
        on; where its bundle is another one now, that is opened, and judges as after a change.

        Args:
            ids: what may be asked for from now on.
            open_recipe: opens a recipe from now on.
            amend: asked about the recipe that judges and about the one before.

        Raises:
            InputError: another recipe is being opened; the one that judges is not among `ids`; a
                rule or a bundle does not fit.
        """
        with self._alone(self._now.mark.id):
            judging = self._now.mark.id
            if judging not in ids:
                raise InputError(
                    f"recipe {judging} judges, and would be gone",
                    hint="change to another recipe first",
                )
            amended = amend(self._now)
            before = None
            if amended is not None and self._before is not None:
                with contextlib.suppress(InputError):
                    before = amend(self._before)
            if amended is None:
                self._swap(self._opened(judging, ids, open_recipe))
                self._report(f"recipe {judging} judges now ({self._now.model})")
            else:
                self._now.recipes = amended
            if self._before is not None and before is not None:
                self._before.recipes = before
            else:
                self._retire(self._before)
                self._replaced, self._before = [], None
            self._ids, self._open_recipe = tuple(ids), open_recipe
            for name, pipeline in self._pipelines.items():
                recipe = self._now.recipes[name]
                pipeline.change(recipe.rules, recipe.health)

    def close(self) -> None:
        """End, after the streams have: close all recipes that were opened here."""
        self._closed = True
        if self._working.acquire(timeout=END_S):
            try:
                retired = (entry.opened for entry in self._retired)
                for opened in (*retired, self._before, self._now):
                    if opened is not None:
                        opened.held.close()
            finally:
                self._working.release()
        else:
            self._report("note: the recipe that is being opened was abandoned")

    def _worked(self, recipe: str, opened: Callable[[], OpenedRecipe]) -> RecipeOutcome:
        started = time.monotonic()
        error: EdgeclError | None = None
        try:
            with self._alone(recipe):
                self._swap(opened())
        except EdgeclError as refusal:
            error = refusal
        except Exception as failure:  # whatever an engine raises, the stream goes on
            LOG.exception("recipe %s", recipe)
            error = InputError(
                f"{type(failure).__name__}: {failure}".splitlines()[0][:300],
                hint="check the bundle with 'edgecl inspect'",
                code="recipe-refused",
            )
        return self._outcome(recipe, error, time.monotonic() - started)

    @contextlib.contextmanager
    def _alone(self, recipe: str) -> Iterator[None]:
        """Change recipes while nobody else does."""
        if not self._working.acquire(blocking=False):
            changing = self._changing
            told = f"recipe {changing} is being opened" if changing else "the recipe is changing"
            raise InputError(told, hint="ask again when it judges", code="recipe-busy")
        try:
            self._changing = recipe
            yield
        finally:
            self._changing = ""
            self._working.release()

    def _outcome(self, recipe: str, error: EdgeclError | None, seconds: float) -> RecipeOutcome:
        now, before = self._now, self._before
        if error is None:
            told = f"recipe {now.mark.id} judges now ({now.model})"
        else:
            self._refused += 1
            told = f"recipe {recipe or 'before'} was refused: {error}"
        self._report(told)
        return RecipeOutcome(
            ok=error is None,
            code="" if error is None else error.code,
            message="" if error is None else error.problem,
            hint="" if error is None else error.hint,
            recipe=now.mark.id,
            digest=now.mark.digest,
            previous="" if before is None else before.mark.id,
            seconds=round(seconds, 3),
        )

    def _opened(self, recipe: str, ids: Sequence[str], open_recipe: OpenRecipe) -> OpenedRecipe:
        if recipe not in ids:
            raise InputError(
                f"there is no recipe {recipe!r}",
                hint=f"the recipes are {', '.join(ids)}",
                code="recipe-unknown",
            )
        try:
            return open_recipe(recipe)
        except EdgeclError as error:
            told = f"recipe {recipe}: {error.problem}"
            code = error.code if error.code.startswith("recipe-") else "recipe-refused"
            raise InputError(told, hint=error.hint, code=code) from error

    def _previous(self) -> OpenedRecipe:
        before = self._before
        if before is None:
            raise InputError(
                "no other recipe came before this one",
                hint=f"ask for one by its id: {', '.join(self._ids)}",
                code="recipe-unknown",
            )
        return before

    def _swap(self, opened: OpenedRecipe) -> None:
        """Let an opened recipe judge, or close it where it cannot."""
        try:
            # The one before was tried on when it came, and may have frames in flight still.
            made = {
                name: pipeline.judges_of(opened.recipes[name], tried=opened is self._before)
                for name, pipeline in self._pipelines.items()
            }
            if self._closed or all(pipeline.wait(0) for pipeline in self._pipelines.values()):
                raise EquipmentError(
                    "the stream ended while the recipe was opened",
                    hint="start the stream again",
                    code="stream-ended",
                )
        except BaseException:
            if opened is not self._before:
                opened.held.close()
            raise
        since_ns = time.monotonic_ns() + (TOGETHER_NS if len(made) > 1 else 0)
        replaced: list[tuple[Pipeline, RecipeJudges]] = []
        for name, pipeline in self._pipelines.items():
            replaced.append((pipeline, pipeline.judges))
            pipeline.change_recipe(made[name], since_ns)
        last, self._before, self._now = self._before, self._now, opened
        self._changes += 1
        if len(made) > 1:
            time.sleep(TOGETHER_NS / 1e9)  # who asked may rely on it from now on
        self._retire(None if last is opened else last)
        self._replaced = replaced

    def _retire(self, opened: OpenedRecipe | None) -> None:
        """Close a recipe, and all that waited for it, once it has no frame in flight any more."""
        self._retired.append(RetiredRecipe(self._replaced, opened))
        until = time.monotonic() + RETIRE_S
        while True:
            self._retired = [entry for entry in self._retired if not entry.close()]
            if not self._retired or time.monotonic() > until:
                return
            time.sleep(RETIRE_S / 50)
