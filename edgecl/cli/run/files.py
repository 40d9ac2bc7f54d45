"""Files that a stream of `edgecl run` writes itself."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.run.file_names import LATE, VERDICTS
from edgecl.cli.verb import naming_place
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.run.choices import RunChoices
    from runtime.artifact.bundle import Bundle
    from runtime.image.view import FrameView
    from runtime.session import Session
    from runtime.stream.answering.answerer import Answerer
    from runtime.stream.answering.shadow import Shadow
    from runtime.stream.heat_maps import HeatMapWriter
    from runtime.stream.pipeline import Settings
    from runtime.stream.rules import Rules
    from runtime.stream.sinks import JsonLinesSink, StreamFacts


@dataclass(frozen=True)
class StreamFiles:
    """Files that a stream writes itself.

    Args:
        verdicts: a line per frame.
        late: answers that came too late; None without a deadline.
        heat_maps: of rejects; None where none are wanted.
        shadow: lists where a second model disagrees; None without one.
    """

    verdicts: JsonLinesSink
    late: JsonLinesSink | None
    heat_maps: HeatMapWriter | None
    shadow: Shadow | None = None


def open_stream_files(
    choices: RunChoices,
    source: Bundle | Path,
    settings: Settings,
    session: Session,
    folder: Path,
    context: click.Context,
    stack: ExitStack,
    facts: StreamFacts | None = None,
) -> StreamFiles:
    """Open what a stream writes itself; `stack` closes it.

    Last of all parts of a stream: a file that a refused command left would be in the way of the
    next one.

    Args:
        source: the bundle, verified, or the path of a lone file.
        settings: how the stream runs.
        folder: the stream's.
        facts: of a stream that may have a second model beside it.

    Raises:
        InputError: a file is there already, or cannot be made; or there are no heat maps to write.
    """
    from edgecl.cli.run.stream import close_late
    from runtime.stream.sinks import JsonLinesSink

    with naming_place(context, "heat_maps"):
        heat_maps = open_heat_maps(source, choices.heat_maps, settings.rules, session.view, folder)
    if heat_maps is not None:
        stack.callback(heat_maps.close)
    shadow = None
    if choices.shadow is not None and facts is not None:
        with naming_place(context, "shadow"):
            shadow = open_shadow(choices, choices.shadow, settings, session, folder, facts.run)
        stack.callback(shadow.close)
    kept = choices.journal()
    late = JsonLinesSink(folder / LATE, kept) if settings.rules.budget.total else None
    if late is not None:
        stack.callback(close_late, late)
    verdicts = JsonLinesSink(folder / VERDICTS, kept)
    stack.callback(verdicts.close)
    return StreamFiles(verdicts, late, heat_maps, shadow)


def open_heat_maps(
    model: Bundle | Path, most: int | None, rules: Rules, view: FrameView, folder: Path
) -> HeatMapWriter | None:
    """Return what writes the heat maps of a stream's rejects; None where none are wanted.

    Args:
        model: the bundle, verified, or the path of a lone file.
        most: how many are kept.
        rules: that the stream judges by.
        view: what the session sees of frames.
        folder: the stream's.

    Raises:
        InputError: the model is a single file, or a bundle without a heat-map graph.
    """
    if most is None:
        return None
    from runtime.session.activation import open_activation
    from runtime.stream.heat_maps import HeatMapWriter

    if isinstance(model, Path):
        raise InputError(
            f"--heat-maps needs a bundle, but {model} is a single file",
            hint="pass the bundle to --model",
        )
    session = open_activation(model)
    contract = rules.applied_to(session.contract)
    return HeatMapWriter(session, contract, folder, most, bits=rules.bits, view=view)


def open_shadow(
    choices: RunChoices,
    model: Path,
    settings: Settings,
    session: Session,
    folder: Path,
    run: str,
) -> Shadow:
    """Open a second model that judges the frames of a stream beside the first.

    The stream's rules hold for it too, as far as they name labels that it has.

    Args:
        model: its bundle.
        settings: of the stream.
        session: that judges.
        folder: the stream's.
        run: the stream's id.

    Raises:
        InputError: it cannot be opened, or is not signed where the first has to be.
    """
    from runtime.artifact.signature import load_verified_bundle
    from runtime.novelty import novelty_beside
    from runtime.session import open_session
    from runtime.stream.answering.answerer import Answerer
    from runtime.stream.answering.shadow import Shadow

    bundle = load_verified_bundle(model, choices.verify_key)
    novelty = None if settings.novelty is None else novelty_beside(bundle)

    def opened() -> tuple[Session, Answerer]:
        second = open_session(
            bundle,
            choices.precision,
            engine=choices.engine,
            threads=1,
            server=choices.server(),
        )
        if choices.roi is not None or choices.flat is not None:
            second.view = session.view
        return second, Answerer(second, settings.rules, novelty)

    digest = bundle.manifest.digest
    return Shadow(opened, model=str(model), digest=digest, run=run, folder=folder)
