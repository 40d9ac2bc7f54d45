"""Options of `edgecl run` about an inference server."""

from __future__ import annotations

import click

from edgecl.cli.options import ANY_PATH, Checked


def _check_url(text: str) -> object:
    from runtime.session.oip.address import parse_server

    return parse_server(text)


def _check_model(text: str) -> object:
    from runtime.session.oip.opening import served_model

    return served_model(text)


SERVER_OPTIONS = (
    click.option(
        "--url",
        type=Checked("address", _check_url),
        metavar="URL",
        help="Server that infers, with --engine oip: http://HOST:8000 or grpc://HOST:8001 of "
        "Triton or another server of the Open Inference Protocol; https or grpcs with TLS.",
    ),
    click.option(
        "--server-model",
        type=Checked("model", _check_model),
        metavar="NAME[/VERSION]",
        help="Model on the server.  [default: as 'edgecl export --triton' names it]",
    ),
    click.option(
        "--server-token",
        type=ANY_PATH,
        metavar="FILE",
        help="File with the token that the server asks for, or with a header as NAME: VALUE.  "
        "[default: EDGECL_SERVER_TOKEN]",
    ),
    click.option(
        "--server-ca",
        type=ANY_PATH,
        metavar="FILE",
        help="Authority of the server's certificate as PEM.  [default: those of the system]",
    ),
    click.option(
        "--server-give-up-after",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="End with code 3 when a lost server is not back by then.  [default: try for ever]",
    ),
)
