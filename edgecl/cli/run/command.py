"""`edgecl run`: judge the frames of a camera."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.engine_choices import engine_builder
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.run.choices import RunChoices
from edgecl.cli.run.config.text import CONFIG, config_text, write_config
from edgecl.cli.run.options import SPOOL, STREAMS, VERDICTS, run_options
from edgecl.cli.run.outcome import exit_code_of, write_summary
from edgecl.cli.verb import Verb, naming_place
from runtime.errors import InputError

if TYPE_CHECKING:
    from runtime.stream.rules import Rules

LATE = "late.jsonl"


@click.command("run", cls=Verb, short_help="Judge camera frames within a latency budget.")
@run_options
@click.pass_context
def command(context: click.Context, /, **values: Any) -> int:
    """Judge every camera frame: pass, reject, unsure, late or fault.

    Capture runs in parallel with inference. Ctrl-C ends the stream and prints its summary; a
    second Ctrl-C ends it at once.
    """
    printed = values.pop("print_config")
    choices = RunChoices(**values)
    rules = choices.rules(context)
    if printed:
        click.echo(config_text(values), nl=False)
        return 0
    return judge_frames(choices, rules, context)


def judge_frames(choices: RunChoices, rules: Rules, context: click.Context) -> int:
    """Run one stream from its choices to its exit code.

    Args:
        choices: values of all options.
        rules: as the choices say.
        context: of the command, which knows where each value was given.

    Raises:
        EdgeclError: the stream cannot begin, or it ended with a failure.
    """
    from rich.console import Console

    from edgecl.cli.progress import reporting
    from edgecl.cli.run.frame_view import set_view
    from edgecl.cli.run.stream import InspectionStream, close_late
    from edgecl.cli.run.view import print_summary
    from runtime.artifact.bundle import scene_beside
    from runtime.artifact.signature import load_signed_bundle
    from runtime.camera import open_camera
    from runtime.camera.depth import settle_depth
    from runtime.camera.outages import Outages
    from runtime.camera.settings import parse_settings
    from runtime.files.document import plain
    from runtime.files.output_folder import new_folder, own_folder
    from runtime.realtime import realtime_terms
    from runtime.session.opening import default_threads, open_fastest
    from runtime.stream.pipeline import Settings
    from runtime.stream.sinks import JsonLinesSink, StreamFacts, open_sink
    from runtime.stream.summary import FILE as SUMMARY

    model = choices.model or newest_bundle()
    with naming_place(context, "verify_key", "model"):
        trusted = load_signed_bundle(model, choices.verify_key) if choices.verify_key else None
    health = choices.health_of(scene_beside(model), context)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    outages = Outages()
    remarks: list[str] = []

    def say(text: str) -> None:
        console.print(text, markup=False)

    def remark(text: str) -> None:
        remarks.append(text)
        say(text)

    def report_outage(text: str) -> None:
        outages.add(text)
        say(text)

    with ExitStack() as stack:
        # A full disk keeps no stream from judging, so nothing has to fit.
        started = f"{datetime.now():%Y%m%d-%H%M%S}"
        out = choices.out
        with naming_place(context, "out"):
            place = own_folder(out, room=0) if out else new_folder(Path(STREAMS) / started, room=0)
            folder = stack.enter_context(place)
        # Before any thread is made: those of the engine inherit it.
        granted = stack.enter_context(
            realtime_terms(choices.cores(), remark, realtime=choices.realtime)
        )
        with naming_place(context, "source"):
            camera = stack.enter_context(
                open_camera(
                    choices.source,
                    fps=choices.fps,
                    report=report_outage,
                    give_up_after=choices.give_up_after,
                    trigger=choices.trigger,
                    settings=parse_settings(choices.settings),
                )
            )
        for note in (*camera.notes, *choices.remarks()):
            remark(note)
        with (
            reporting(console) as progress,
            naming_place(context, "engine", "precision", "device", "model"),
        ):
            session, candidates = open_fastest(
                trusted or model,
                choices.precision,
                engine=choices.engine,
                threads=choices.threads or max(1, default_threads() - 1),
                device=choices.device,
                engine_for=engine_builder(
                    choices.building(), progress, say, own_only=trusted is not None
                ),
                report=remark,
            )
        stack.enter_context(session)
        choices.require_labels(session.contract.labels, context)
        with naming_place(context, "flat"):
            bits = set_view(session, choices, remark)
        depth = settle_depth(camera, session.contract.input, bits, remark)
        taken = (VERDICTS, SUMMARY, CONFIG, LATE)
        facts = StreamFacts(bundle=model.name, camera=camera.name)
        more = []
        for text in choices.sinks:
            with naming_place(context, "sinks"):
                other = open_sink(
                    text,
                    folder,
                    session.contract.labels,
                    taken=taken,
                    stream=facts,
                    spool=choices.spool or Path(SPOOL),
                    report=say,
                )
            stack.callback(other.close)
            more.append(other)
        # Last of all: a file that a refused command left would be in the way of the next one.
        late_sink = JsonLinesSink(folder / LATE) if rules.budget.total else None
        if late_sink is not None:
            stack.callback(close_late, late_sink)
        sink = JsonLinesSink(folder / VERDICTS)
        stack.callback(sink.close)
        write_config(folder / CONFIG, choices.values(model), say)
        settings = Settings(
            replace(rules, bits=depth),
            every_frame=not camera.live if choices.every_frame is None else choices.every_frame,
            frames=choices.frames,
            health=health,
        )
        stream = InspectionStream(
            model,
            camera,
            session,
            candidates,
            settings,
            sink,
            outages,
            remarks,
            more,
            late_sink,
            choices.terms(granted),
        )
        console.print(stream.opening_line(), markup=False)
        outcome = stream.run(console)
    document = stream.summary(outcome)
    if write_summary(folder / SUMMARY, document, console):
        results_are_in(folder, printed=choices.as_json)
    if choices.as_json:
        print_json(plain(document))
    else:
        print_summary(Console(highlight=False), document)
    return exit_code_of(
        outcome,
        choices.max_misses,
        live=camera.live and choices.fps is None,
        lost=sink.lost,
        problem=sink.problem,
    )


def newest_bundle() -> Path:
    """The bundle that was written last, under the current folder or `runs/`.

    Raises:
        InputError: there is none.
    """
    from runtime.artifact.bundle import MANIFEST, SUFFIX

    manifests = [
        manifest
        for folder in (Path(), Path("runs"))
        for manifest in folder.glob(f"*{SUFFIX}/{MANIFEST}")
    ]
    if not manifests:
        raise InputError(
            f"no bundle (*{SUFFIX}) found here or in runs/",
            hint="make one with 'edgecl export', or pass one with --model",
        )
    return max(manifests, key=lambda manifest: manifest.stat().st_mtime_ns).parent
