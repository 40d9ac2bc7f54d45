"""`edgecl run`: judge the frames of a camera, or of several."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.run.cameras import camera_choices
from edgecl.cli.run.choices import RunChoices
from edgecl.cli.run.config.text import CONFIG, config_text, write_config
from edgecl.cli.run.file_names import LATE, VERDICTS
from edgecl.cli.run.files import open_stream_files
from edgecl.cli.run.model.opening import open_chosen_model
from edgecl.cli.run.model.source import chosen_model
from edgecl.cli.run.opening import (
    facts_of,
    open_chosen_camera,
    open_chosen_metrics,
    open_chosen_sinks,
    output_place,
    settings_of,
    speaking,
)
from edgecl.cli.run.options import run_options
from edgecl.cli.run.outcome import exit_code_of, write_summary
from edgecl.cli.run.page import live_page, window_of
from edgecl.cli.run.recipes.checking import require_checks
from edgecl.cli.run.recipes.choices import recipe_choices, require_bundles
from edgecl.cli.run.recipes.commands import commanding
from edgecl.cli.run.recipes.renewing import require_labels_of
from edgecl.cli.run.service.reloading import Reloading
from edgecl.cli.run.service.supervision import Supervision
from edgecl.cli.verb import Verb, naming_place

if TYPE_CHECKING:
    from runtime.stream.rules import Rules


@click.command("run", cls=Verb, short_help="Judge camera frames within a latency budget.")
@run_options
@click.pass_context
def command(context: click.Context, /, **values: Any) -> int:
    """Judge every camera frame: pass, reject, unsure, unknown, late or fault.

    Capture runs in parallel with inference. Ctrl-C ends the stream and prints its summary; a
    second Ctrl-C ends it at once.
    """
    printed = values.pop("print_config")
    with naming_place(context, "source"):
        values["cameras"] = camera_choices(context, values)
    with naming_place(context, "begin_with", "recipe"):
        recipes = recipe_choices(context, values["recipe"], values["begin_with"])
    values["recipes"] = recipes
    choices = RunChoices(**values)
    if recipes:
        require_bundles(recipes)
        require_labels_of(choices, context)
    beginning = choices.with_recipe(recipes[0]) if recipes else choices
    rules = beginning.rules(context)
    if printed:
        click.echo(config_text(values, with_passwords=False).encode(), nl=False)
        return 0
    require_checks(beginning, context)
    if choices.cameras[0].name:
        from edgecl.cli.run.several.judging import judge_cameras

        return judge_cameras(beginning, rules, context)
    return judge_frames(beginning, rules, context)


def judge_frames(choices: RunChoices, rules: Rules, context: click.Context) -> int:
    """Run the stream of one camera from its choices to its exit code.

    Args:
        choices: values of all options.
        rules: as the choices say.
        context: of the command, which knows where each value was given.

    Raises:
        EdgeclError: the stream cannot begin, or it ended with a failure.
    """
    from rich.console import Console

    from edgecl.cli.run.stream import InspectionStream
    from edgecl.cli.run.view import print_summary
    from runtime.camera.outages import Outages
    from runtime.files.document import plain
    from runtime.realtime import realtime_terms
    from runtime.stream.answering.shadow import FILE as SHADOW
    from runtime.stream.heat_maps import FOLDER as HEAT_MAPS
    from runtime.stream.heat_maps import INDEX as HEAT_MAPS_INDEX
    from runtime.stream.sharing.pool import SessionPool
    from runtime.stream.summary import FILE as SUMMARY

    model = chosen_model(choices, context)
    (chosen,) = choices.cameras
    health = choices.health_of(chosen, model.scene, context)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    outages = Outages()
    remarks: list[str] = []
    say, remark = speaking(console, remarks)

    def report_outage(text: str) -> None:
        outages.add(text)
        say(text)

    with ExitStack() as stack:
        with naming_place(context, "out"):
            folder = stack.enter_context(output_place(choices.out, remark))
        page = stack.enter_context(live_page(choices, context, remark))
        # Before any thread is made: those of the engine inherit it.
        granted = stack.enter_context(
            realtime_terms(choices.cores(), remark, realtime=choices.realtime)
        )
        metrics = open_chosen_metrics(choices, context, remark, stack)
        with naming_place(context, "source"):
            camera = stack.enter_context(open_chosen_camera(chosen, report_outage))
        for note in (*camera.notes, *choices.remarks()):
            remark(note)
        sessions, candidates = open_chosen_model(
            choices, model.source, context, console, say, remark, stack
        )
        session = sessions[0] if len(sessions) == 1 else SessionPool(sessions).for_camera("camera")
        choices.require_labels(session.contract.labels, context)
        with naming_place(context, "model"):
            novelty = choices.novelty(model.source, remark, model.manifest)
        with naming_place(context, "flat"):
            settings = settings_of(chosen, camera, session, rules, health, novelty, remark)
        taken = (VERDICTS, SUMMARY, CONFIG, LATE, HEAT_MAPS, HEAT_MAPS_INDEX, SHADOW)
        labels = session.contract.labels
        facts = facts_of(choices, model, [camera.name], session.contract, rules)
        more = open_chosen_sinks(choices, folder, labels, taken, facts, context, remark, stack)
        files = open_stream_files(
            choices, model.source, settings, session, folder, context, stack, facts
        )

        def keep(kept: RunChoices) -> None:
            write_config(folder / CONFIG, kept.whole.values(model.path), say)

        keep(choices)
        reloading = Reloading(context, choices.whole, model.scene, remark, keep=keep)
        stream = InspectionStream(
            model.path,
            camera,
            session,
            candidates,
            settings,
            files.verdicts,
            outages,
            remarks,
            more,
            files.late,
            choices.terms(granted),
            choices.workers,
            files.heat_maps,
            model.mark(choices.recipes[0].id) if choices.recipes else None,
            commanding(
                replace(choices, model=model.path),
                context,
                folder,
                {"": (chosen, camera)},
                session,
                more,
                remark,
                reloading.take_renewal,
            ),
            files.shadow,
            metrics,
            facts,
            window_of(page, settings.rules.bits),
            page,
        )
        console.print(stream.opening_line(), markup=False)
        if page is not None:
            say(page.opening_line())
        reloading.streams = {"": stream}
        outcome = stream.run(console, Supervision(reloading))
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
        live=camera.live and chosen.fps is None,
        lost=files.verdicts.lost,
        problem=files.verdicts.problem,
    )
