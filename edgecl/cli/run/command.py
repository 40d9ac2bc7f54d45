"""`edgecl run`: judge the frames of a camera."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.engine_choices import build_options, engine_builder
from edgecl.cli.options import ANY_PATH, DEVICE, FOLDER
from edgecl.cli.results import results_are_in
from edgecl.cli.signals import EXIT_INTERRUPTED
from edgecl.cli.verb import Verb
from runtime.artifact.contract import BITS
from runtime.errors import GateError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from runtime.stream.summary import Ending, StreamSummary

STREAMS = "streams"
VERDICTS = "verdicts.jsonl"


@click.command("run", cls=Verb, short_help="Judge the frames of a camera, within a latency budget.")
@click.option(
    "--model",
    type=ANY_PATH,
    help="A bundle, a .onnx file out of one, or a built .engine.  [default: the newest bundle here "
    "or in runs/]",
)
@click.option(
    "--camera",
    "source",
    required=True,
    metavar="SOURCE",
    help="Index of a device, a URL, a video file, a folder of images, or demo.",
)
@click.option(
    "--verify-key",
    type=ANY_PATH,
    metavar="PUB",
    help="Refuse a bundle that the owner of this key did not sign.",
)
@click.option("--precision", default="auto", show_default=True, help="auto takes the fastest here.")
@click.option("--engine", default="auto", show_default=True, help="auto takes the fastest here.")
@DEVICE
@build_options
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Inference threads.  [default: one less than there are cores, for capture needs one]",
)
@click.option(
    "--budget",
    metavar="STEP=TIME,...",
    help="Limits, as in total=20ms,infer=8ms. A frame with no verdict by its total is 'late'.",
)
@click.option(
    "--every-frame/--latest",
    "every_frame",
    default=None,
    help="Judge every frame, or the newest one.  [default: every frame of files, else the newest]",
)
@click.option("--frames", type=click.IntRange(1), help="End after this many.")
@click.option(
    "--max-misses",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of judged frames that may miss the budget; more ends with exit code 1.",
)
@click.option(
    "--unsure-below",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Below this confidence a verdict is 'unsure'.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    help="Frames per second of the demo line, or at which files are played.",
)
@click.option(
    "--bits",
    type=click.IntRange(BITS[0], BITS[-1]),
    help="How many bits of 16-bit frames carry the image, as 12.  [default: as the source says, "
    "as in training, or what a folder's values show]",
)
@click.option("--out", type=FOLDER, help=f"Folder for {VERDICTS}.  [default: {STREAMS}/DATE-TIME]")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def command(
    model: Path | None,
    source: str,
    verify_key: Path | None,
    precision: str,
    engine: str,
    device: str,
    workspace: int | None,
    builder_level: int | None,
    threads: int | None,
    budget: str | None,
    every_frame: bool | None,
    frames: int | None,
    max_misses: float,
    unsure_below: float,
    fps: float | None,
    bits: int | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Judge the frames of a camera: pass, reject, unsure, late or fault, one verdict for each.

    Capture runs beside inference. Ctrl-C ends the stream with its summary; a second one ends it
    at once.
    """
    from rich.console import Console

    from edgecl.cli.progress import reporting
    from edgecl.cli.run.stream import Stream
    from edgecl.cli.run.view import print_summary
    from runtime.artifact.signature import load_signed_bundle
    from runtime.camera import open_camera
    from runtime.camera.depth import settle_depth
    from runtime.camera.outages import Outages
    from runtime.files.document import to_text
    from runtime.files.output_folder import new_folder, own_folder
    from runtime.session.opening import default_threads, open_fastest
    from runtime.stream.budget import Budget, parse_budget
    from runtime.stream.judge import Rules
    from runtime.stream.pipeline import Settings
    from runtime.stream.sinks import JsonLinesSink
    from runtime.stream.summary import FILE as SUMMARY

    limits = parse_budget(budget) if budget is not None else Budget()
    model = model or newest_bundle()
    trusted = load_signed_bundle(model, verify_key) if verify_key else None
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
        place = own_folder(out, room=0) if out else new_folder(Path(STREAMS) / started, room=0)
        folder = stack.enter_context(place)
        camera = stack.enter_context(open_camera(source, fps=fps, report=report_outage))
        for note in camera.notes:
            remark(note)
        threads = threads or max(1, default_threads() - 1)
        building = {"workspace": workspace, "builder_level": builder_level}
        with reporting(console) as progress:
            session, candidates = open_fastest(
                trusted or model,
                precision,
                engine=engine,
                threads=threads,
                device=device,
                engine_for=engine_builder(building, progress, say, own_only=trusted is not None),
                report=remark,
            )
        stack.enter_context(session)
        sink = JsonLinesSink(folder / VERDICTS)
        stack.callback(sink.close)
        depth = settle_depth(camera, session.contract.input, bits, remark)
        settings = Settings(
            Rules(limits, unsure_below, depth),
            every_frame=not camera.live if every_frame is None else every_frame,
            frames=frames,
        )
        stream = Stream(model, camera, session, candidates, settings, sink, outages, remarks)
        console.print(stream.opening_line(), markup=False)
        ending = stream.run(console)
    document = stream.summary(ending)
    if _write_summary(folder / SUMMARY, document, console):
        results_are_in(folder, printed=as_json)
    if as_json:
        click.echo(to_text(document))
    else:
        print_summary(Console(highlight=False), document)
    return _verdict_on(ending, max_misses)


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
            f"there is no bundle (*{SUFFIX}) here or in runs/",
            hint="make one with 'edgecl export', or name one with --model",
        )
    return max(manifests, key=lambda manifest: manifest.stat().st_mtime_ns).parent


def _write_summary(path: Path, document: StreamSummary, console: Console) -> bool:
    from runtime.files.document import write_document

    try:
        write_document(path, document)
    except InputError as error:
        console.print(f"note: no summary on disk: {error}", markup=False)
        return False
    return True


def _verdict_on(ending: Ending, max_misses: float) -> int:
    """The exit code.

    Raises:
        InputError: the camera broke off, or no frame could be judged.
        GateError: too many frames missed the budget.
    """
    snapshot = ending.snapshot
    if ending.interrupted:
        return EXIT_INTERRUPTED
    if ending.failure is not None:
        raise ending.failure
    if snapshot.faulty and not snapshot.judged:
        reason = snapshot.last.decision.reason if snapshot.last else ""
        raise InputError(
            f"none of {snapshot.faulty} frames could be judged (the last: {reason})",
            hint="check what --camera names",
        )
    if snapshot.miss_share > max_misses:
        raise GateError(
            f"{snapshot.misses} of {snapshot.judged} frames missed the budget "
            f"({snapshot.miss_share:.2%}, allowed are {max_misses:.2%})",
            hint="see which step in the summary; raise --budget, or choose another --precision",
        )
    return 0
