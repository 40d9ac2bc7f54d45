"""A stream for programs: cameras, a model, and the verdicts one after the other."""

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
from runtime.session.opening import AUTO, default_threads
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.recipes.changer import RecipeChanger
from runtime.stream.recipes.opening import RecipeBook
from runtime.stream.recipes.outcome import RecipeOutcome
from runtime.stream.sharing.pool import SessionPool
from runtime.stream.sinks.base import Sink
from runtime.stream.sinks.isolated import isolated
from runtime.stream.station.naming import NamingSink
from runtime.stream.station.station import Station
from runtime.stream.verdict import Verdict

WAITING = 10_000
"""Verdicts that may wait for a loop over a stream."""

_TICK_S = 0.1


class Stream:
    """Judges the frames of a camera, or of several at one model. Use it as a context manager.

        with Stream("parts/", "line.edgecl") as stream:
            for verdict in stream:
                print(verdict.number, verdict.decision.label)
        print(stream.snapshot.judged)

    Frames are captured and judged in threads of their own: a slow loop delays no verdict. With
    `WAITING` verdicts left to take, the oldest is passed over, and counted in `missed`.

    Args:
        camera: an open camera, or what `open_camera` takes; or several by name. Their verdicts have
            the name in `camera`, and they take turns at the model.
        session: an open session, or what `open_session` takes; or several sessions that are alike,
            a worker for each.
        settings: how each camera's stream runs; by default every frame of what is stored is judged,
            and the newest of what is live.
        sinks: where else verdicts go, those of all cameras.
        own_process, late_sink: see `Pipeline`.
        workers: frames that are judged at the same time, each by a session of its own; None for as
            many as there are open sessions.
        recipes: bundles by id, in place of `session`; the stream begins with the first one, and
            `change_recipe` changes it.

    Attributes:
        cameras: the open cameras by name; that of a single one is empty.
        sessions: the open sessions, one for each worker; of recipes those of the first.
        missed: verdicts that nobody took in time.

    Raises:
        InputError: a camera or the model cannot be opened, or there are none, or not as many open
            sessions as workers.
    """

    def __init__(
        self,
        camera: Camera | str | Mapping[str, Camera | str],
        session: Session | Sequence[Session] | Bundle | Path | str | None = None,
        settings: Settings | None = None,
        sinks: Sequence[Sink] = (),
        *,
        own_process: bool = False,
        late_sink: Sink | None = None,
        workers: int | None = None,
        recipes: Mapping[str, Bundle | Path | str] | None = None,
    ) -> None:
        if (session is None) != bool(recipes):
            raise InputError(
                "a stream takes a model, or recipes", hint="pass one of session and recipes"
            )
        self.missed = 0
        self._verdicts: Queue[Verdict] = Queue(WAITING)
        self._closed: dict[str, Snapshot] | None = None
        named = camera if isinstance(camera, Mapping) else {"": camera}
        if not named:
            raise InputError("a stream without a camera", hint="name at least one")
        with ExitStack() as stack:
            self.cameras = {name: _camera(one, stack) for name, one in named.items()}
            book = None
            if session is not None:
                self.sessions = _sessions(session, workers, stack)
            else:
                book = RecipeBook(
                    recipes or {},
                    settings or Settings(),
                    list(named),
                    1 if workers is None else workers,
                )
                stack.push(book.first.held)
                self.sessions = book.sessions
            alone = len(self.cameras) == len(self.sessions) == 1
            pool = SessionPool(self.sessions)
            shared = [isolated(sink) for sink in sinks]
            for sink, given in zip(shared, sinks, strict=True):
                if sink is not given:
                    stack.callback(sink.close)
            pipelines = {}
            for name, opened in self.cameras.items():
                own: list[Sink] = [_Loop(self), *shared]
                late = late_sink
                if isinstance(camera, Mapping):
                    own = [NamingSink(sink, name) for sink in own]
                    late = None if late_sink is None else NamingSink(late_sink, name)
                chosen = settings or Settings(every_frame=not opened.live)
                pipelines[name] = Pipeline(
                    opened,
                    self.sessions[0] if alone else pool.for_camera(name),
                    chosen if book is None else book.first.recipe.settled(chosen),
                    own,
                    late_sink=late,
                    workers=len(self.sessions),
                    mark=None if book is None else book.first.mark,
                )
            self._station = Station(pipelines, own_process=own_process)
            self._changer = None if book is None else book.changer(pipelines)
            self._opened = stack.pop_all()

    @property
    def camera(self) -> Camera:
        """The open camera; of several the first."""
        return next(iter(self.cameras.values()))

    @property
    def session(self) -> Session:
        """The open session; of several the first."""
        return self.sessions[0]

    @property
    def snapshots(self) -> Mapping[str, Snapshot]:
        """The accounts of each camera by its name, so far; after the end those of all frames."""
        if self._closed is not None:
            return self._closed
        return {name: one.ledger.snapshot() for name, one in self._station.pipelines.items()}

    @property
    def snapshot(self) -> Snapshot:
        """The accounts of the one camera.

        Raises:
            ValueError: there are several, each with accounts of its own.
        """
        if len(self.cameras) > 1:
            raise ValueError("several cameras have accounts of their own: use snapshots")
        return next(iter(self.snapshots.values()))

    @property
    def notes(self) -> Sequence[str]:
        """Notes for readers of the verdicts, behind the name of the camera where it has one."""
        return [
            f"{name}: {note}" if name else note
            for name, camera in self.cameras.items()
            for note in (*camera.notes, *self._station.pipelines[name].notes)
        ]

    @property
    def failures(self) -> Mapping[str, BaseException]:
        """Return what ended cameras' streams early, by their names."""
        return self._station.failures

    def __enter__(self) -> Stream:
        self._station.start()
        return self

    def __iter__(self) -> Iterator[Verdict]:
        """Iterate over the verdicts as they are given, until all cameras have ended.

        Raises:
            InputError: a file breaks off, or the frames are not what the model takes. Of several
                cameras the first that failed in the order of their names raises; the others were
                judged to their end.
            EquipmentError: a camera or the model failed for good.
        """
        while True:
            try:
                yield self._verdicts.get(timeout=_TICK_S)
            except Empty:
                if self._station.wait(0) and self._verdicts.empty():
                    break
        self.close()
        for failure in self.failures.values():
            raise failure

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
        self._station.stop()

    def close(self) -> None:
        """End the stream, and close what it opened itself. Closing twice is fine."""
        if self._closed is None:
            self._closed = self._station.close()
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


def _camera(camera: Camera | str, stack: ExitStack) -> Camera:
    return stack.enter_context(open_camera(camera)) if isinstance(camera, str) else camera


def _sessions(
    session: Session | Sequence[Session] | Bundle | Path | str,
    workers: int | None,
    stack: ExitStack,
) -> list[Session]:
    """Return a session for each worker; those that are opened here, the stack closes."""
    if isinstance(session, Bundle | Path | str):
        count = 1 if workers is None else workers
        if count < 1:
            raise InputError(f"{count} workers", hint="use 1 or more")
        # One core is left for capture where workers share the others.
        threads = None if count == 1 else max(1, (default_threads() - 1) // count)
        first = stack.enter_context(open_session(session, threads=threads))
        # The others are as the first: of a bundle nothing is measured twice. A file is what it is.
        several = isinstance(session, Bundle) or Path(session).is_dir()
        precision, engine = (first.precision, first.engine) if several else (AUTO, AUTO)
        others = (
            stack.enter_context(open_session(session, precision, engine=engine, threads=threads))
            for _ in range(count - 1)
        )
        return [first, *others]
    opened = [session] if isinstance(session, Session) else list(session)
    if not opened or workers not in (None, len(opened)):
        raise InputError(
            f"{len(opened)} open session(s) for {workers or 1} worker(s)",
            hint="pass an open session for each, or the path of the model",
        )
    return opened
