"""Change of recipe in a running stream: opened beside it, then swapped between two frames."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from runtime.errors import EdgeclError, EquipmentError, InputError
from runtime.files.document import Document
from runtime.stream.pipeline import Pipeline
from runtime.stream.recipes.judges import RecipeJudges
from runtime.stream.recipes.recipe import LineRecipe, RecipeMark

LOG = logging.getLogger("edgecl.recipes")

END_S = 10.0
"""Longest wait of a stream's end for a recipe that is being opened, in seconds."""

TOGETHER_NS = 20_000_000
"""Nanoseconds from now in which the streams of several cameras change at one moment."""


class RecipeOutcome(Document, frozen=True, kw_only=True):
    """Outcome of a request for another recipe.

    Args:
        ok: whether frames are judged by the recipe that was asked for.
        code: stable name of why not; empty where `ok`. One of the error codes.
        message: why not, in words.
        hint: what to do next.
        recipe, digest: what frames are judged by now.
        previous: the recipe that a roll-back would bring back; empty where there is none.
        seconds: how long the request took.
    """

    WHAT: ClassVar[str] = "the outcome of a change of recipe"
    REMEDY: ClassVar[str] = "make one with 'edgecl recipe --json'"

    schema: Literal[1] = 1
    ok: bool
    code: str = ""
    message: str = ""
    hint: str = ""
    recipe: str
    digest: str
    previous: str = ""
    seconds: float = 0.0


class RecipeState(Document, frozen=True, kw_only=True):
    """The recipes of a running stream.

    Args:
        recipe, digest: what frames are judged by now.
        model: path of its bundle.
        previous: the recipe that a roll-back would bring back; empty where there is none.
        recipes: ids that can be asked for.
        changing: the recipe that is being opened; empty where none is.
        changes: how often the recipe was changed.
        refused: requests that were refused.
    """

    WHAT: ClassVar[str] = "the recipes of a stream"
    REMEDY: ClassVar[str] = "make them with 'edgecl recipe --json'"

    schema: Literal[1] = 1
    recipe: str
    digest: str
    model: str
    previous: str
    recipes: tuple[str, ...]
    changing: str
    changes: int
    refused: int


@dataclass
class OpenedRecipe:
    """A recipe that is ready to judge.

    Args:
        recipes: by the name of the camera.
        held: closes its sessions.
    """

    recipes: Mapping[str, LineRecipe]
    held: ExitStack = field(default_factory=ExitStack)

    @property
    def recipe(self) -> LineRecipe:
        """Return that of the first camera; mark and model are the same for all."""
        return next(iter(self.recipes.values()))

    @property
    def mark(self) -> RecipeMark:
        """Return the id and the digest."""
        return self.recipe.mark

    @property
    def model(self) -> str:
        """Return the path of the bundle."""
        return self.recipe.model


OpenRecipe = Callable[[str], OpenedRecipe]
"""Opens the recipe of an id, in a thread beside the stream; raises EdgeclError where it cannot."""


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
        self._retired: list[_Retired] = []
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
        return self._worked(recipe, lambda: self._opened(recipe))

    def back(self) -> RecipeOutcome:
        """Judge by the recipe before, which is open still. A second time leads forward again."""
        return self._worked("", self._previous)

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
        if not self._working.acquire(blocking=False):
            error = InputError(
                f"recipe {self._changing} is being opened",
                hint="ask again when it judges",
                code="recipe-busy",
            )
        else:
            try:
                self._changing = recipe
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
            finally:
                self._changing = ""
                self._working.release()
        return self._outcome(recipe, error, time.monotonic() - started)

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

    def _opened(self, recipe: str) -> OpenedRecipe:
        if recipe not in self._ids:
            raise InputError(
                f"there is no recipe {recipe!r}",
                hint=f"the recipes are {', '.join(self._ids)}",
                code="recipe-unknown",
            )
        try:
            return self._open_recipe(recipe)
        except EdgeclError as error:
            told = f"recipe {recipe}: {error.problem}"
            code = error.code if error.code.startswith("recipe-") else "recipe-refused"
            raise InputError(told, hint=error.hint, code=code) from error

    def _previous(self) -> OpenedRecipe:
        if self._before is None:
            raise InputError(
                "no other recipe came before this one",
                hint=f"ask for one by its id: {', '.join(self._ids)}",
                code="recipe-unknown",
            )
        return self._before

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
        self._retired.append(_Retired(self._replaced, None if last is opened else last))
        self._replaced = replaced
        self._retired = [entry for entry in self._retired if not entry.close()]


@dataclass
class _Retired:
    """Judges that were replaced two changes ago, and their recipe, unless it judges again."""

    judges: Sequence[tuple[Pipeline, RecipeJudges]]
    opened: OpenedRecipe | None

    def close(self) -> bool:
        """Close the recipe once no frame is in flight; whether it is closed."""
        idle = [pipeline.retire(judges) for pipeline, judges in self.judges]
        if not all(idle):
            return False
        if self.opened is not None:
            self.opened.held.close()
        return True
