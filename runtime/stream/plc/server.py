"""The Modbus TCP server, through pymodbus.

Source: pymodbus 3.16, `server/requesthandler.py` and `simulator/simruntime.py`, and the Modbus
Application Protocol 1.1b3. Its server takes any number of connections at any rate; this one does
not, for what it computes is taken from the judge.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pymodbus
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from runtime.errors import InputError
from runtime.progress import Say
from runtime.stream.plc.registers import FROM_EDGECL, PLC_READS, PLC_WRITES, TO_EDGECL, width
from runtime.stream.plc.table import PlcTable

LOG = logging.getLogger("edgecl.plc")
# Else its warnings would reach standard error, where nobody set logging up.
logging.getLogger("pymodbus").addHandler(logging.NullHandler())

MOST_CONNECTIONS = 8
GAP_S = 0.002
"""Least time between two answers to the master, in seconds: one that asks without a pause takes a
few per cent of a core, not all of it."""

LOOKING = 5
"""Factor on that time for those that only look on."""

SILENT_S = 2.0
"""A master that has asked for nothing for so long is gone, and another one may write."""

MOST_UNREAD = 64 * 1024
"""Bytes of answers that a client may leave unread before it is let go."""

MOST_ASKED = 16
"""Requests of a connection that may wait for their answer."""

CLOSE_S = 2.0

_READS = frozenset({3, 4})
_WRITES = frozenset({6, 16, 23})


class PlcConnection(ServerRequestHandler):  # type: ignore[misc]
    """A client: a PLC, or something that looks on."""

    server: ModbusPlcServer

    def __init__(self, owner: ModbusPlcServer) -> None:
        super().__init__(owner, None, None, None)
        self.heard_s = self.loop.time()
        self._asked: deque[Any] = deque()
        self._next_s = 0.0
        self._answering: asyncio.Task[None] | None = None

    def handle_later(self) -> None:
        """Take a request that has come whole."""
        self.heard_s = self.loop.time()
        if self.last_pdu is None:
            return
        self._asked.append(self.last_pdu)
        if len(self._asked) > MOST_ASKED:
            self.close()
        elif self._answering is None or self._answering.done():
            self._answering = self.loop.create_task(self._answer_all())

    async def _answer_all(self) -> None:
        while self._asked and self.transport:
            wait_s = self._next_s - self.loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._next_s = self.loop.time() + self.server.gap_after(self)
            request = self._asked.popleft()
            response = await self._response(request)
            if not self.transport:
                return
            if self.transport.get_write_buffer_size() > MOST_UNREAD:
                self.transport.abort()
                return
            response.transaction_id, response.dev_id = request.transaction_id, request.dev_id
            self.server_send(response, None)

    async def _response(self, request: Any) -> Any:
        code = request.function_code
        if code not in _READS | _WRITES:
            return ExceptionResponse(code, ExcCodes.ILLEGAL_FUNCTION)
        if code in _WRITES and not self.server.may_write(self):
            return ExceptionResponse(code, ExcCodes.DEVICE_BUSY)
        try:
            return await request.datastore_update(self.server.context, request.dev_id)
        except Exception as error:  # whatever a request holds, the next one is answered
            LOG.warning("modbus: %s", error)
            return ExceptionResponse(code, ExcCodes.DEVICE_FAILURE)


class ModbusPlcServer(ModbusTcpServer):  # type: ignore[misc]
    """Answers a PLC, and a few that look on. One connection at a time may write.

    Args:
        listener: a socket that listens.
        report: is told of a second master.
        gap_s: see `GAP_S`.
    """

    def __init__(self, table: PlcTable, listener: socket.socket, report: Say, gap_s: float) -> None:
        super().__init__(_device(table), address=listener.getsockname()[:2])
        self.call_create = partial(
            self.loop.create_server, self.handle_new_connection, sock=listener
        )
        self._gap_s = gap_s
        self._report = report
        self._writer: PlcConnection | None = None
        self._turned_away: set[str] = set()

    def callback_new_connection(self) -> PlcConnection:
        """Take a connection; where there are too many, the one that is silent longest goes."""
        clients = [c for c in self.active_connections.values() if isinstance(c, PlcConnection)]
        if len(clients) >= MOST_CONNECTIONS:
            min(clients, key=lambda client: client.heard_s).close()
        return PlcConnection(self)

    def gap_after(self, connection: PlcConnection) -> float:
        """Return how long a connection waits between two answers, in seconds."""
        return self._gap_s if connection is self._writer else LOOKING * self._gap_s

    def may_write(self, connection: PlcConnection) -> bool:
        """Whether a connection is the master: the first that writes, until it is gone or silent."""
        writer = self._writer
        if writer is not connection:
            there = writer is not None and writer.transport is not None
            if there and self.loop.time() - writer.heard_s < SILENT_S:  # type: ignore[union-attr]
                self._turn_away(connection)
                return False
            self._writer = connection
        return True

    def _turn_away(self, connection: PlcConnection) -> None:
        peer = connection.transport.get_extra_info("peername") or ("?",)
        if peer[0] not in self._turned_away and len(self._turned_away) < MOST_CONNECTIONS:
            self._turned_away.add(peer[0])
            self._report(f"note: a second master, at {peer[0]}, may not write while the first does")


class PlcServer:
    """The server in a thread of its own.

    Args:
        listener: a socket that listens; closed with this.
        report: is told of a second master.
        gap_s: `GAP_S` where None.

    Raises:
        InputError: the version of pymodbus does not fit.
    """

    def __init__(
        self, table: PlcTable, listener: socket.socket, *, report: Say, gap_s: float | None = None
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_log)
        self._listening = threading.Event()
        self.port: int = listener.getsockname()[1]
        serve = partial(self._run, table, listener, report, GAP_S if gap_s is None else gap_s)
        self._thread = threading.Thread(target=serve, name="modbus", daemon=True)
        self._failure: Exception | None = None
        self._thread.start()
        if not self._listening.wait(CLOSE_S) or self._failure is not None:
            raise InputError(
                f"--sink modbus: pymodbus {pymodbus.__version__} does not serve ({self._failure})",
                hint="install a version that is known to: pip install 'edgecl[modbus]'",
            )

    def close(self) -> None:
        """End all connections. Closing twice is fine."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_S)

    def _run(
        self, table: PlcTable, listener: socket.socket, report: Callable[[str], None], gap_s: float
    ) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)

        async def serve() -> ModbusPlcServer:
            server = ModbusPlcServer(table, listener, report, gap_s)
            await server.serve_forever(background=True)
            return server

        try:
            server = loop.run_until_complete(serve())
        except Exception as error:  # another version may do without anything that is used here
            self._failure = error
            self._listening.set()
            listener.close()
            return
        loop.call_soon(self._listening.set)
        loop.run_forever()
        loop.run_until_complete(server.shutdown())
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        listener.close()
        loop.close()


def _device(table: PlcTable) -> SimDevice:
    """The registers, answered by the table: of holding and input registers the same."""

    async def act(
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: Sequence[int] | None,
    ) -> None:
        if values is not None:
            table.write(address - TO_EDGECL, list(values))
        else:
            registers[FROM_EDGECL - start : FROM_EDGECL - start + width(PLC_READS)] = table.read()

    written = SimData(TO_EDGECL, count=width(PLC_WRITES), datatype=DataType.REGISTERS)
    read = SimData(FROM_EDGECL, count=width(PLC_READS), datatype=DataType.REGISTERS, readonly=True)
    return SimDevice(0, [written, read], action=act)


def _log(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    LOG.debug("modbus: %s", context.get("exception") or context.get("message"))
