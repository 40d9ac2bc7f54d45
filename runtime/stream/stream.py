"""A stream for programs: a camera, a model, and the verdicts one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Full, Queue
from types import TracebackType

from runtime.artifact.bundle import Bundle
from runtime.camera import Camera, open_camera
from runtime.errors import InputError
from runtime.session import Session, open_session
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.recipes.changer import OpenedRecipe, RecipeChanger, RecipeOutcome
from runtime.stream.recipes.opening import opened_bundle
from runtime.stream.sinks.base import Sink
from runtime.stream.verdict import Verdict

WAITING = 10_000
"""Verdicts that may wait for a loop over a stream."""

_TICK_S = 0.1


class Stream:
    """Judges the frames of a camera. Use it as a context manager.

        with Stream("parts/", "line.edgecl") as stream:
            for verdict in stream:
                print(verdict.number, verdict.decision.label)
        print(stream.snapshot.judged)

    Frames are captured and judged in threads of their own: a slow loop delays no verdict. With
    `WAITING` verdicts left to take, the oldest is passed over, and counted in `missed`.

    Args:
        camera: an open camera, or what `open_camera` takes.
        session: an open session, or what `open_session` takes.
        settings: how the stream runs; by default every frame of what is stored is judged, and the
            newest of what is live.
        sinks: where else verdicts go.
        own_process, late_sink: see `Pipeline`.
        recipes: bundles by id, in place of `session`; the stream begins with the first one, and
            `change_recipe` changes it.

    Raises:
        InputError: the camera or the model cannot be opened.
    """

    def __init__(
        self,
        camera: Camera | str,
        session: Session | Bundle | Path | str | None = None,
        settings: Settings | None = None,
        sinks: Sequence[Sink] = (),
        *,
        own_process: bool = False,
        late_sink: Sink | None = None,
        recipes: Mapping[str, Bundle | Path | str] | None = None,
    ) -> None:
        if (session is None) != bool(recipes):
            raise InputError(
                "a stream takes a model, or recipes", hint="pass one of session and recipes"
            )
        self.missed = 0
        with ExitStack() as stack:
            if isinstance(camera, str):
                camera = stack.enter_context(open_camera(camera))
            settings = settings or Settings(every_frame=not camera.live)
            first: OpenedRecipe | None = None
            if recipes:
                name = next(iter(recipes))
                first = opened_bundle(name, recipes[name], settings)
                stack.push(first.held)
                session, settings = first.recipe.session, first.recipe.settled(settings)
            elif not isinstance(session, Session):
                assert session is not None
                session = stack.enter_context(open_session(session))
            self.camera = camera
            self.session = session
            self._verdicts: Queue[Verdict] = Queue(WAITING)
            self._pipeline = Pipeline(
                camera,
                session,
                settings,
                [_Loop(self), *sinks],
                own_process=own_process,
                late_sink=late_sink,
                mark=first.mark if first else None,
            )
            self._changer: RecipeChanger | None = None
            if first is not None and recipes:
                held, opening = dict(recipes), settings
                self._changer = RecipeChanger(
                    {"": self._pipeline},
                    lambda name: opened_bundle(name, held[name], opening),
                    tuple(held),
                    first,
                )
            self._opened = stack.pop_all()
        self._closed: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The accounts so far; after the end those of the whole stream."""
        return self._closed or self._pipeline.ledger.snapshot()

    @property
    def notes(self) -> Sequence[str]:
        """Notes for readers of the verdicts."""
        return [*self.camera.notes, *self._pipeline.notes]

    def __enter__(self) -> Stream:
        self._pipeline.start()
        return self

    def __iter__(self) -> Iterator[Verdict]:
        """Iterate over the verdicts as they are given, until the camera ends.

        Raises:
            InputError: a file breaks off, or the frames are not what the model takes.
            EquipmentError: the camera or the model failed for good.
        """
        while True:
            try:
                yield self._verdicts.get(timeout=_TICK_S)
            except Empty:
                if self._pipeline.wait(0) and self._verdicts.empty():
                    break
        self.close()
        if self._pipeline.failure is not None:
            raise self._pipeline.failure

    def change_recipe(self, recipe: str) -> RecipeOutcome:
        """Judge by another recipe from the next frame on; see `RecipeChanger.change`.

        Raises:
            InputError: the stream has no recipes.
        """
        return self._recipes().change(recipe)

    def change_back(self) -> RecipeOutcome:
        """Judge by the recipe before, which is open still.

        Raises:
            InputError: the stream has no recipes.
        """
        return self._recipes().back()

    def _recipes(self) -> RecipeChanger:
        if self._changer is None:
            raise InputError("the stream has no recipes", hint="pass some: recipes={'7': ...}")
        return self._changer

    def stop(self) -> None:
        """Ask for the end: no more frames are read, those that were are judged."""
        self._pipeline.stop()

    def close(self) -> None:
        """End the stream, and close what it opened itself. Closing twice is fine."""
        if self._closed is None:
            self._closed = self._pipeline.close()
            if self._changer is not None:
                self._changer.close()
            self._opened.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self, verdict: Verdict) -> None:
        while True:
            try:
                self._verdicts.put_nowait(verdict)
            except Full:
                try:
                    self._verdicts.get_nowait()
                except Empty:
                    continue
                self.missed += 1
            else:
                return


class _Loop(Sink):
    """Leaves verdicts for the loop over a stream."""

    name = "loop"
    isolated = True

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def emit(self, verdict: Verdict) -> None:
        self._stream._take(verdict)
