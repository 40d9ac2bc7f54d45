"""The interface of a sink: what takes the verdicts of a stream."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from runtime.errors import InputError
from runtime.stream.verdict import Verdict


class Sink(ABC):
    """Takes verdicts.

    A stream gives each sink a thread and a queue of its own: `emit` may block or raise, and
    neither delays a verdict nor ends the stream. `emit` and `close` are called from that thread.

    Attributes:
        name: for the summary.
        isolated: True where `emit` returns at once, never raises, and may be called from several
            threads: such a sink gets no thread.
        lost: verdicts that were taken and could not be delivered.
        problem: what went wrong last; empty where nothing did.
        notes: what was found when it was opened, in lines for the user.
    """

    name: str = ""
    isolated: bool = False
    lost: int = 0
    problem: str = ""
    notes: Sequence[str] = ()

    @abstractmethod
    def emit(self, verdict: Verdict) -> None:
        """Deliver a verdict."""

    def close(self) -> None:  # noqa: B027 - most sinks have nothing to finish
        """Finish what was taken, and give back what is held. Closing twice is fine."""


def new_run_id() -> str:
    """Return a name for a run of `edgecl run`, unique for ever; names sort by their time."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


@dataclass(frozen=True, kw_only=True)
class StreamFacts:
    """What a sink may keep of a stream beside its verdicts.

    Args:
        run: its id; with the frame's number, and the camera's name where there are several, it
            names a verdict for ever.
        camera: the camera's name.
        model: path of the bundle, graph or engine.
        digest: of the bundle's manifest; empty where the model is a file without one.
        pass_labels: labels that let a part pass.
        lot: which the stream judges, as the user named it; empty where he did not.
    """

    run: str = field(default_factory=new_run_id)
    camera: str = ""
    model: str = ""
    digest: str = ""
    pass_labels: Sequence[str] = ()
    lot: str = ""


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
    """

    name: str
    target: str
    folder: Path
    labels: Sequence[str] = ()
    taken: Sequence[str] = ()
    stream: StreamFacts = field(default_factory=StreamFacts)

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
