"""Options of `edgecl review`."""

from __future__ import annotations

import click

from edgecl.cli.options import ANY_PATH, FOLDER, Checked, option_group
from edgecl.cli.page_options import PAGE_OPTIONS
from edgecl.cli.run.checks import check_serve

REVIEW_DEFAULT = "127.0.0.1:8081"


def _check_label(text: str) -> object:
    from edgecl.review.decisions.labels import check_label

    return check_label(text)


_OPTIONS = (
    click.option(
        "--serve",
        is_flag=False,
        flag_value=REVIEW_DEFAULT,
        type=Checked("address", check_serve),
        metavar="[HOST:PORT]",
        help="Serve the page there; to other machines only with a token.  "
        f"[default: {REVIEW_DEFAULT}; no page with --export alone]",
    ),
    click.option(
        "--labelled",
        type=FOLDER,
        help="Images that are labelled already, as for 'edgecl train --data': their classes are "
        "offered, and the nearest of them shown.",
    ),
    click.option(
        "--model",
        type=ANY_PATH,
        metavar="BUNDLE",
        help="Bundle that answers every image anew, and finds what is near to it.",
    ),
    click.option(
        "--label",
        "labels",
        multiple=True,
        type=Checked("label", _check_label),
        metavar="LABEL",
        help="Label that is offered, before those of --labelled and --model. Repeatable.",
    ),
    click.option(
        "--export",
        "out",
        type=FOLDER,
        metavar="DIR",
        help="Write what reviewers agree on as a data folder with groups.csv, in place of an "
        "earlier export; with --serve when the page's button is pressed.  [default of the "
        "button: reviewed/DATE-TIME]",
    ),
    click.option(
        "--with-labelled",
        is_flag=True,
        help="Write the images of --labelled into the data folder as well.",
    ),
    *PAGE_OPTIONS,
    click.option("--json", "as_json", is_flag=True, help="Print the summary of --export as JSON."),
)


review_options = option_group(*_OPTIONS)
"""Decorator with the options of the verb."""
