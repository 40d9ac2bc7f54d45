"""Options of commands that serve a page: who may see it, and how it is encrypted."""

from __future__ import annotations

import click

from edgecl.cli.options import ANY_PATH, Checked
from edgecl.cli.run.checks import check_serve_name

PAGE_OPTIONS = (
    click.option(
        "--serve-token",
        type=ANY_PATH,
        metavar="FILE",
        help="File with the token that the page asks for.  [default: EDGECL_SERVE_TOKEN]",
    ),
    click.option(
        "--serve-cert",
        type=ANY_PATH,
        metavar="FILE",
        help="Certificate of the page as PEM, for HTTPS.",
    ),
    click.option(
        "--serve-key",
        type=ANY_PATH,
        metavar="FILE",
        help="Key of the certificate as PEM.  [default: in the certificate's file]",
    ),
    click.option(
        "--serve-name",
        "serve_names",
        multiple=True,
        default=(),
        type=Checked("name", check_serve_name),
        metavar="HOST",
        help="Further name by which browsers reach the page. Repeatable.",
    ),
)
"""Token, certificate, key and names of a page, in the order of the help."""
