"""`edgecl run`: judge the frames of a camera."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.engine_choices import build_options, engine_builder
from edgecl.cli.options import ANY_PATH, DEVICE, FOLDER
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.signals import EXIT_INTERRUPTED
from edgecl.cli.verb import Verb
from runtime.artifact.contract import BITS
from runtime.errors import EdgeclError, EquipmentError, GateError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from runtime.stream.summary import StreamEnd, StreamSummary

STREAMS = "streams"
VERDICTS = "verdicts.jsonl"


@click.command("run", cls=Verb, short_help="Judge camera frames within a latency budget.")
@click.option(
    "--model",
    type=ANY_PATH,
    help="Bundle, .onnx file of a bundle, or built .engine file.  [default: the newest "
    "bundle here or in runs/]",
)
@click.option(
    "--camera",
    "source",
    required=True,
    metavar="SOURCE",
    help="Device index, URL, video file, folder of images, or demo.",
)
@click.option(
    "--verify-key",
    type=ANY_PATH,
    metavar="PUB",
    help="Require a signature by this public key.",
)
@click.option(
    "--precision",
    default="auto",
    show_default=True,
    help="auto (fastest on this machine), fp32, fp16 or int8.",
)
@click.option(
    "--engine",
    default="auto",
    show_default=True,
    help="auto (fastest on this machine), onnxruntime, openvino or tensorrt.",
)
@DEVICE
@build_options
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Inference threads.  [default: all cores but one, which is left for capture]",
)
@click.option(
    "--budget",
    metavar="STEP=TIME,...",
    help="Time limits per step, e.g. total=20ms,infer=8ms. A frame without a verdict "
    "within its total is 'late'.",
)
@click.option(
    "--every-frame/--latest",
    "every_frame",
    default=None,
    help="Judge every frame, or always the latest one.  [default: every frame of files, "
    "else the latest]",
)
@click.option("--frames", type=click.IntRange(1), help="Stop after this many frames.")
@click.option(
    "--max-misses",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Maximum share of judged frames that may miss the budget; above it, the exit code is 1.",
)
@click.option(
    "--unsure-below",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Confidence below which a verdict is 'unsure'.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    help="Frame rate of the demo line, or at which files are played.",
)
@click.option(
    "--give-up-after",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="End with code 3 when a lost camera is not back by then.  [default: try for ever]",
)
@click.option(
    "--bits",
    type=click.IntRange(BITS[0], BITS[-1]),
    help="How many bits of a 16-bit frame are used, e.g. 12.  [default: from the source, "
    "from training, or from the values in a folder]",
)
@click.option(
    "--health",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Look for dark, bright, repeated, frozen and damaged frames, and for slow changes of the "
    "camera.",
)
@click.option(
    "--sink",
    "sinks",
    multiple=True,
    metavar="NAME[:TARGET]",
    help="Send verdicts to another sink too, e.g. jsonl:copy.jsonl. Repeatable.",
)
@click.option("--out", type=FOLDER, help=f"Folder for {VERDICTS}.  [default: {STREAMS}/DATE-TIME]")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
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
    give_up_after: float | None,
    bits: int | None,
    health: str,
    sinks: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> int:
    """Judge every camera frame: pass, reject, unsure, late or fault.

    Capture runs in parallel with inference. Ctrl-C ends the stream and prints its summary; a
    second Ctrl-C ends it at once.
    """
    from rich.console import Console

    from edgecl.cli.progress import reporting
    from edgecl.cli.run.stream import InspectionStream
    from edgecl.cli.run.view import print_summary
    from runtime.artifact.bundle import scene_beside
    from runtime.artifact.signature import load_signed_bundle
    from runtime.camera import open_camera
    from runtime.camera.depth import settle_depth
    from runtime.camera.outages import Outages
    from runtime.files.document import plain
    from runtime.files.output_folder import new_folder, own_folder
    from runtime.health import HealthLimits
    from runtime.session.opening import default_threads, open_fastest
    from runtime.stream.budget import Budget, parse_budget
    from runtime.stream.judge import Rules
    from runtime.stream.pipeline import Settings
    from runtime.stream.sinks import JsonLinesSink, open_sink
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
        camera = stack.enter_context(
            open_camera(source, fps=fps, report=report_outage, give_up_after=give_up_after)
        )
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
        depth = settle_depth(camera, session.contract.input, bits, remark)
        more = []
        for text in sinks:
            other = open_sink(text, folder, session.contract.labels, taken=(VERDICTS, SUMMARY))
            stack.callback(other.close)
            more.append(other)
        # Last of all: a file that a refused command left would be in the way of the next one.
        sink = JsonLinesSink(folder / VERDICTS)
        stack.callback(sink.close)
        settings = Settings(
            Rules(limits, unsure_below, depth),
            every_frame=not camera.live if every_frame is None else every_frame,
            frames=frames,
            health=HealthLimits().learnt(scene_beside(model)) if health == "on" else None,
        )
        stream = InspectionStream(
            model, camera, session, candidates, settings, sink, outages, remarks, more
        )
        console.print(stream.opening_line(), markup=False)
        outcome = stream.run(console)
    document = stream.summary(outcome)
    if _write_summary(folder / SUMMARY, document, console):
        results_are_in(folder, printed=as_json)
    if as_json:
        print_json(plain(document))
    else:
        print_summary(Console(highlight=False), document)
    return _verdict_on(
        outcome, max_misses, live=camera.live and fps is None, lost=sink.lost, problem=sink.problem
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


def _write_summary(path: Path, document: StreamSummary, console: Console) -> bool:
    from runtime.files.document import write_document

    try:
        write_document(path, document)
    except EdgeclError as error:
        console.print(f"note: the summary was not written: {error}", markup=False)
        return False
    return True


def _verdict_on(
    outcome: StreamEnd, max_misses: float, *, live: bool, lost: int, problem: str
) -> int:
    """The exit code.

    Args:
        live: whether frames came from a camera in service, and not from a file.
        lost: verdicts that the disk did not take.
        problem: what the disk said.

    Raises:
        InputError: a file broke off, or none of its frames could be judged.
        EquipmentError: the camera, the model's device or the disk failed.
        GateError: too many frames missed the budget.
    """
    snapshot = outcome.snapshot
    if outcome.interrupted:
        return EXIT_INTERRUPTED
    if outcome.failure is not None:
        raise outcome.failure
    if snapshot.faulty and not snapshot.judged:
        reason = snapshot.last.decision.reason if snapshot.last else ""
        told = f"none of the {snapshot.faulty} frames could be judged (last error: {reason})"
        hint = "check that --camera points at the right source"
        raise EquipmentError(told, hint=hint) if live else InputError(told, hint=hint)
    if lost:
        raise EquipmentError(
            f"{lost} verdicts could not be written ({problem or 'the disk did not answer'})",
            hint="free some space on the disk of --out, or choose another folder with --out",
            code="disk-failing",
        )
    if snapshot.miss_share > max_misses:
        raise GateError(
            f"{snapshot.misses} of {snapshot.judged} frames missed the budget "
            f"({snapshot.miss_share:.2%}; {max_misses:.2%} allowed)",
            hint="the summary shows which step was slow; raise --budget, or choose another "
            "--precision",
            code="budget",
        )
    return 0
