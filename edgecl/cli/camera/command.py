"""`edgecl camera`: open a camera, measure it, and record from it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.options import ANY_PATH, FOLDER, LOGIN_FILE
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.signals import EXIT_INTERRUPTED
from edgecl.cli.verb import Verb
from runtime.artifact.contract import BITS
from runtime.counting import counted
from runtime.errors import EquipmentError, InputError

if TYPE_CHECKING:
    from runtime.camera import Camera
    from runtime.camera.examination.measurement import FrameTally
    from runtime.camera.examination.network import LinkFinding
    from runtime.image.flat.field import Per

RECORDINGS = "recordings"
FRAMES = 32
PER = ("column", "pixel")  # named here too, so that --help loads no OpenCV


@click.command("camera", cls=Verb, short_help="Show and measure a camera, and record from it.")
@click.argument("source", metavar="SOURCE")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="How long to measure.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    help="Frame rate of the demo line or a GenICam camera, or at which files are played.",
)
@LOGIN_FILE
@click.option(
    "--trigger",
    type=click.Choice(["software", "line", "external"]),
    help="What each frame of a GenICam camera waits for: edgecl, at --fps; a line of the "
    "camera; or what the camera is set to.  [default: cameras run freely]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FEATURE=VALUE",
    help="Setting of a video device or GenICam camera, by GenICam's name, e.g. "
    "ExposureTime=500. Repeatable.",
)
@click.option(
    "--bits",
    type=click.IntRange(BITS[0], BITS[-1]),
    help="How many bits of a 16-bit frame are used, e.g. 12.  [default: from the source, or from "
    "each frame's values]",
)
@click.option(
    "--snapshot", type=ANY_PATH, metavar="FILE.png", help="Write the last frame to this file."
)
@click.option(
    "--record",
    type=click.IntRange(1),
    metavar="N",
    help="Record this many frames as PNG, for 'edgecl train --unlabelled'.",
)
@click.option("--out", type=FOLDER, help=f"Folder for --record.  [default: {RECORDINGS}/DATE-TIME]")
@click.option(
    "--record-flat",
    type=ANY_PATH,
    metavar="FILE.npz",
    help="Record the camera's flat-field instead, a dark and a bright frame, for 'edgecl train "
    "--flat' and 'edgecl run --flat'.",
)
@click.option(
    "--per",
    type=click.Choice(PER),
    default=PER[0],
    show_default=True,
    help="One value of the flat-field per column, for line cameras, or for each pixel.",
)
@click.option(
    "--flat-frames",
    type=click.IntRange(1, 10_000),
    default=FRAMES,
    show_default=True,
    help="Frames of which the dark and the bright one are the mean.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    source: str,
    seconds: float,
    fps: float | None,
    login_file: Path | None,
    trigger: str | None,
    settings: tuple[str, ...],
    bits: int | None,
    snapshot: Path | None,
    record: int | None,
    out: Path | None,
    record_flat: Path | None,
    per: Per,
    flat_frames: int,
    as_json: bool,
) -> int:
    """Open SOURCE as 'edgecl run' would, and measure rate, jitter, losses, light and focus.

    For GigE Vision cameras the network is examined too, and each finding names the next step.
    With --record-flat, record a flat-field instead.
    Ctrl-C ends the measurement and shows what was found until then.
    """
    from rich.console import Console

    from edgecl.cli.camera import flat
    from edgecl.cli.camera.view import print_report
    from edgecl.cli.signals import stop_signals
    from runtime.camera import open_camera
    from runtime.camera.examination.document import report_on
    from runtime.camera.examination.measurement import measure
    from runtime.camera.examination.recording import Recorder, write_png
    from runtime.camera.outages import Outages
    from runtime.camera.settings import parse_settings
    from runtime.files.document import plain
    from runtime.files.output_folder import new_folder, own_folder

    if snapshot is not None and snapshot.suffix.lower() != ".png":
        raise InputError(
            f"--snapshot {snapshot} is not a PNG file", hint="name it FILE.png: its depth is kept"
        )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    outages = Outages()
    if record_flat is not None:
        flat.require_place(record_flat)

    def tell(text: str) -> None:
        outages.add(text)
        console.print(text, markup=False)

    with ExitStack() as stack:
        started = datetime.now(timezone.utc)
        folder = None
        if record is not None:
            default = Path(RECORDINGS) / f"{datetime.now():%Y%m%d-%H%M%S}"
            folder = stack.enter_context(own_folder(out) if out else new_folder(default))
        camera = stack.enter_context(
            open_camera(
                source,
                fps=fps,
                report=tell,
                trigger=trigger,
                settings=parse_settings(settings),
                login_file=login_file,
            )
        )
        if record_flat is not None:
            found_flat = flat.record_flat(
                camera, record_flat, per=per, frames=flat_frames, bits=bits, say=tell
            )
            results_are_in(record_flat, printed=as_json)
            if as_json:
                print_json(found_flat)
            else:
                click.echo("\n".join(flat.flat_lines(found_flat)))
            return 0
        recorder = None
        if folder is not None and record is not None:
            recorder = Recorder(folder, record, may_skip=camera.live)
        console.print(f"{camera.name}: measuring for {seconds:g} s", markup=False)
        with stop_signals() as received:
            found = measure(
                camera, seconds, bits=bits, recorder=recorder, stopped=lambda: bool(received)
            )
        if recorder is not None:
            recorder.close()
            results_are_in(recorder.folder, printed=as_json)
        if snapshot is not None and found.last is not None and found.last.pixels is not None:
            write_png(snapshot, found.last.pixels)
        document = report_on(
            camera,
            found,
            started,
            network=network_of(camera, found),
            notes=(*camera.notes, *outages.lines),
            snapshot=snapshot if found.last is not None else None,
            recorder=recorder,
        )
    if as_json and (found.last is not None or not found.failure):
        print_json(plain(document))
    elif not as_json:
        print_report(Console(highlight=False), document)
    return _end_of(camera, found, seconds, interrupted=bool(received))


def network_of(camera: Camera, found: FrameTally) -> list[LinkFinding] | None:
    """Examine the network of a GigE Vision camera; None for any other."""
    from runtime.camera.examination.document import frame_rate
    from runtime.camera.examination.network import Traffic, examine_network, host_of
    from runtime.camera.genicam.formats import BY_NAME

    address = camera.link.get("host_address")
    if not isinstance(address, str):
        return None
    pixels = None if found.last is None else found.last.pixels
    sent = 0
    if pixels is not None:
        form = BY_NAME.get(camera.settings.get("PixelFormat", ""))
        sent = form.bytes_of(*pixels.shape[:2]) if form else pixels.nbytes
    traffic = Traffic(sent, frame_rate(found) or 0.0, camera.statistics)
    return examine_network(host_of(address), camera.link, traffic)


def _end_of(camera: Camera, found: FrameTally, seconds: float, *, interrupted: bool) -> int:
    """The exit code.

    Raises:
        InputError: a file broke off, or none of its frames can be used.
        EquipmentError: the camera failed, or delivered nothing.
    """
    if interrupted:
        return EXIT_INTERRUPTED
    if found.failure is not None:
        raise found.failure
    if found.last is not None or (not found.frames and camera.trigger is not None):
        return 0
    if found.frames:
        problem = f"none of {counted(found.frames, 'frame')} of {camera.name} can be used: "
        problem += found.faults[0] if found.faults else "they are broken"
    else:
        problem = f"{camera.name} delivered no frame within {seconds:g} s"
    hint = "check its settings, cable and power, or measure for longer with --seconds"
    raise EquipmentError(problem, hint=hint) if camera.live else InputError(problem, hint=hint)
