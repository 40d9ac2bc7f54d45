"""`edgecl bench`: compare the latency of bundles and write the report."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.bench.advice import (
    budget_options,
    compared_threads,
    failed,
    print_advice,
    with_advice,
)
from edgecl.cli.bench.default_bundles import bundles_or_demo
from edgecl.cli.bench.facts import (
    command_line,
    measured_with_facts,
    report_options,
    with_rivals,
)
from edgecl.cli.bench.scenario_options import scenario_options
from edgecl.cli.engine_choices import build_options, engine_builder
from edgecl.cli.options import ANY_PATH, DEVICE, FOLDER
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.server_options import chosen_server, server_address
from edgecl.cli.verb import Verb

if TYPE_CHECKING:
    from runtime.benchmark.facts.scenario import ScenarioKind
    from runtime.stream.budget import Budget

BENCHES = "bench"
REPORT = "latency.json"


@click.command("bench", cls=Verb, short_help="Compare the latency of bundles.")
@click.argument("bundles", type=ANY_PATH, nargs=-1, metavar="[BUNDLE]...")
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for latency.json and latency.html; an existing report is replaced.  "
    f"[default: {BENCHES}/DATE-TIME]",
)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    help="Precision: fp32, fp16 or int8. Repeatable.  [default: all in each bundle]",
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    help="Engine: onnxruntime, openvino, tensorrt, or oip: a server at --url. Repeatable.  "
    "[default: all that work here]",
)
@server_address
@DEVICE
@build_options
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    help="Inference threads.  [default: all cores; at --cadence all but one, as edgecl run, shared "
    "by the workers]",
)
@scenario_options
@click.option("--strict", is_flag=True, help="Exit with code 1 if the measurement is INVALID.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the report as JSON, without raw times."
)
@budget_options
@report_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    out: Path | None,
    strict: bool,
    as_json: bool,
    layers: bool,
    markdown: bool,
    export_times: Path | None,
    workspace: int | None,
    builder_level: int | None,
    scenario: ScenarioKind | None,
    rate_hz: float | None,
    cadence_hz: float | None,
    budget: Budget | None,
    max_drop: float,
    runs: tuple[Path, ...],
    **choices: Any,
) -> int:
    """Measure the latency of every BUNDLE in every precision on every engine.

    A lone .onnx or .engine file may stand in place of a bundle. Without BUNDLE, compare
    ConvNet with ShuffleNet of the newest demo in this folder.

    These sides take turns in short blocks, since machines drift. Raw times of every frame
    and step are written to latency.json, plots to latency.html. A measurement that breaks a
    rule is marked INVALID, with a hint; the exit code is still 0 unless --strict is given. With
    --budget, the last line says which side to take, or which step is to blame.
    """
    from edgecl.cli.bench.layer_tables import print_layers
    from edgecl.cli.bench.markdown import markdown_table
    from edgecl.cli.bench.scenario_lines import duration_line
    from edgecl.cli.bench.table import print_summary
    from edgecl.cli.progress import reporting, stderr_console
    from edgecl.reporting.pages.latency import latency_page
    from runtime.benchmark import Scenario, run_benchmark, without_raw, write_report
    from runtime.benchmark.trtexec_times import write_traces
    from runtime.files.document import plain
    from runtime.files.output_folder import new_folder, own_folder

    choices["bundles"] = bundles_or_demo(choices["bundles"])
    definition = Scenario(
        kind=scenario or ("single-stream" if cadence_hz is None else "cadence"),
        rate_hz=cadence_hz or rate_hz,
        server=chosen_server(choices),
        thread_counts=compared_threads(choices["threads"], budget),
        **choices,
    )
    if runs:
        definition = with_rivals(definition, runs)
    console = stderr_console()
    if told := duration_line(len(definition.plans()), definition.side_seconds):
        console.print(told, markup=False)
    started = f"{datetime.now():%Y%m%d-%H%M%S}"
    place = own_folder(out) if out else new_folder(Path(BENCHES) / started)
    with place as folder:
        with reporting(console) as report_progress:
            engine_for = engine_builder(
                {"workspace": workspace, "builder_level": builder_level},
                report_progress,
                lambda line: console.print(line, markup=False),
                own_only=False,
            )
            report = measured_with_facts(
                definition,
                lambda done, total, what: report_progress("bench", done, total, what),
                engine_for,
                lambda told: run_benchmark(definition, progress=told, engine_for=engine_for),
                layers=layers,
                command=command_line(ctx),
            )
        report = with_advice(report, budget, max_drop)
        write_report(report, folder / REPORT)
        page = latency_page(folder / REPORT)
    results_are_in(folder, printed=as_json)
    traces = write_traces(export_times, report.sides) if export_times else []
    if as_json:
        print_json(plain(without_raw(report)))
    elif markdown:
        click.echo(markdown_table(report))
    else:
        print_summary(report)
        print_layers(report)
        print_advice(report)
        for path in (*traces, page):
            click.echo(f"{path}")
    return 1 if failed(report) or (strict and not report.valid) else 0
