"""The interface of a sink: what takes the verdicts of a stream."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from runtime.camera.base import Frame
from runtime.errors import InputError
from runtime.progress import Say
from runtime.stream.rules import Rules
from runtime.stream.verdict import Verdict

if TYPE_CHECKING:
    from runtime.stream.checking.report import CheckReport


class RecipeReply(Protocol):
    """Outcome of a change of recipe: whether it judges now, or why not."""

    @property
    def ok(self) -> bool: ...

    @property
    def code(self) -> str: ...

    @property
    def message(self) -> str: ...


@dataclass(frozen=True)
class LineControls:
    """Questions that a sink may ask of a running line, from any thread.

    Args:
        fault: why the line cannot work, such as a lost camera; empty where it can.
        recipes: ids that can be asked for; none where the stream has no recipes.
        change_recipe: judges by another recipe from the next frame on, which may take a while.
        rules: those that a recipe judges by now, by its id; None for one that judges no frame.
    """

    fault: Callable[[], str] = str
    recipes: Sequence[str] = ()
    change_recipe: Callable[[str], RecipeReply] | None = None
    rules: Callable[[str], Rules | None] = lambda recipe: None


class Sink(ABC):
    """Takes verdicts.

    A stream gives each sink a thread and a queue of its own: `emit` may block or raise, and
    neither delays a verdict nor ends the stream. `emit` and `close` are called from that thread.

    Attributes:
        name: for the summary.
        isolated: True where `emit` returns at once, never raises, and may be called from several
            threads: such a sink gets no thread.
        takes_frames: True where `observe` wants each frame; the sink has to be isolated.
        acts: True where it acts on the machine, and says so to each verdict's `act`: subclass
            `ActingSink` for one.
        lost: verdicts that were taken and could not be delivered.
        waiting: verdicts that are kept on disk for the next start.
        problem: what went wrong last; empty where nothing did.
        acted: verdicts that the machine was told; those of sinks with `acts` alone.
        late_acts: of those, the ones that came too late.
        counts: what else it counts, by name.
    """

    name: str = ""
    isolated: bool = False
    takes_frames: bool = False
    acts: bool = False
    lost: int = 0
    waiting: int = 0
    problem: str = ""
    acted: int = 0
    late_acts: int = 0
    counts: Mapping[str, int] = MappingProxyType({})

    @abstractmethod
    def emit(self, verdict: Verdict) -> None:
        """Deliver a verdict."""

    def attach(self, controls: LineControls) -> None:  # noqa: B027 - most sinks ask for nothing
        """Learn what may be asked of the line that is about to run; return at once."""

    def keep_check(self, report: CheckReport) -> None:  # noqa: B027 - most sinks keep none
        """Keep the report of a check of the running stream; return at once."""

    def observe(self, frame: Frame, verdict: Verdict) -> None:  # noqa: B027 - most want none
        """Look at a frame after its verdict; returns at once and never raises."""

    def offer_recipes(self, change: Callable[[int], None]) -> None:  # noqa: B027 - few ask for any
        """Let the machine behind this sink change the stream's recipe.

        Args:
            change: to the recipe of a number; returns when it judges, and raises InputError where
                it was refused. It may be called from any thread, and may take its time.
        """

    def close(self) -> None:  # noqa: B027 - most sinks have nothing to finish
        """Finish what was taken, and give back what is held. Closing twice is fine."""


Observe = Callable[[Frame, Verdict], None]
"""Looks at a frame and its verdict; see `Sink.observe`."""


def observing(sinks: Sequence[Sink], more: Observe | None = None) -> Observe | None:
    """Return what hands a frame to all sinks that take frames, and to `more`; None for none."""
    observers: list[Observe] = [sink.observe for sink in sinks if sink.takes_frames]
    observers += [] if more is None else [more]
    if len(observers) < 2:
        return next(iter(observers), None)

    def observe(frame: Frame, verdict: Verdict) -> None:
        for each in observers:
            each(frame, verdict)

    return observe


def new_run_id() -> str:
    """Return an id that no other run has: when it began, and chance."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class StreamFacts:
    """Facts about a stream that sinks keep, or carry to other machines.

    Args:
        run: its id; with a frame's number, and the camera's name where there are several, that of
            a verdict, unique for ever.
        bundle: the model's name.
        camera: the camera's name.
        model: path of the bundle, graph or engine.
        digest: of the bundle's manifest; empty where the model is a file without one.
        pass_labels: labels that let a part pass.
        lot: which the stream judges, as the user named it; empty where it has no name.
        rules: by which it judges.
        other_labels: those that its further recipes have, beside the model's.
    """

    run: str = field(default_factory=new_run_id)
    bundle: str = ""
    camera: str = ""
    model: str = ""
    digest: str = ""
    pass_labels: Sequence[str] = ()
    lot: str = ""
    rules: Rules = field(default_factory=Rules)
    other_labels: Sequence[str] = ()


def _silent(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class SinkRequest:
    """The argument of an opener of sinks, as `--sink NAME:TARGET` gives it.

    Args:
        name: the sink's name.
        target: what follows the colon; empty where nothing does.
        folder: the stream's output folder, to which relative paths belong.
        labels: the model's class names.
        taken: names in the folder that belong to the stream itself.
        stream: what else is known of it.
        spool: folder in which verdicts wait for other machines; None for the stream's.
        report: is told what happens to the sink, at its start and while the stream runs.
    """

    name: str
    target: str
    folder: Path
    labels: Sequence[str] = ()
    taken: Sequence[str] = ()
    stream: StreamFacts = field(default_factory=StreamFacts)
    spool: Path | None = None
    report: Say = _silent

    def file(self, wanted: str) -> Path:
        """Return the target as a path in the stream's folder.

        Args:
            wanted: what the target has to be, with an example, for the message.

        Raises:
            InputError: there is none, it is a folder, or the stream writes that file itself.
        """
        if not self.target:
            raise InputError(f"--sink {self.name} has no target", hint=f"pass {wanted}")
        path = self.folder / self.target
        if path.is_dir():
            raise InputError(f"--sink {self.name}: {path} is a folder", hint=f"pass {wanted}")
        if path.resolve() in [(self.folder / name).resolve() for name in self.taken]:
            raise InputError(
                f"--sink {self.name}: the stream itself writes {path}", hint="choose another name"
            )
        return path


OpenSink = Callable[[SinkRequest], Sink]
"""Opens a sink; raises InputError where its target cannot be used."""
