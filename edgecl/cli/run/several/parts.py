"""`edgecl run --part-of`: parts that several cameras see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.run.cameras import CameraChoice, place_of
from edgecl.cli.run.file_names import PARTS
from edgecl.cli.verb import flag_of
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.run.choices import RunChoices
    from runtime.camera import Camera
    from runtime.stream.parts.joining import PartJoin
    from runtime.stream.parts.rule import PartRule
    from runtime.stream.rules import Rules
    from runtime.stream.sinks import JsonLinesSink, Sink
    from runtime.stream.sinks.journal_rules import JournalRules


@dataclass(frozen=True)
class Parts:
    """Parts of a station.

    Args:
        join: joins them.
        file: takes their verdicts.
        rule: what belongs to one part.
    """

    join: PartJoin
    file: JsonLinesSink
    rule: PartRule

    def opening_line(self) -> str:
        """Describe what is one part, how long it waits, and where the verdicts go."""
        window, deadline = self.rule.window_ns, self.rule.deadline_ns
        told = "of one trigger" if window is None else f"within {window / 1e6:g} ms"
        waits = "" if deadline is None else f", out within {deadline / 1e6:g} ms"
        return f"parts: frames {told}{waits}; verdicts in {self.file.path}"

    def sink_for(self, name: str, camera: Camera) -> Sink:
        """Return the sink of a camera's verdicts."""
        if self.rule.window_ns is not None:
            return self.join.sink_for(name)
        # What a lost camera missed, nobody counts: from then on its numbers are of other parts.
        return self.join.sink_for(name, lambda: camera.losses + camera.stalls == 0)

    def close(self) -> None:
        """Say `fault` of the parts that are open, and write what waits."""
        self.join.close()
        self.file.close()


def judging_every_frame(
    cameras: Sequence[CameraChoice], context: click.Context
) -> tuple[CameraChoice, ...]:
    """Return the cameras so that each part has its frame of each.

    Raises:
        InputError: one is to judge its latest frames alone.
    """
    for camera in cameras:
        if camera.every_frame is False:
            raise InputError(
                f"{place_of(context, camera)}: {flag_of(context, 'part_of')} needs every frame of "
                "each camera, but only the latest ones are judged",
                hint="leave out every-frame = false",
            )
    return tuple(replace(camera, every_frame=True) for camera in cameras)


def rule_of(
    choices: RunChoices, cameras: Mapping[str, Camera], rules: Rules, context: click.Context
) -> PartRule:
    """Return how the cameras' frames are joined.

    Raises:
        InputError: frames are to be matched by number, and those of a camera count nothing.
    """
    from runtime.stream.parts.rule import part_rule

    assert choices.part_of is not None
    rule = part_rule(
        choices.part_of,
        choices.part_deadline,
        budget_ns=rules.budget.total,
        in_service=any(camera.live for camera in cameras.values()),
    )
    for name, camera in cameras.items():
        if rule.window_ns is None and camera.trigger is None and not camera.stored:
            raise InputError(
                f"{flag_of(context, 'part_of')} {choices.part_of} matches frames by their number, "
                f"but camera {name} runs freely",
                hint="pass a time, as in --part-of 20ms, or trigger the cameras with --trigger",
            )
    return rule


def require_no_parts(sinks: Sequence[Sink], context: click.Context) -> None:
    """Refuse sinks that need one verdict on a part, where each camera has its own.

    Raises:
        InputError: there is such a sink.
    """
    from runtime.stream.acting.sink import ActingSink

    for sink in sinks:
        if isinstance(sink, ActingSink) and sink.needs_parts:
            raise InputError(
                f"{flag_of(context, 'sinks')}: {sink.name} takes one verdict on a part, but each "
                "camera has its own",
                hint="join the cameras with --part-of, or run each by itself",
            )


def open_parts(
    rule: PartRule,
    names: Sequence[str],
    folder: Path,
    sinks: Sequence[Sink],
    kept: JournalRules,
) -> Parts:
    """Open the file of the parts and begin to join.

    Args:
        kept: how the file is kept.

    Raises:
        InputError: the file is there already, or cannot be made.
    """
    from runtime.stream.parts.joining import PartJoin
    from runtime.stream.sinks import JsonLinesSink

    file = JsonLinesSink(folder / PARTS, kept)
    join = PartJoin(names, rule, sinks, file)
    join.start()
    return Parts(join, file, rule)
