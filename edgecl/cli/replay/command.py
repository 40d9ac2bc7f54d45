"""`edgecl replay`: judge kept frames again by another bundle."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.answering import answer_options, opened_model
from edgecl.cli.options import ANY_PATH
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.verb import Verb
from runtime.counting import counted, noun

if TYPE_CHECKING:
    from runtime.stream.answering.comparing import Disagreement
    from runtime.stream.answering.recorded import VerdictRecording
    from runtime.stream.answering.replay import ReplayReport


@click.command("replay", cls=Verb, short_help="Judge kept frames again by another bundle.")
@click.argument("source", type=ANY_PATH, metavar="SOURCE")
@answer_options
@click.option(
    "--against",
    type=ANY_PATH,
    metavar="BUNDLE",
    help="Compare with the answers of this bundle, in place of recorded verdicts.",
)
@click.option(
    "--images",
    type=ANY_PATH,
    metavar="PATH",
    help="Folder or video that the verdicts are of.  [default: what the stream judged]",
)
@click.option(
    "--changed-at-most",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Verdicts that may change; above it, the exit code is 1.",
)
@click.option("--out", type=ANY_PATH, metavar="FILE", help="Write each change as a line of JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(context: click.Context, /, **values: Any) -> None:
    """Judge frames that were kept again, and show which verdicts change.

    SOURCE is a stream's folder, its verdicts.jsonl, an archive, images that a line kept (--sink
    images:FOLDER), or any folder of images; the latter needs --against. Ends with 0 where no more
    than --changed-at-most verdicts change, else with 1.
    """
    from runtime.errors import GateError
    from runtime.files.document import plain, write_lines

    report, changed = _replayed(context, values)
    if values["out"] is not None:
        write_lines(values["out"], changed)
        results_are_in(values["out"], printed=values["as_json"])
    if values["as_json"]:
        print_json(plain(report))
    else:
        _show(report)
    count = report.comparison.disagreed
    if count > values["changed_at_most"]:
        raise GateError(
            f"{count} of {counted(report.comparison.frames, 'verdict')} "
            f"{noun(count, 'changes', 'change')} "
            f"({values['changed_at_most']} allowed)",
            hint="look at them, and allow them with --changed-at-most",
            code="replay",
        )


def _replayed(
    context: click.Context, values: dict[str, Any]
) -> tuple[ReplayReport, list[Disagreement]]:
    """Judge all images; the report, and all that changed."""
    from runtime.errors import InputError
    from runtime.stream.answering.recorded import read_recording
    from runtime.stream.answering.replay import CHANGED_SHOWN, Replay, ReplayReport

    source, against = values["source"], values["against"]
    recording = None if against is not None else read_recording(source)
    if recording is None and against is None:
        raise InputError(
            f"{source} has no verdicts to compare with",
            hint="name the bundle to compare with: --against BUNDLE",
        )
    images = values["images"] or _images_of(source, recording)
    with ExitStack() as stack:
        second = opened_model(context, values, stack)
        first = None
        if against is not None:
            first = opened_model(context, values, stack, against).answerer
        replay = Replay(images, second.answerer, recording=recording, first=first)
        changed = list(replay.run())
    report = ReplayReport(
        source=str(source),
        images=str(images),
        against="verdicts" if against is None else str(against),
        model=str(second.bundle.path),
        digest=second.bundle.manifest.digest,
        precision=second.session.precision,
        engine=second.session.engine,
        comparison=replay.comparison(),
        missing=replay.missing,
        unanswered=replay.unanswered,
        failed=replay.failed,
        changed=tuple(changed[:CHANGED_SHOWN]),
    )
    return report, changed


def _images_of(source: Path, recording: VerdictRecording | None) -> Path:
    from runtime.errors import InputError
    from runtime.stream.answering.recorded import VERDICTS, source_of_stream

    if recording is not None:
        if recording.images is None:
            raise InputError(
                f"{source} does not tell where the images of its verdicts are",
                hint="pass their folder or video with --images",
            )
        return recording.images
    judged = source_of_stream(source) if (source / VERDICTS).is_file() else None
    return judged or source


def _show(report: ReplayReport) -> None:
    from edgecl.cli.run.view import comparison_line

    click.echo(f"{report.model}: {report.precision} on {report.engine}, {report.images}")
    for entry in report.changed:
        click.echo(
            f"  {entry.name or entry.frame}: {entry.first.status} {entry.first.label} "
            f"{entry.first.confidence:.1%} → {entry.second.status} {entry.second.label} "
            f"{entry.second.confidence:.1%}"
        )
    left = report.comparison.disagreed - len(report.changed)
    if left:
        click.echo(f"  and {left} more, which --out writes")
    click.echo(comparison_line(report.comparison))
    for change, count in report.comparison.changes.items():
        click.echo(f"  {change}: {count}")
    if report.comparison.relabelled:
        click.echo(f"  another label: {report.comparison.relabelled}")
    counts = {
        "without their image": report.missing,
        "without an answer to compare with": report.unanswered,
        "that cannot be answered": report.failed,
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    if told:
        click.echo(f"left out: {', '.join(told)}")
