"""Verdicts to a PLC over Modbus TCP: what `--sink modbus:` says."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from runtime.errors import InputError
from runtime.progress import Say
from runtime.stream.acting.sink import ActingSink
from runtime.stream.plc.address import PlcAddress, parse_plc
from runtime.stream.plc.handshake import BEAT_NS, PartResult, PlcHandshake
from runtime.stream.plc.registers import ReasonCode
from runtime.stream.plc.table import PlcTable
from runtime.stream.sinks.base import Sink, SinkRequest
from runtime.stream.verdict import Status, Verdict

_OF_HEALTH = [code for code in ReasonCode if ReasonCode.NO_FRAME < code < ReasonCode.OTHER]


class Serving(Protocol):
    """A server, and the port that it has."""

    port: int

    def close(self) -> None:
        """End it."""


class PlcSink(ActingSink):
    """Gives a PLC its results.

    The act is done when the PLC can read the result; `hold` of the address limits for how long a
    `pass` may stand there.

    Args:
        name: for messages.
        labels: the model's, of verdicts without a recipe.
        server: is closed with this sink.
        report: see `ActingSink`.
    """

    needs_parts = True

    def __init__(
        self,
        name: str,
        table: PlcTable,
        labels: Sequence[str],
        server: Serving,
        report: Say = lambda text: None,
    ) -> None:
        super().__init__(report=report)
        self.name = name
        self._table = table
        self._labels = {label: number for number, label in enumerate(labels, start=1)}
        self._server = server
        self.port = server.port
        self._beat_ns = 0
        self._overrun = self._stale = 0

    def act(self, verdict: Verdict, status: Status, now_ns: int) -> bool:
        """Give a result, where a trigger waits for one."""
        labels = self._labels
        if verdict.labels:  # of the recipe that judged
            labels = {label: number for number, label in enumerate(verdict.labels, start=1)}
        return self._table.judged(result_of(verdict, status, labels.get))

    def offer_recipes(self, change: Callable[[int], None]) -> None:
        """Let the PLC change recipes."""
        self._table.offer_recipes(change)

    def next_ns(self) -> int:
        """Return when the heart is to beat."""
        return self._beat_ns + BEAT_NS

    def tick(self, now_ns: int) -> None:
        """Beat."""
        if now_ns >= self._beat_ns + BEAT_NS:
            self._beat_ns = now_ns
            self._table.tick()
            self._count()

    def rest(self) -> None:
        """End the server: a PLC sees its connection close."""
        self._server.close()
        self._count()

    def _count(self) -> None:
        """Count what the PLC did not acknowledge in time."""
        overrun, stale = self._table.overrun, self._table.stale
        self.lost += overrun - self._overrun
        self.late_acts += stale - self._stale
        self._overrun, self._stale = overrun, stale


def result_of(
    verdict: Verdict, status: Status, number_of: Callable[[str], int | None]
) -> PartResult:
    """Return a verdict as the PLC gets it.

    Args:
        status: what the part is to be.
        number_of: gives a label's number, 1 for the first.
    """
    decision = verdict.decision
    code = ReasonCode.NONE
    if status is Status.LATE:
        code = ReasonCode.LATE
    elif status is Status.FAULT:
        code = fault_code(decision.reason.removeprefix(f"{verdict.camera}: "))
    return PartResult(
        frame=verdict.number & 0xFFFFFFFF,
        captured_ns=verdict.captured_ns,
        status=status,
        label=number_of(decision.label) or 0,
        confidence=round(10_000 * decision.confidence),
        code=code,
    )


def fault_code(reason: str) -> ReasonCode:
    """Return the number of a fault's reason, which begins with the name of a health fault."""
    for code in _OF_HEALTH:
        if reason.startswith(code.name.lower().replace("_", "-")):
            return code
    return ReasonCode.OTHER


def open_modbus(request: SinkRequest) -> Sink:
    """Open the sink of `--sink modbus:HOST:PORT`.

    Raises:
        InputError: pymodbus is not installed, or the address cannot be had.
    """
    address = parse_plc(request.target)
    try:
        from runtime.stream.plc.server import PlcServer
    except ImportError as error:
        raise InputError(
            f"--sink modbus needs pymodbus 3.16, which is not installed ({error})",
            hint="install it: pip install 'edgecl[modbus]'",
            code="package-missing",
        ) from error
    listener = listen(address)
    if not address.is_loopback:
        request.report(
            f"note: Modbus has no password: whoever reaches {address.text} may write; keep it to "
            "the machine's own network"
        )
    session = secrets.randbelow(0xFFFF) + 1
    table = PlcTable(PlcHandshake(session, address.rules))
    server = PlcServer(table, listener, report=request.report)
    name = f"modbus {replace(address, port=server.port).text}"
    sink = PlcSink(name, table, request.labels, server, request.report)
    sink.start()
    return sink


def listen(address: PlcAddress) -> socket.socket:
    """Return a socket that listens.

    Raises:
        InputError: the address is not this machine's, or the port is in use or reserved.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A start right after an end finds the port free; one that is in use stays refused.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(16)
    except OSError as error:
        listener.close()
        hint = {
            errno.EADDRINUSE: "end the other program, as an earlier edgecl, or name another port",
            errno.EADDRNOTAVAIL: "name an address of this machine; 'ip address' lists them",
            errno.EACCES: "name a port from 1024 on, or grant CAP_NET_BIND_SERVICE",
        }.get(error.errno or 0, "check the address")
        raise InputError(
            f"--sink modbus: {address.text} cannot be had: {error.strerror or error}", hint=hint
        ) from error
    listener.setblocking(False)
    return listener
