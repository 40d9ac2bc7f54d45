"""`edgecl bench`: measure bundles against each other and write the latency report."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from edgecl.cli.engine_choices import build_options, engine_builder
from edgecl.cli.options import ANY_PATH, DEVICE, FOLDER, ImageSize
from edgecl.cli.results import results_are_in
from edgecl.cli.verb import Verb

BENCHES = "bench"
REPORT = "latency.json"


@click.command("bench", cls=Verb, short_help="Measure bundles against each other.")
@click.argument("bundles", type=ANY_PATH, nargs=-1, required=True, metavar="BUNDLE...")
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for latency.json and latency.html; a report in it is replaced.  "
    f"[default: {BENCHES}/DATE-TIME]",
)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    help="May be repeated.  [default: all that each bundle holds]",
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    help="May be repeated.  [default: all that are installed, and tensorrt where it works]",
)
@DEVICE
@build_options
@click.option("--threads", type=click.IntRange(1), help="Inference threads.  [default: all cores]")
@click.option(
    "--frames",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    help="Frames per side. p99 takes 368, p99.9 takes 3688.",
)
@click.option(
    "--warmup",
    type=click.IntRange(0),
    default=30,
    show_default=True,
    help="Frames per side before anything is counted.",
)
@click.option(
    "--frame-size",
    type=ImageSize(),
    default="256x1600",
    show_default=True,
    help="The camera's frame.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--strict", is_flag=True, help="Exit 1 where the measurement is INVALID.")
@click.option("--json", "as_json", is_flag=True, help="Print the report, without raw times.")
def command(
    out: Path | None,
    strict: bool,
    as_json: bool,
    workspace: int | None,
    builder_level: int | None,
    **choices: Any,
) -> int:
    """Measure every BUNDLE in every precision on every engine, side by side.

    The sides take turns in short blocks, since machines drift. The raw time of every frame and
    step goes to latency.json, the plots to latency.html beside it. A measurement that breaks a
    rule is called INVALID, with what to try next; it still exits 0, unless --strict is given.
    """
    from edgecl.cli.bench.table import print_summary
    from edgecl.cli.progress import reporting, stderr_console
    from edgecl.reporting.pages.latency import latency_page
    from runtime.benchmark import Scenario, run_benchmark, without_raw, write_report
    from runtime.files.document import to_text
    from runtime.files.output_folder import new_folder, own_folder

    scenario = Scenario(**choices)
    console = stderr_console()
    started = f"{datetime.now():%Y%m%d-%H%M%S}"
    place = own_folder(out) if out else new_folder(Path(BENCHES) / started)
    with place as folder:
        with reporting(console) as report_progress:
            report = run_benchmark(
                scenario,
                progress=lambda done, total, what: report_progress("bench", done, total, what),
                engine_for=engine_builder(
                    {"workspace": workspace, "builder_level": builder_level},
                    report_progress,
                    lambda line: console.print(line, markup=False),
                    own_only=False,
                ),
            )
        write_report(report, folder / REPORT)
        page = latency_page(folder / REPORT)
    results_are_in(folder, printed=as_json)
    if as_json:
        click.echo(to_text(without_raw(report)))
    else:
        print_summary(report)
        click.echo(f"{page}")
    return 1 if strict and not report.valid else 0
