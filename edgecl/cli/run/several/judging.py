"""`edgecl run` with several cameras: each a stream of its own, at one model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

import click

from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.run.choices import RunChoices
from edgecl.cli.run.config.text import CONFIG, write_config
from edgecl.cli.run.file_names import LATE, PARTS, VERDICTS
from edgecl.cli.run.files import open_stream_files
from edgecl.cli.run.model.opening import open_chosen_model
from edgecl.cli.run.model.source import chosen_model
from edgecl.cli.run.opening import (
    facts_of,
    open_chosen_metrics,
    open_chosen_sinks,
    output_place,
    settings_of,
    speaking,
)
from edgecl.cli.run.outcome import exit_code_of, require_written, write_summary
from edgecl.cli.run.page import live_page, window_of
from edgecl.cli.run.recipes.commands import Beside, commanding
from edgecl.cli.run.service.reloading import Reloading
from edgecl.cli.run.service.supervision import Supervision
from edgecl.cli.run.several.opening import naming_camera, noting, open_cameras, require_new
from edgecl.cli.run.several.parts import (
    Parts,
    judging_every_frame,
    open_parts,
    require_no_parts,
    rule_of,
)
from edgecl.cli.signals import EXIT_INTERRUPTED, stop_signals
from edgecl.cli.verb import naming_place
from runtime.errors import EdgeclError

if TYPE_CHECKING:
    from rich.console import Console

    from edgecl.cli.run.stream import InspectionStream
    from runtime.stream.metrics.endpoint import MetricsEndpoint
    from runtime.stream.metrics.watched import WatchedStation
    from runtime.stream.rules import Rules
    from runtime.stream.sinks import Sink
    from runtime.stream.station.station import Station
    from runtime.stream.summary import StreamEnd

_REFRESH_S = 0.4


def judge_cameras(choices: RunChoices, rules: Rules, context: click.Context) -> int:
    """Run the streams of several cameras from their choices to the exit code.

    Args:
        choices: values of all options.
        rules: as the choices say; they hold for every camera.
        context: of the command, which knows where each value was given.

    Raises:
        EdgeclError: the streams cannot begin, or one of them ended with a failure.
    """
    from rich.console import Console

    from edgecl.cli.run.several.view import print_station
    from edgecl.cli.run.stream import InspectionStream
    from runtime.camera.outages import Outages
    from runtime.files.document import plain
    from runtime.realtime import realtime_terms
    from runtime.stream.metrics.watched import WatchedStation
    from runtime.stream.sharing.pool import SessionPool
    from runtime.stream.station.naming import NamingSink
    from runtime.stream.station.station import Station
    from runtime.stream.station.summary import summarise_station
    from runtime.stream.summary import FILE as SUMMARY

    model = chosen_model(choices, context)
    healths = {c.name: choices.health_of(c, model.scene, context) for c in choices.cameras}
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    remarks: list[str] = []
    say, remark = speaking(console, remarks)
    streams: dict[str, InspectionStream] = {}
    with ExitStack() as stack:
        with naming_place(context, "out"):
            folder = stack.enter_context(output_place(choices.out, remark))
        page = stack.enter_context(live_page(choices, context, remark))
        # Before any thread is made: those of the engine inherit it.
        granted = stack.enter_context(
            realtime_terms(choices.cores(), remark, realtime=choices.realtime)
        )
        metrics = open_chosen_metrics(choices, context, remark, stack)
        wanted = choices.cameras
        if choices.part_of is not None:
            wanted = judging_every_frame(wanted, context)
        outages = {camera.name: Outages() for camera in wanted}
        cameras = open_cameras(wanted, context, outages, say, stack)
        for name, camera in cameras.items():
            for note in camera.notes:
                remark(f"{name}: {note}")
        rule = None if choices.part_of is None else rule_of(choices, cameras, rules, context)
        for note in choices.remarks():
            remark(note)
        sessions, candidates = open_chosen_model(
            choices, model.source, context, console, say, remark, stack
        )
        labels = sessions[0].contract.labels
        choices.require_labels(labels, context)
        with naming_place(context, "model"):
            novelty = choices.novelty(model.source, remark, model.manifest)
        pool = SessionPool(sessions)
        mark = model.mark(choices.recipes[0].id) if choices.recipes else None
        files = [f"{name}/{file}" for name in cameras for file in (VERDICTS, LATE)]
        taken = (SUMMARY, CONFIG, PARTS, *files)
        require_new(folder, (PARTS, *files))
        facts = facts_of(choices, model, cameras, sessions[0].contract, rules)
        shared = open_chosen_sinks(choices, folder, labels, taken, facts, context, remark, stack)
        if rule is None:
            require_no_parts(shared, context)
        parts = (
            None
            if rule is None
            else open_parts(rule, list(cameras), folder, shared, choices.journal())
        )
        if parts is not None:
            stack.callback(parts.close)
        for chosen in wanted:
            name = chosen.name
            own: list[str] = []
            camera, shown = cameras[name], pool.for_camera(name)
            with naming_camera(context, chosen):
                settings = settings_of(
                    chosen, camera, shown, rules, healths[name], novelty, noting(name, own, say)
                )
            written = open_stream_files(
                choices, model.source, settings, shown, folder / name, context, stack
            )
            # A machine acts on the parts where there are any, and else on each camera's frames.
            more: list[Sink] = [NamingSink(other, name) for other in shared]
            if parts is not None:
                more = [sink for sink in more if sink.takes_frames]
                more.append(parts.sink_for(name, camera))
            streams[name] = InspectionStream(
                model.path,
                camera,
                shown,
                candidates,
                settings,
                written.verdicts,
                outages[name],
                own,
                more,
                written.late,
                choices.terms(granted),
                choices.workers,
                written.heat_maps,
                mark,
                window=window_of(page, settings.rules.bits),
            )

        def keep(kept: RunChoices) -> None:
            write_config(folder / CONFIG, kept.whole.values(model.path), say)

        keep(choices)
        say(next(iter(streams.values())).model_line())
        for name, stream in streams.items():
            say(f"{name}: {stream.camera_line()}")
        if parts is not None:
            say(parts.opening_line())
        vital = [c.name for c in choices.cameras if "give_up_after" not in c.own]
        station = Station(
            {name: stream.pipeline(own_process=False) for name, stream in streams.items()},
            vital=vital if choices.give_up_after is not None else (),
            on_end=parts.join.leave if parts is not None else lambda name: None,
            own_process=True,
        )
        if page is not None:
            say(page.opening_line())
            page.show(streams, station.pipelines, shared, None if parts is None else parts.join)
        chosen_cameras = {c.name: (c, cameras[c.name]) for c in wanted}
        named = replace(choices, model=model.path)
        reloading = Reloading(context, choices.whole, model.scene, remark, streams, keep)
        beside = commanding(
            named,
            context,
            folder,
            chosen_cameras,
            sessions[0],
            shared,
            remark,
            reloading.take_renewal,
        )
        watched = WatchedStation(
            facts,
            next(iter(streams.values())).session,
            [
                stream.watched(name, station.pipelines[name], [stream.sink])
                for name, stream in streams.items()
            ],
            shared,
            None if parts is None else lambda: parts.join.account,
        )
        supervision = Supervision(reloading)
        started, interrupted = _judge(
            station, streams, parts, shared, console, beside, metrics, watched, supervision
        )
    ends = _ends(station, interrupted, started)
    document = summarise_station(
        {name: stream.summary(ends[name]) for name, stream in streams.items()},
        seconds=station.seconds,
        notes=remarks,
        sinks=shared,
        parts=None if parts is None else parts.join.account,
        parts_sink=None if parts is None else parts.file,
    )
    if write_summary(folder / SUMMARY, document, console):
        results_are_in(folder, printed=choices.as_json)
    if choices.as_json:
        print_json(plain(document))
    else:
        print_station(Console(highlight=False), document)
    if interrupted:
        return EXIT_INTERRUPTED
    return _exit_code(choices, streams, parts, ends)


def _judge(
    station: Station,
    streams: Mapping[str, InspectionStream],
    parts: Parts | None,
    shared: list[Sink],
    console: Console,
    beside: Beside,
    metrics: MetricsEndpoint | None,
    watched: WatchedStation,
    supervision: Supervision,
) -> tuple[datetime, bool]:
    """Judge until all cameras have ended or somebody stops them; when it began, and whether so."""
    from edgecl.cli.run.several.view import station_view
    from runtime.stream.metrics.families import rendered

    started = datetime.now(timezone.utc)
    with stop_signals(supervision.asked) as stopped, beside(station.pipelines):
        station.start()
        supervision.begin(station.pipelines)
        if metrics is not None:
            metrics.start(partial(rendered, watched))
        with station_view(console, station) as refresh:
            while not station.wait(_REFRESH_S) and not stopped:
                refresh()
                supervision.look()
        supervision.end()
        station.close()
        if metrics is not None:
            metrics.close()
        for stream in streams.values():
            stream.close_sinks()
        if parts is not None:
            parts.close()
        for sink in shared:
            sink.close()
    return started, bool(stopped)


def _ends(station: Station, interrupted: bool, started: datetime) -> dict[str, StreamEnd]:
    from runtime.stream.summary import StreamEnd

    return {
        name: StreamEnd(
            pipeline.ledger.snapshot(),
            pipeline.seconds,
            interrupted,
            pipeline.failure,
            pipeline.notes,
            started,
        )
        for name, pipeline in station.pipelines.items()
    }


def _exit_code(
    choices: RunChoices,
    streams: Mapping[str, InspectionStream],
    parts: Parts | None,
    ends: Mapping[str, StreamEnd],
) -> int:
    """The exit code: of a failure, the gravest camera's.

    Raises:
        EdgeclError: that camera's, with its name.
    """
    failures: list[EdgeclError] = []
    for chosen in choices.cameras:
        stream = streams[chosen.name]
        try:
            exit_code_of(
                ends[chosen.name],
                choices.max_misses,
                live=stream.camera.live and chosen.fps is None,
                lost=stream.sink.lost,
                problem=stream.sink.problem,
            )
        except EdgeclError as error:
            named = type(error)(f"{chosen.name}: {error.problem}", hint=error.hint, code=error.code)
            failures.append(named)
    if parts is not None:
        try:
            require_written(parts.file.lost, parts.file.problem)
        except EdgeclError as error:
            failures.append(error)
    if failures:
        raise max(failures, key=lambda failure: failure.exit_code)
    return 0
