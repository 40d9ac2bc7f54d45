"""Opening of the pages: everything that can be wrong about them is found before a camera opens."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.listening import is_loopback
from runtime.progress import Say
from runtime.serving.access import SERVE_TOKEN, read_token
from runtime.serving.address import ServeAddress, listen, parse_serve, resolved
from runtime.serving.certificate import ServerCertificate, read_certificate
from runtime.serving.messages import ServingSetup
from runtime.serving.server import PageServer, require_packages


@dataclass(frozen=True)
class OpenedPages:
    """Pages that are about to be served.

    Args:
        url: of the first page.
    """

    server: PageServer
    url: str


@dataclass(frozen=True)
class ListeningPlace:
    """Place that is listened at, before anything is served there.

    Args:
        setup: of whatever serves.
        socket: that browsers reach.
        url: of the first page.
    """

    setup: ServingSetup
    socket: socket.socket
    url: str


def listen_for_pages(
    address: str,
    report: Say,
    *,
    token_file: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    names: Sequence[str] = (),
    shown: str = "the line",
) -> ListeningPlace:
    """Listen where pages are to be served, if that is safe.

    Args:
        address: HOST:PORT.
        report: is told what a user has to know about the pages.
        token_file: with the token; None for the one of the environment, or none.
        certificate, key: PEM files of TLS; None for none.
        names: hosts that requests may name, beside this machine's.
        shown: what the pages show, in words.

    Raises:
        InputError: a package is missing, the port is taken, other machines would need no token,
            or a file cannot be used.
    """
    require_packages()
    wanted = parse_serve(address)
    local = is_loopback(str(resolved(wanted)[1][0]))
    token = read_token(token_file, report)
    if not token and not local:
        raise InputError(
            f"--serve {wanted} would show {shown} to every machine that reaches this one",
            hint=f"give a token with --serve-token FILE or {SERVE_TOKEN}, or serve 127.0.0.1",
        )
    held = None if certificate is None else read_certificate(certificate, key)
    if held is not None and held.problem:
        report(
            f"note: --serve-cert {certificate}: {held.problem}; browsers will warn until it is "
            "renewed, or the clock is right"
        )
    if held is None and not local:
        report(
            f"note: --serve {wanted} sends token and images unencrypted, for everyone on the way "
            "to read; pass --serve-cert and --serve-key"
        )
    listening = listen(wanted)
    setup = ServingSetup(
        token=token,
        names=_names(wanted, held, names, local=local),
        local=local,
        certificate="" if certificate is None else str(certificate.absolute()),
        key="" if key is None else str(key.absolute()),
    )
    place = ServeAddress(wanted.host, listening.getsockname()[1])
    return ListeningPlace(setup, listening, f"{'https' if held else 'http'}://{place}/")


def open_pages(
    address: str,
    report: Say,
    *,
    token_file: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    names: Sequence[str] = (),
) -> OpenedPages:
    """Listen, and start the process that serves; see `listen_for_pages`.

    Raises:
        InputError: as there; or no process can be started.
    """
    place = listen_for_pages(
        address, report, token_file=token_file, certificate=certificate, key=key, names=names
    )
    try:
        server = PageServer(place.setup, place.socket, report)
    except OSError as error:
        place.socket.close()
        raise InputError(
            f"--serve: no process for the page ({error.strerror or error})",
            hint="end other programs, or run without --serve",
        ) from error
    return OpenedPages(server, place.url)


def _names(
    address: ServeAddress,
    certificate: ServerCertificate | None,
    given: Sequence[str],
    *,
    local: bool,
) -> tuple[str, ...]:
    """Return the hosts that requests may name."""
    names = {address.host, *given}
    if certificate is not None:
        names |= set(certificate.names)
    if not local:
        host = socket.gethostname()
        names |= {host, host.partition(".")[0], f"{host.partition('.')[0]}.local", "localhost"}
    return tuple(sorted(name.lower() for name in names))
