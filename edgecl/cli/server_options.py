"""Options about an inference server."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.options import ANY_PATH, Checked, option_group

if TYPE_CHECKING:
    from runtime.session.opening import ServerChoice


def _check_url(text: str) -> object:
    from runtime.session.oip.address import parse_server

    return parse_server(text)


def _check_model(text: str) -> object:
    from runtime.session.oip.opening import served_model

    return served_model(text)


_ADDRESS = (
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
)

SERVER_OPTIONS = (
    *_ADDRESS,
    click.option(
        "--server-give-up-after",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="End with code 3 when a lost server is not back by then.  [default: try for ever]",
    ),
)


server_address = option_group(*_ADDRESS)
"""Decorator with the options about which server infers, and how it is asked."""


def chosen_server(values: MutableMapping[str, Any]) -> ServerChoice | None:
    """Take the options of `server_address` out of a command's values.

    Returns:
        None where no address was given.
    """
    from runtime.session.opening import ServerChoice

    url, model = values.pop("url"), values.pop("server_model")
    token, ca = values.pop("server_token"), values.pop("server_ca")
    return None if url is None else ServerChoice(url, model or "", token, ca)
