"""`edgecl export`: a trained run to a bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.engine_choices import build_asked, engine_options, require_builder
from edgecl.cli.export.choices import choices_of, export_options
from edgecl.cli.options import FOLDER
from edgecl.cli.progress import reporting, stderr_console
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.verb import Verb
from runtime.artifact.bundle import SUFFIX
from runtime.errors import GateError, InputError

if TYPE_CHECKING:
    from export.outcome import ExportOutcome


@click.command("export", cls=Verb, short_help="Turn a trained run into a bundle.")
@click.argument("run", type=FOLDER, required=False)
@export_options
@engine_options
@click.option("--out", type=FOLDER, help="Output bundle.  [default: RUN.edgecl]")
@click.option(
    "--sign",
    "key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Sign the bundle with this Ed25519 private key (PEM).",
)
@click.option("--triton", type=FOLDER, help="Also write a Triton model repository.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    run: Path | None,
    out: Path | None,
    key: Path | None,
    triton: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Export a trained RUN (by default the newest) to a bundle of ONNX models.

    Compare every precision with the trained model on the validation part. A precision that is
    shown to lose more than --max-drop points of accuracy, or to miss more than --max-escapes
    percent of the defects, is not shipped, and the exit code is 1. Before INT8 is refused, other
    calibrations and layers in floating point are tried for --remedy-time.
    """
    from edgecl.exporting.job import job_of_run, require_place
    from edgecl.learning.run.run_directory import newest_run
    from edgecl.reporting.pages.export import render_export
    from export.bundle.signing import PASSWORD_VARIABLE, load_signing_key
    from export.pipeline import export_bundle
    from runtime.files.document import plain

    # A key that cannot sign is found out before the work, not after it.
    private = load_signing_key(key, os.environ.get(PASSWORD_VARIABLE)) if key else None
    choices = choices_of(options)
    require_builder(options)
    run = run or newest_run()
    out = bundle_path(run, out)
    require_place(out, triton)
    console = stderr_console()
    console.print(f"exporting {run}", markup=False)
    with reporting(console) as report:
        job = job_of_run(run, choices, report)
        outcome = export_bundle(job, out, report, page=render_export, key=private)
    if triton is not None:
        from export.bundle.triton import write_triton

        write_triton(out, triton)
    with reporting(console) as report:
        engines = build_asked(out, options, report, lambda line: console.print(line, markup=False))
    for note in _notes(job.contract.pass_labels, outcome):
        console.print(f"note: {note}", markup=False)
    if job.confidence is not None:
        console.print(f"confidence: {job.confidence.describe()}", markup=False)
    if outcome.novelty is not None:
        console.print(f"novelty: {outcome.novelty.record.describe()}", markup=False)
    results_are_in(out, printed=as_json)
    if as_json:
        confidence = plain(job.confidence) if job.confidence else None
        document = {
            **_document(outcome, out),
            "confidence": confidence,
            "novelty": plain(outcome.novelty.record) if outcome.novelty else None,
            "engines": list(map(str, engines)),
        }
        print_json(document)
    else:
        from edgecl.cli.export.table import print_outcome

        print_outcome(outcome, out)
    if outcome.refused:
        name, reason = next(iter(outcome.refused.items()))
        raise GateError(
            f"{', '.join(outcome.refused)} not shipped: {name}: {reason}",
            hint=_hint(outcome),
        )
    return 0


def _hint(outcome: ExportOutcome) -> str:
    allow = "relax the gate with --max-drop and --max-escapes"
    int8 = any(name.startswith("int8") for name in outcome.refused)
    if int8 and outcome.remedies:
        seconds = sum(remedy.seconds for remedy in outcome.remedies)
        tried = f"{len(outcome.remedies)} remedies in {seconds:.0f} s did not save it"
        if any(remedy.outcome == "no time" for remedy in outcome.remedies):
            return f"{tried}; give them more time with --remedy-time, or {allow}"
        return (
            f"{tried}; keep more layers in floating point with --keep-fp16 auto, train on more "
            f"images, or {allow}"
        )
    if int8:
        return (
            "keep sensitive layers in floating point with --keep-fp16 auto, calibrate on "
            f"more images with --calibration-images, or {allow}"
        )
    return f"export without it, or {allow}"


def bundle_path(run: Path, out: Path | None) -> Path:
    """Return the bundle's path: `out` with its suffix, by default the run's name in this folder.

    Raises:
        InputError: `out` is not a name for a folder.
    """
    if out is None:
        return Path(run.resolve().name + SUFFIX)
    if out.name in ("", ".."):
        raise InputError(
            f"--out {out} is not a bundle name", hint=f"use a name such as line-3{SUFFIX}"
        )
    return out if out.suffix == SUFFIX else out.with_name(out.name + SUFFIX)


def _notes(pass_labels: tuple[str, ...], outcome: ExportOutcome) -> list[str]:
    notes = list(outcome.notes)
    if not pass_labels:
        notes.append(
            "no pass label, so every frame will be rejected or unsure; set one with "
            "--pass-label if a class means a good part"
        )
    return notes


def _document(outcome: ExportOutcome, out: Path) -> dict[str, Any]:
    from export.bundle.manifest import measured_of, refused_of
    from runtime.files.document import plain

    comparisons = outcome.comparisons
    return {
        "bundle": str(out),
        "precisions": {name: plain(entry) for name, entry in outcome.shipped.items()},
        "refused": {
            name: plain(refused_of(reason, comparisons.get(name)))
            for name, reason in outcome.refused.items()
        },
        "comparisons": {name: plain(measured_of(found)) for name, found in comparisons.items()},
        "unproven": outcome.unproven,
        "remedies": [plain(remedy) for remedy in outcome.remedies],
        **{
            name: outcome.details[name]
            for name in ("algorithms", "sensitivity", "curve", "kept", "rewrites")
            if outcome.details.get(name)
        },
        "notes": outcome.notes,
    }
