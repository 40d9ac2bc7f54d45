"""Opening of a bundle on an inference server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from runtime.artifact.bundle import Bundle, load_bundle
from runtime.artifact.served import served_name
from runtime.errors import InputError
from runtime.progress import Say
from runtime.session.base import Session
from runtime.session.golden import read_golden
from runtime.session.oip.address import ServerAddress, parse_server, read_header, tls_context
from runtime.session.oip.connection import (
    Connection,
    ServedModel,
    ServerError,
    ServerRefusalError,
)
from runtime.session.oip.session import ServerSession


@dataclass(frozen=True)
class ServerChoice:
    """An inference server, as the options name it.

    Args:
        url: `http://HOST:8000`, `grpc://HOST:8001`, or with TLS `https:` and `grpcs:`.
        model: NAME or NAME/VERSION on the server; empty for the name that `edgecl export --triton`
            gives.
        token_file: file with the token or header that each request carries; None for the
            environment's.
        ca: PEM file of the authority; None for those that the system trusts.
        give_up_after_s: seconds without the server after which the session is lost; None for
            never.
    """

    url: str
    model: str = ""
    token_file: Path | None = None
    ca: Path | None = None
    give_up_after_s: float | None = None


def open_on_server(
    source: str | Path | Bundle, precision: str | None, server: ServerChoice | None, report: Say
) -> list[Session]:
    """Open a bundle on a server, in each precision that it serves.

    Args:
        precision: None for all that the bundle holds.

    Returns:
        Sessions; the caller closes them.

    Raises:
        InputError: no address, no bundle, no such server, or one that serves another model.
    """
    if server is None:
        raise InputError(
            "engine oip needs the address of a server",
            hint="name it: --engine oip --url http://server:8000",
        )
    if not isinstance(source, Bundle) and Path(source).is_file():
        raise InputError(
            f"engine oip needs a bundle, for labels and golden images, but {source} is a file",
            hint="pass the bundle",
        )
    bundle = source if isinstance(source, Bundle) else load_bundle(Path(source))
    names = list(bundle.precisions) if precision is None else [precision]
    for name in names:
        bundle.onnx_path(name)  # refuses what is not there, by name
    if server.model and len(names) > 1:
        raise InputError(
            f"{server.model} at {server.url} may be any of {', '.join(names)}",
            hint="say which with --precision",
        )
    address = parse_server(server.url)
    connect = _connector(address, server, report)
    golden = read_golden(bundle)
    refused: list[ServerError] = []
    with ExitStack() as stack:
        sessions: list[Session] = []
        for name in names:
            model = served_model(server.model) if server.model else ServedModel(_name(bundle, name))
            try:
                session = ServerSession(
                    str(address),
                    lambda model=model: connect(model),  # type: ignore[misc]
                    model,
                    bundle.contract,
                    golden,
                    precision=name,
                    report=report,
                    give_up_after_s=server.give_up_after_s,
                )
            except ServerError as error:
                refused.append(error)
                if not isinstance(error, ServerRefusalError):
                    break  # a server that does not answer is not asked for each model
                continue
            stack.callback(session.close)
            sessions.append(session)
        if not sessions:
            _fail(address, refused[0], bundle, names, server)
        stack.pop_all()
    return sessions


def served_model(text: str) -> ServedModel:
    """Read NAME or NAME/VERSION.

    Raises:
        InputError: it is neither.
    """
    name, slash, version = text.partition("/")
    plain = all(33 <= ord(sign) < 127 for sign in text)
    if not name or not plain or (slash and not version) or "/" in version:
        raise InputError(
            f"{text!r} is no model of a server",
            hint="write NAME or NAME/VERSION, as in line_int8/1",
        )
    return ServedModel(name, version)


def _name(bundle: Bundle, precision: str) -> str:
    return served_name(bundle.name, precision)


def _connector(
    address: ServerAddress, server: ServerChoice, report: Say
) -> Callable[[ServedModel], Connection]:
    """Return what makes connections; secrets and certificates are read once, here."""
    if server.ca is not None and not address.is_encrypted:
        raise InputError(
            f"--server-ca has no effect on {address}, which has no TLS",
            hint=f"write {'grpcs' if address.is_grpc else 'https'}://, or drop it",
        )
    header = read_header(server.token_file)
    tls = tls_context(server.ca) if address.is_encrypted else None
    if header is not None and tls is None:
        report(f"note: {address} is not encrypted: whoever sees the network sees the token")
    if not address.is_grpc:
        from runtime.session.oip.http import HttpConnection

        return lambda model: HttpConnection(address, model, header, tls)
    from runtime.session.oip.grpc import GrpcConnection, trusted_roots

    roots = None if tls is None else trusted_roots(server.ca, tls)
    return lambda model: GrpcConnection(address, model, header, roots)


def _fail(
    address: ServerAddress,
    error: ServerError,
    bundle: Bundle,
    names: list[str],
    server: ServerChoice,
) -> NoReturn:
    asked = server.model or " or ".join(_name(bundle, name) for name in names)
    if isinstance(error, ServerRefusalError):
        raise InputError(
            f"{address} does not serve {asked}: {error.reason}",
            hint="check --url, --server-model and the token; the server has to speak the Open "
            "Inference Protocol v2",
        ) from error
    raise InputError(
        f"{address} does not answer: {error.reason}",
        hint="check --url, and whether the server runs",
        code="server-unavailable",
    ) from error
