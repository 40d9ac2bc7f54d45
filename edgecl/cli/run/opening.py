"""Parts of a stream that `edgecl run` opens, for one camera and for several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.run.file_names import SPOOL, STREAMS
from edgecl.cli.verb import naming_place
from runtime.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from edgecl.cli.run.cameras import CameraChoice
    from edgecl.cli.run.choices import RunChoices
    from edgecl.cli.run.model.source import ChosenModel
    from runtime.artifact.contract import ModelContract
    from runtime.camera import Camera
    from runtime.health import HealthLimits
    from runtime.novelty import Novelty
    from runtime.progress import Say
    from runtime.session import Session
    from runtime.stream.metrics.endpoint import MetricsEndpoint
    from runtime.stream.pipeline import Settings
    from runtime.stream.rules import Rules
    from runtime.stream.sinks import Sink, StreamFacts


@contextmanager
def output_place(out: Path | None, remark: Say) -> Iterator[Path]:
    """Hold the folder of a stream: the one that was named, or a new one named by the time.

    Streams beside the new one that were broken off are repaired and told.

    A full disk keeps no stream from judging, so nothing has to fit.
    """
    from runtime.files.output_folder import new_folder, own_folder
    from runtime.stream.sinks.torn import repair_earlier_streams

    if out is not None:
        with own_folder(out, room=0) as folder:
            yield folder
        return
    started = f"{datetime.now():%Y%m%d-%H%M%S}"
    with new_folder(Path(STREAMS) / started, room=0) as folder:
        repair_earlier_streams(folder.parent, folder, remark)
        yield folder


def open_chosen_camera(camera: CameraChoice, report: Say, *, seed: int = 0) -> Camera:
    """Open a camera as its choices say.

    Args:
        report: is told, in one line, when it is lost and when it is back.
        seed: of the demo line.

    Raises:
        InputError: it cannot be opened.
    """
    from edgecl.cli.run.service.supervision import open_when_there
    from runtime.camera import open_camera
    from runtime.camera.settings import parse_settings

    opener = partial(
        open_camera,
        camera.source,
        fps=camera.fps,
        seed=seed,
        report=report,
        give_up_after=camera.give_up_after,
        trigger=camera.trigger,
        settings=parse_settings(camera.settings),
        login_file=camera.login_file,
    )
    return open_when_there(opener, report)


def facts_of(
    choices: RunChoices,
    model: ChosenModel,
    cameras: Iterable[str],
    contract: ModelContract,
    rules: Rules,
) -> StreamFacts:
    """Return what sinks may keep of a stream.

    Args:
        model: that judges.
        cameras: their names.
        contract: of the model.
    """
    from runtime.artifact.bundle import manifest_beside
    from runtime.stream.sinks import StreamFacts

    others = [manifest_beside(recipe.model) for recipe in choices.recipes[1:]]
    labels = [label for other in others if other is not None for label in other.contract.labels]
    return StreamFacts(
        bundle=model.path.name,
        camera=", ".join(cameras),
        model=str(model.path),
        digest=model.manifest.digest if model.manifest else "",
        pass_labels=rules.applied_to(contract).pass_labels,
        lot=choices.lot or "",
        rules=rules,
        other_labels=tuple(dict.fromkeys(labels)),
    )


def open_chosen_sinks(
    choices: RunChoices,
    folder: Path,
    labels: Sequence[str],
    taken: Sequence[str],
    facts: StreamFacts,
    context: click.Context,
    remark: Say,
    stack: ExitStack,
) -> list[Sink]:
    """Open the further sinks; `stack` closes them.

    Args:
        taken: names in the folder that the stream writes itself.
        facts: what sinks may keep of the stream.
        remark: is told what happens to them.

    Raises:
        InputError: one cannot be opened.
    """
    from runtime.stream.sinks import open_sink

    opened = []
    for text in choices.sinks:
        with naming_place(context, "sinks"):
            sink = open_sink(
                text,
                folder,
                labels,
                taken=taken,
                stream=facts,
                spool=choices.spool or Path(SPOOL),
                report=remark,
            )
        stack.callback(sink.close)
        opened.append(sink)
    _check_acts(choices, opened, context, remark)
    return opened


def _check_acts(
    choices: RunChoices, sinks: Sequence[Sink], context: click.Context, remark: Say
) -> None:
    """Say where acts have no deadline.

    Raises:
        InputError: acts have a budget, and no sink acts.
    """
    from runtime.stream.budget import ACT, parse_budget

    budget = None if choices.budget is None else parse_budget(choices.budget)
    acting = [sink.name for sink in sinks if sink.acts]
    if budget is not None and ACT in budget.limits and not acting:
        with naming_place(context, "budget"):
            raise InputError(
                f"budget {ACT!r} has no effect: no sink acts on a machine",
                hint="add one, as --sink gpio:… or --sink modbus:…, or drop it",
            )
    if acting and (budget is None or budget.total is None):
        remark(f"note: {acting[0]} acts however late a verdict is; set --budget total=TIME")


def open_chosen_metrics(
    choices: RunChoices, context: click.Context, remark: Say, stack: ExitStack
) -> MetricsEndpoint | None:
    """Take the port of the metrics; `stack` gives it back. None where none are wanted.

    Raises:
        InputError: it is in use, others could read the metrics, or a package is missing.
    """
    if choices.metrics is None:
        return None
    from runtime.stream.metrics.address import parse_metrics
    from runtime.stream.metrics.endpoint import MetricsEndpoint
    from runtime.stream.metrics.families import require_client

    with naming_place(context, "metrics"):
        require_client()
        address = parse_metrics(choices.metrics)
        endpoint = MetricsEndpoint(address, address.token(), report=remark)
    stack.callback(endpoint.close)
    return endpoint


def settings_of(
    choice: CameraChoice,
    camera: Camera,
    session: Session,
    rules: Rules,
    health: HealthLimits | None,
    novelty: Novelty | None,
    remark: Say,
) -> Settings:
    """Return how the stream of a camera runs; its session sees of frames what the choices say.

    Raises:
        InputError: the camera's flat-field cannot be read, or does not fit.
    """
    from edgecl.cli.run.frame_view import set_view
    from runtime.camera.depth import settle_depth
    from runtime.stream.pipeline import Settings

    bits = set_view(session, choice, remark)
    depth = settle_depth(camera, session.contract.input, bits, remark)
    return Settings(
        replace(rules, bits=depth),
        every_frame=not camera.live if choice.every_frame is None else choice.every_frame,
        frames=choice.frames,
        health=health,
        novelty=novelty,
    )


def speaking(console: Console, remarks: list[str]) -> tuple[Callable[[str], None], Say]:
    """Return what says a line, and what says it and keeps it for the summary."""

    def say(text: str) -> None:
        console.print(text, markup=False)

    def remark(text: str) -> None:
        remarks.append(text)
        say(text)

    return say, remark
