"""`edgecl demo`: train, export, run and bench once, end to end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.options import FOLDER
from edgecl.cli.progress import reporting, stderr_console
from edgecl.cli.results import results_are_in
from edgecl.cli.verb import Verb
from runtime.counting import counted
from runtime.errors import FrameError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from edgecl.learning.config import TrainConfig
    from edgecl.learning.documents import RunResult
    from edgecl.learning.run.sources import ImageSource
    from runtime.benchmark.document import LatencyReport
    from runtime.progress import StageProgress
    from runtime.stream.summary import StreamSummary

ENCODERS = ("convnet", "shufflenet")
STREAMED = "shufflenet"
TILE = (96, 96)
SCALE = 0.5
"""Scale of the built-in images: what tells them apart is still seen, in a quarter of the pixels."""
PRETRAIN_EPOCHS = 2
# An epoch of ConvNet takes more than twice as long, and few epochs of pretraining do a network
# without normalisation no good: so both get about the same time.
METHODS = {"convnet": "none", "shufflenet": "simclr"}
EPOCHS = {"convnet": 10, "shufflenet": 20}
# The validation part has some 315 images: one of them is 0.3 points, so the usual half point
# would refuse a precision for two of them.
MAX_DROP = 2.0
MAX_ESCAPES = 2.0
FRAMES = 900
FRAME_SHAPE = (256, 256)
FRAMES_PER_SECOND = 60
STRIP_SEED = 1000
BUDGET = "total=50ms,infer=20ms"
BENCH_FRAMES = 400
WARM_UP_SECONDS = 1.0
"""Longest warm-up of a side: a dozen of them on a busy machine would take a minute by the usual."""
MARKER = ".edgecl-demo"


@dataclass(frozen=True)
class Trained:
    """Results of one encoder in the demo."""

    run: Path
    bundle: Path
    result: RunResult
    refused: Sequence[str]


@click.command(
    "demo", cls=Verb, short_help="Train, export, run and bench end to end on built-in surfaces."
)
@click.option(
    "--data", type=FOLDER, help="Labelled images to use instead of the built-in surfaces."
)
@click.option(
    "--groups",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV of overlap groups for --data.",
)
@click.option(
    "--out",
    type=FOLDER,
    default=Path("demo"),
    show_default=True,
    help="Output folder; an earlier demo in it is replaced.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed.")
def command(data: Path | None, groups: Path | None, out: Path, seed: int) -> None:
    """Pretrain, fine-tune and export ConvNet and ShuffleNet, judge a moving strip, and bench both.

    Without --data, use built-in drawn metal surfaces: six kinds of defect, and clean ones.
    """
    from runtime.files.output_folder import own_folder

    start = time.monotonic()
    with own_folder(out):
        _prepare(out)
        trained, summary, latency, page = _go(data, groups, out, seed)
    results_are_in(out)
    _print_figures(trained, summary, latency, page, time.monotonic() - start, data=data)


def _go(
    data: Path | None, groups: Path | None, out: Path, seed: int
) -> tuple[dict[str, Trained], StreamSummary, LatencyReport, Path]:
    """Train, export, judge and measure; return the figures of all four."""
    from edgecl.learning.config import TrainConfig
    from edgecl.learning.recipes import LINE, RECIPES
    from edgecl.learning.run.sources import RememberingSource
    from runtime.artifact.tiling import STRETCH, TILES

    console = stderr_console()
    what = str(data) if data else "built-in metal surfaces"
    console.print(f"edgecl demo on {what}; output goes to {out}/", markup=False)
    recipe = {**RECIPES[LINE], "geometry": TILES, "image_size": TILE}
    if data is None:
        recipe["scale"] = SCALE
    if data is not None and not _holds_tiles(data):
        recipe["geometry"] = STRETCH
    trained: dict[str, Trained] = {}
    source = RememberingSource()
    for number, encoder in enumerate(ENCODERS):
        console.print(f"{number + 1}/4  train and export {encoder}", markup=False)
        config = TrainConfig(
            data=str(data or ""),
            groups=str(groups or ""),
            encoder=encoder,
            **recipe,
            method=METHODS[encoder],
            pretrain_epochs=PRETRAIN_EPOCHS,
            epochs=EPOCHS[encoder],
            seed=seed,
        )
        with reporting(console) as report:
            trained[encoder] = _train_and_export(config, source, out, report)
    console.print(f"3/4  judge a moving strip with {STREAMED}", markup=False)
    summary = _stream(out, trained[STREAMED].bundle, data, seed, console)
    console.print("4/4  measure both encoders side by side", markup=False)
    with reporting(console) as report:
        latency, page = _bench(out, [trained[name].bundle for name in ENCODERS], report)
    return trained, summary, latency, page


def _holds_tiles(data: Path) -> bool:
    """True where the first image of a folder is at least as large as a tile."""
    from runtime.image.decode import decode_image, read_encoded
    from runtime.image.folder.labelled import find_labelled

    layout, _ = find_labelled(data, strict=False)
    for path in layout.paths:
        with suppress(FrameError):
            height, width = decode_image(read_encoded(path)).shape[:2]
            return bool(height >= TILE[0] and width >= TILE[1])
    return True  # reading them says what is wrong


def _prepare(out: Path) -> None:
    """Empty the demo's own folder; never somebody else's.

    Raises:
        InputError: `out` holds something that no demo made, or cannot be written.
    """
    from runtime.files.atomic import explained, write_text

    if any(out.iterdir()):
        if not (out / MARKER).exists():
            raise InputError(
                f"{out} already exists and was not made by 'edgecl demo'",
                hint="choose another --out",
            )
        with explained(out):
            # The folder itself is held, and the marker stays for whoever is broken off here.
            for entry in (entry for entry in out.iterdir() if entry.name != MARKER):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
    write_text(out / MARKER, "Made by 'edgecl demo', which replaces this folder.\n")


def _train_and_export(
    config: TrainConfig, source: ImageSource, out: Path, report: StageProgress
) -> Trained:
    from edgecl.exporting.job import ExportChoices, job_of_run
    from edgecl.learning.runner import train_run
    from edgecl.reporting.pages.export import render_export
    from edgecl.reporting.pages.training import training_page
    from export.gate.decision import Limits
    from export.pipeline import export_bundle

    run = out / "runs" / config.encoder
    bundle = out / f"{config.encoder}.edgecl"
    result = train_run(config, run, report=report, source=source)
    training_page(run)
    choices = ExportChoices(precisions=("fp16", "int8"), limits=Limits(MAX_DROP, MAX_ESCAPES))
    job = job_of_run(run, choices, report, source)
    outcome = export_bundle(job, bundle, report, page=render_export)
    return Trained(run, bundle, result, [f"{k}: {v}" for k, v in outcome.refused.items()])


def _stream(
    out: Path, bundle: Path, data: Path | None, seed: int, console: Console
) -> StreamSummary:
    """Judge a video of a moving strip, or the user's images, at a line's pace."""
    from contextlib import ExitStack

    from msgspec.structs import replace

    from edgecl.cli.run.file_names import VERDICTS
    from edgecl.cli.run.stream import InspectionStream
    from runtime.camera import open_camera
    from runtime.camera.demo import write_strip_video
    from runtime.files.document import write_document
    from runtime.session.opening import default_threads, open_fastest
    from runtime.stream.budget import parse_budget
    from runtime.stream.pipeline import Settings
    from runtime.stream.rules import Rules
    from runtime.stream.sinks import JsonLinesSink
    from runtime.stream.summary import FILE as SUMMARY
    from runtime.stream.summary import accuracy_of

    source, truths = data, None
    if source is None:
        source = out / "strip.avi"
        # Another seed than any training image was drawn with: a strip that no model saw.
        truths = write_strip_video(
            source, FRAMES, shape=FRAME_SHAPE, fps=FRAMES_PER_SECOND, seed=STRIP_SEED + seed
        )
    folder = out / "stream"
    with ExitStack() as stack:
        camera = stack.enter_context(open_camera(str(source), fps=FRAMES_PER_SECOND))
        threads = max(1, default_threads() - 1)
        session, candidates = open_fastest(bundle, threads=threads)
        stack.enter_context(session)
        sink = JsonLinesSink(folder / VERDICTS)
        stack.callback(sink.close)
        settings = Settings(Rules(parse_budget(BUDGET)), every_frame=True, frames=FRAMES)
        stream = InspectionStream(
            bundle, camera, session, candidates, settings, sink, remarks=[*camera.notes]
        )
        console.print(stream.opening_line(), markup=False)
        ending = stream.run(console)
    if ending.failure is not None:
        raise ending.failure
    if ending.interrupted:
        raise KeyboardInterrupt
    summary = stream.summary(ending)
    if truths is not None:
        right = _right_on_strip(folder / VERDICTS, truths)
        summary = replace(summary, accuracy=accuracy_of(right, len(truths)))
    write_document(folder / SUMMARY, summary)
    return summary


def _bench(out: Path, bundles: list[Path], report: StageProgress) -> tuple[LatencyReport, Path]:
    from msgspec.structs import replace

    from edgecl.reporting.pages.latency import latency_page
    from runtime.benchmark import Scenario, run_benchmark, write_report
    from runtime.benchmark.measuring.stability import RULE

    stability = replace(RULE, limit_seconds=WARM_UP_SECONDS)
    measured = run_benchmark(
        Scenario(bundles, frames=BENCH_FRAMES, frame_size=FRAME_SHAPE, stability=stability),
        progress=lambda done, total, what: report("bench", done, total, what),
    )
    path = out / "bench" / "latency.json"
    write_report(measured, path)
    return measured, latency_page(path)


def _right_on_strip(verdicts: Path, truths: Sequence[str]) -> int:
    """Count the frames that got the label of what the strip shows there."""
    from runtime.stream.verdict import read_verdicts

    return sum(line.label == truths[line.frame] for line in read_verdicts(verdicts))


def _print_figures(
    trained: dict[str, Trained],
    summary: StreamSummary,
    latency: LatencyReport,
    page: Path,
    seconds: float,
    *,
    data: Path | None,
) -> None:
    from edgecl.cli.bench.table import print_summary

    print_summary(latency)
    for encoder, made in trained.items():
        low, high = made.result.accuracy_interval
        click.echo(
            f"{encoder}: test accuracy {made.result.accuracy:.1%} (95 % interval {low:.1%} to "
            f"{high:.1%}), {made.result.parameters:,} parameters, "
            f"{made.result.macs / 1e6:.0f} MMAC"
        )
        for line in made.refused:
            click.echo(f"  not shipped: {line}")
    for note in sorted({made.result.protocol_note for made in trained.values()}):
        click.echo(f"protocol: {note}")
    total = summary.steps["total"]
    line = (
        f"stream: {counted(summary.captured, 'frame')} captured = {summary.judged} judged + "
        f"{summary.dropped} dropped + {summary.faulty} faulty; capture to verdict "
        f"p50 {total.p50_ms:.1f} ms, p99 {total.p99_ms:.1f} ms; "
        f"{summary.budget_misses} missed the budget ({BUDGET})"
    )
    click.echo(line)
    if data is None and summary.accuracy is not None:
        share = summary.accuracy.share
        click.echo(f"  correct on {share:.1%} of the frames of an unseen strip")
    click.echo(f"done in {seconds:.0f} s. Reports:")
    for made in trained.values():
        click.echo(f"  {made.run / 'report.html'}")
        click.echo(f"  {made.bundle / 'report.html'}")
    click.echo(f"  {page}")
