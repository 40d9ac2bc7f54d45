"""`edgecl export`: a trained run to a bundle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.options import FOLDER
from edgecl.cli.progress import reporting, stderr_console
from runtime.bundle import SUFFIX
from runtime.errors import GateError

if TYPE_CHECKING:
    from export.bundling import Outcome


@click.command("export", short_help="Turn a trained run into a bundle.")
@click.argument("run", type=FOLDER, required=False)
@click.option("--fp32", is_flag=True, help="FP32 alone; it is in every bundle.")
@click.option("--fp16", is_flag=True, help="Add half precision.")
@click.option("--int8", is_flag=True, help="Add INT8, calibrated on pictures of the train part.")
@click.option(
    "--max-drop",
    type=click.FloatRange(0),
    default=0.5,
    show_default=True,
    help="Points of validation accuracy that a precision may lose.",
)
@click.option("--calibration-images", type=click.IntRange(1), default=128, show_default=True)
@click.option(
    "--pass-label",
    "pass_labels",
    multiple=True,
    help="A label that lets a part pass. May be repeated.  [default: by name, such as clean or ok]",
)
@click.option("--data", type=FOLDER, help="Where the run's pictures lie now, if they were moved.")
@click.option("--out", type=FOLDER, help="The bundle.  [default: RUN.edgecl]")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    run: Path | None,
    fp32: bool,
    fp16: bool,
    int8: bool,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> int:
    """Turn a trained RUN (by default the newest) into a bundle of ONNX models.

    Every precision is compared with the trained model on the validation part. One that lost
    more than --max-drop points is left out, and the command ends with 1.
    """
    from edgecl.learning.export_job import ExportChoices, job_of_run
    from edgecl.learning.run_directory import newest_run
    from export.bundling import export_bundle

    run = run or newest_run()
    out = out or Path(run.name + SUFFIX)
    if out.suffix != SUFFIX:
        out = out.with_name(out.name + SUFFIX)
    console = stderr_console()
    console.print(f"exporting {run}", markup=False)
    wanted = [name for name, asked in (("fp16", fp16), ("int8", int8)) if asked]
    with reporting(console) as report:
        job = job_of_run(run, ExportChoices(precisions=wanted, **choices), report)
        outcome = export_bundle(job, out, report)
    if not job.contract.pass_labels:
        console.print(
            "note: no label lets a part pass, so every frame will be rejected or unsure; name one "
            "with --pass-label if there is one",
            markup=False,
        )
    _print_outcome(outcome, out, as_json)
    if outcome.refused:
        name, reason = next(iter(outcome.refused.items()))
        raise GateError(
            f"{', '.join(outcome.refused)} not shipped: {name}: {reason}",
            mend="calibrate on more pictures with --calibration-images, or allow more with "
            "--max-drop",
        )
    return 0


def _print_outcome(outcome: Outcome, out: Path, as_json: bool) -> None:
    if as_json:
        document = {
            "bundle": str(out),
            "precisions": {name: asdict(entry) for name, entry in outcome.shipped.items()},
            "refused": {
                name: {"reason": reason, **asdict(outcome.comparisons[name])}
                for name, reason in outcome.refused.items()
            },
        }
        click.echo(json.dumps(document, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("precision")
    for heading in ("validation", "test", "largest change", "same label", "size"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for name, comparison in outcome.comparisons.items():
        shipped = outcome.shipped.get(name)
        test = "" if shipped is None or shipped.test_accuracy is None else shipped.test_accuracy
        table.add_row(
            name,
            f"{comparison.accuracy:.2%}",
            f"{test:.2%}" if test != "" else "–",
            f"{comparison.max_abs_diff:.1e}",
            f"{comparison.agreement:.2%}",
            f"{shipped.bytes / 1e6:.2f} MB" if shipped else "–",
            "shipped" if shipped else "REFUSED",
        )
    Console(highlight=False).print(table)
    click.echo(str(out))
