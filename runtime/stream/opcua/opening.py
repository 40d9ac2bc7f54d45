"""Opening of the sink `opcua:`: all that can be wrong with it is found before a frame is judged."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

from runtime.errors import InputError
from runtime.listening import listening_refused, try_place
from runtime.secrets import redact
from runtime.stream.opcua import sink as serving
from runtime.stream.opcua.address import OpcuaAddress, parse_opcua
from runtime.stream.opcua.certificate import (
    Identity,
    application_of,
    kept_identity,
    read_identity,
)
from runtime.stream.opcua.messages import ServerSetup
from runtime.stream.opcua.space.nodeset import (
    HINT,
    NodesetError,
    look_at_nodeset,
    nodeset_refused,
)
from runtime.stream.opcua.users import read_users
from runtime.stream.sinks.base import Sink, SinkRequest
from runtime.stream.sinks.isolated import IsolatedSink
from runtime.stream.sinks.remote.messages import writable


def open_opcua(request: SinkRequest) -> Sink:
    """Open the sink of `--sink opcua:[HOST:PORT][?…]`.

    Raises:
        InputError: a package is missing, the port is taken, everybody could use the server, or a
            file cannot be used.
    """
    address = parse_opcua(request.target)
    if importlib.util.find_spec("asyncua") is None:
        raise InputError(
            "--sink opcua needs asyncua, which is not installed",
            hint="install it: pip install 'edgecl[opcua]'",
            code="package-missing",
        )
    local = address.is_local
    if not local and not address.users and not address.anonymous:
        raise InputError(
            f"--sink opcua:{address} would serve every machine that reaches this one",
            hint="name users with ?users=FILE, or let everybody read with ?anonymous=read",
        )
    users = read_users(address.users, request.report) if address.users else {}
    if address.nodeset and not Path(address.nodeset).is_file():
        raise InputError(
            f"--sink opcua: nodeset {address.nodeset} is not there",
            hint=HINT,
        )
    _try(address)  # what it takes to start the server is not spent on a mistake
    host_name = socket.gethostname() or "localhost"
    identity = _identity(address, request, host_name, needed=bool(users) or not local)
    facts = request.stream
    setup = ServerSetup(
        host=address.host,
        port=address.port,
        users=users,
        anonymous=address.anonymous,
        open=local,
        certificate=identity.certificate,
        key=identity.key,
        application=identity.application,
        nodeset=str(Path(address.nodeset).absolute()) if address.nodeset else "",
        run=facts.run,
        bundle=writable(facts.bundle),
        digest=facts.digest,
        camera=writable(redact(facts.camera)),
        lot=writable(facts.lot),
        host_name=host_name,
        patience_s=serving.PATIENCE_S,
    )
    sink = serving.OpcuaSink(setup, facts, request.report)
    if not address.nodeset:
        request.report(
            "note: OPC UA: without the Machine Vision node set (nodeset=FILE) the standard's "
            "names stand in a namespace of edgecl's own"
        )
    place = OpcuaAddress(address.host, sink.port)
    request.report(f"OPC UA: opc.tcp://{place}/edgecl")
    sink.isolating = IsolatedSink(sink, capacity=serving.WAITING, close_s=serving.CLOSE_S * 4)
    return sink.isolating


def _try(address: OpcuaAddress) -> None:
    """Look whether the server can listen, and has a node set to read.

    Raises:
        InputError: it has not.
    """
    try:
        if address.nodeset:
            look_at_nodeset(Path(address.nodeset))
        try_place(address.host, address.port)
    except NodesetError as error:
        raise nodeset_refused(address.nodeset, error) from error
    except OSError as error:
        raise listening_refused("--sink opcua:", address.host, address.port, error) from error


def _identity(address: OpcuaAddress, request: SinkRequest, host: str, *, needed: bool) -> Identity:
    """Return the server's certificate; an empty one where it needs none."""
    if address.certificate:
        return read_identity(Path(address.certificate), Path(address.key), request.report)
    if not needed:
        return Identity(b"", b"", application_of(host))
    return kept_identity(request.spool or request.folder, host, request.report)
