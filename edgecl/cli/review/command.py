"""`edgecl review`: label collected images on a page, and export what is agreed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.options import FOLDER
from edgecl.cli.progress import reporting, stderr_console
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.review.options import REVIEW_DEFAULT, review_options
from edgecl.cli.verb import Verb
from runtime.counting import counted, noun
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.review.desk import Desk
    from edgecl.review.export.documents import ReviewExport
    from runtime.progress import StageProgress

REVIEWED = "reviewed"
NOTES_SHOWN = 5


@dataclass(frozen=True)
class ReviewChoices:
    """Choices of the user, as the options name them."""

    folder: Path
    serve: str | None
    labelled: Path | None
    model: Path | None
    labels: tuple[str, ...]
    out: Path | None
    with_labelled: bool
    serve_token: Path | None
    serve_cert: Path | None
    serve_key: Path | None
    serve_names: tuple[str, ...]
    as_json: bool

    @property
    def beside(self) -> Path | None:
        """Return the folder whose images are exported as well."""
        return self.labelled if self.with_labelled else None


@click.command("review", cls=Verb, short_help="Label collected images on a page.")
@click.argument("folder", type=FOLDER, metavar="FOLDER")
@review_options
def command(**values: Any) -> None:
    """Label the images that 'edgecl run' has collected, one after the other.

    Serve a page for one or several reviewers: a key per label, the engine's answer, and the
    nearest labelled images. Each decision is on the disk, in FOLDER/review.jsonl, before the page
    calls it saved. Nothing leaves the machine. FOLDER may be any folder of images.
    """
    choices = ReviewChoices(**values)
    if not choices.folder.is_dir():
        raise InputError(f"{choices.folder} does not exist", hint="pass a folder of images")
    if choices.out is not None and choices.serve is None:
        _print_export(choices, _export(choices, choices.out))
        return
    _serve(choices)


def _export(choices: ReviewChoices, out: Path) -> ReviewExport:
    from edgecl.review.agreed import read_agreed
    from edgecl.review.export.folder import require_place, write_data_folder

    beside = choices.beside
    require_place(out, choices.folder, *(() if beside is None else (beside,)))
    with reporting(stderr_console()) as report:
        agreed = read_agreed(choices.folder, report)
        return write_data_folder(agreed, choices.folder, out, report, beside)


def _serve(choices: ReviewChoices) -> None:
    from edgecl.review.decisions.journal import ReviewJournal
    from edgecl.review.office import ReviewOffice
    from edgecl.review.serving import serving_review
    from runtime.serving.opening import listen_for_pages

    console = stderr_console()

    def say(text: str) -> None:
        console.print(text, markup=False)

    place = listen_for_pages(
        choices.serve or REVIEW_DEFAULT,
        say,
        token_file=choices.serve_token,
        certificate=choices.serve_cert,
        key=choices.serve_key,
        names=choices.serve_names,
        shown="the images",
    )
    with ExitStack() as stack:
        stack.callback(place.socket.close)
        journal = ReviewJournal(choices.folder)
        stack.callback(journal.close)
        if journal.cut:
            say("note: the last decision in the journal was not whole, and was never acknowledged")
        with reporting(console) as report:
            desk = _desk(choices, report)
        office = ReviewOffice(desk, journal)
        _say_notes(desk.notes, say)
        say(
            f"{len(desk.images):,} {noun(len(desk.images), 'image')}, "
            f"{len(journal.standing.images):,} decided"
        )
        export = _exporter(choices)
        with serving_review(place, office, export) as wait:
            say(f"review page: {place.url} (Ctrl-C ends it; every decision is kept)")
            try:
                wait()
            finally:
                decided = len(journal.standing.images)
                say(
                    f"{decided:,} {noun(decided, 'image')} decided; "
                    f"edgecl review {choices.folder} --export DIR"
                )


def _desk(choices: ReviewChoices, report: StageProgress) -> Desk:
    from edgecl.review.desk import lay_out

    if choices.model is None:
        return lay_out(choices.folder, report, labelled=choices.labelled, labels=choices.labels)
    from edgecl.review.cache import AnswerCache
    from runtime.artifact.bundle import load_bundle
    from runtime.session import open_session

    bundle = load_bundle(choices.model)
    # FP32 is in every bundle: what is near must not depend on what is quickest today.
    with open_session(bundle, "fp32", device="cpu") as session:
        key = f"{bundle.manifest.digest} fp32 {session.engine} {session.version}"
        return lay_out(
            choices.folder,
            report,
            labelled=choices.labelled,
            bundle=bundle,
            session=session,
            labels=choices.labels,
            cache=AnswerCache(key, len(bundle.contract.labels)),
        )


def _exporter(choices: ReviewChoices) -> Callable[[], str]:
    """Return what the page's button does."""

    def export() -> str:
        from edgecl.review.agreed import read_agreed
        from edgecl.review.export.folder import write_data_folder

        out = choices.out or Path(REVIEWED) / f"{datetime.now():%Y%m%d-%H%M%S}"
        agreed = read_agreed(choices.folder, _nothing)
        summary = write_data_folder(agreed, choices.folder, out, _nothing, choices.beside)
        return f"{_line(summary)} → {out.absolute()}"

    return export


def _nothing(stage: str, done: int, total: int, text: str) -> None:
    """Report nothing: the page waits."""


def _print_export(choices: ReviewChoices, summary: ReviewExport) -> None:
    from runtime.files.document import plain

    assert choices.out is not None
    results_are_in(choices.out, printed=choices.as_json)
    if choices.as_json:
        print_json(plain(summary))
        return
    for label, count in summary.images.items():
        click.echo(f"{count:6,}  {label}")
    click.echo(_line(summary))
    _say_notes(summary.notes, click.echo)
    click.echo(f"edgecl train --data {choices.out} --groups {choices.out / 'groups.csv'}")


def _line(summary: ReviewExport) -> str:
    count = sum(summary.images.values())
    parts = [
        f"{counted(count, 'reviewed image')} of {counted(len(summary.images), 'class', 'classes')}"
    ]
    if summary.labelled:
        parts.append(f"{summary.labelled:,} labelled before")
    parts.append(f"{counted(summary.groups, 'group')}")
    left = {
        "disagreements": summary.disagreements,
        "that nobody knows": summary.dont_know,
        "under heat maps": summary.under_heat_maps,
        "gone": summary.gone,
    }
    named = ", ".join(f"{number:,} {what}" for what, number in left.items() if number)
    return f"{', '.join(parts)}{f'; left out: {named}' if named else ''}"


def _say_notes(notes: tuple[str, ...], say: Callable[[str], object]) -> None:
    for note in notes[:NOTES_SHOWN]:
        say(f"note: {note}")
    if len(notes) > NOTES_SHOWN:
        say(f"note: {len(notes) - NOTES_SHOWN} more")
