"""`edgecl check`: is the line as it was when it was good?"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click
import msgspec

from edgecl.cli.answering import answer_options, opened_model
from edgecl.cli.options import ANY_PATH, FOLDER, LOGIN_FILE
from edgecl.cli.results import print_json
from edgecl.cli.running_stream import STREAM_OPTION, running_stream
from edgecl.cli.verb import Verb
from runtime.counting import counted

if TYPE_CHECKING:
    from runtime.camera import Camera
    from runtime.stream.checking.report import CheckReport


@click.command("check", cls=Verb, short_help="Check model, parts, light and focus of a line.")
@answer_options
@click.option(
    "--parts",
    type=FOLDER,
    help="Folder of the site's own parts: a folder per label in it, or good and bad.",
)
@click.option(
    "--wrong-at-most",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Parts that may be answered wrongly.",
)
@click.option("--camera", metavar="SOURCE", help="Camera whose light and focus are compared.")
@LOGIN_FILE
@click.option(
    "--frames",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Frames of the camera whose light and focus are averaged.",
)
@click.option(
    "--reference",
    type=ANY_PATH,
    metavar="FILE",
    help="Light and focus to compare with.  [default: those of the training images]",
)
@click.option(
    "--record",
    type=ANY_PATH,
    metavar="FILE",
    help="Write the camera's light and focus as a reference, and check nothing.",
)
@click.option(
    "--archive", type=ANY_PATH, metavar="FILE", help="Keep the report in this archive of verdicts."
)
@click.option(
    "--running",
    is_flag=True,
    help="Check a running stream, as its --check-parts and other options say.",
)
@STREAM_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(context: click.Context, /, **values: Any) -> None:
    """Check a line before its shift, or while it runs.

    Answers the bundle's golden images and the site's own parts again, and compares light and focus
    of a camera with those of the training images or of a recorded reference. Ends with 0 where all
    is as it should be, and with 1 where something is not.
    """
    from runtime.errors import GateError

    if values["record"] is not None:
        _record(context, values)
        return
    if values["running"] or values["stream"] is not None:
        from runtime.stream.checking.report import CheckReport
        from runtime.stream.control.socket import ask

        report = msgspec.convert(ask(running_stream(values["stream"]), "check"), CheckReport)
    else:
        report = _checked(context, values)
    _show(report, as_json=values["as_json"])
    if not report.passed:
        raise GateError(
            f"the check failed: {'; '.join(report.failures)}",
            hint="look at lamp, lens and camera, and at the parts that are named",
            code="check",
        )


def _checked(context: click.Context, values: dict[str, Any]) -> CheckReport:
    """Open bundle and camera, and check them."""
    from runtime.stream.checking.checker import CheckPlan, LineCheck, frames_of

    plan = CheckPlan(
        values["parts"], values["wrong_at_most"], values["reference"], values["frames"]
    )
    with ExitStack() as stack:
        opened = opened_model(context, values, stack)
        cameras = {}
        if values["camera"] is not None:
            camera = _camera(values, stack)
            cameras[camera.name] = lambda: frames_of(camera, values["frames"])
        report = LineCheck(plan, opened.bundle, opened.session, opened.answerer).run(cameras)
    if values["archive"] is not None:
        from runtime.stream.checking.keeping import keep_in_archive

        keep_in_archive(values["archive"], report)
    return report


def _camera(values: Mapping[str, Any], stack: ExitStack) -> Camera:
    from runtime.camera import open_camera

    return stack.enter_context(open_camera(values["camera"], login_file=values["login_file"]))


def _record(context: click.Context, values: dict[str, Any]) -> None:
    """Write the reference."""
    from runtime.errors import EquipmentError, FrameError, InputError
    from runtime.files.document import plain, write_document
    from runtime.stream.checking.checker import frames_of, recorded_reference

    if values["camera"] is None:
        raise InputError("--record needs a camera", hint="add --camera SOURCE")
    with ExitStack() as stack:
        opened = opened_model(context, values, stack)
        camera = _camera(values, stack)
        try:
            frames = frames_of(camera, values["frames"])
            digest = opened.bundle.manifest.digest
            reference = recorded_reference(opened.answerer, frames, camera.name, digest)
        except FrameError as error:
            raise EquipmentError(str(error), hint="look at it with 'edgecl camera'") from error
    write_document(values["record"], reference)
    if values["as_json"]:
        print_json(plain(reference))
    else:
        scene = reference.scene
        click.echo(
            f"{values['record']}: {counted(scene.images, 'frame')} of {reference.camera}, "
            f"brightness {scene.level.q50:.1%}, focus {scene.sharpness.q50:.3f}"
        )


def _show(report: CheckReport, *, as_json: bool) -> None:
    from runtime.files.document import plain

    if as_json:
        print_json(plain(report))
        return
    click.echo(f"{report.model}: {report.precision} on {report.engine}")
    if report.golden is not None:
        right = report.golden.images - report.golden.wrong
        click.echo(f"golden images: {right} of {report.golden.images} as at the export")
    if report.parts is not None:
        click.echo(f"parts: {report.parts.right} of {report.parts.images} right")
        for part in report.parts.wrong:
            label = f" {part.label} {part.confidence:.1%}" if part.label else ""
            reason = f" ({part.reason})" if part.reason else ""
            click.echo(f"  {part.name}: {part.status}{label}{reason}, not {part.expected}")
    for scene in report.cameras:
        click.echo(
            f"{scene.camera}: brightness {scene.brightness:.1%} ({scene.least_brightness:.1%} to "
            f"{scene.most_brightness:.1%}), focus {scene.focus:.3f} (at least "
            f"{scene.least_focus:.3f}), over {counted(scene.frames, 'frame')}"
        )
    for note in report.notes:
        click.echo(f"note: {note}")
    click.echo("passed" if report.passed else "FAILED")
