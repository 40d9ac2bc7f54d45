"""A PLC's double, which keeps the rules of docs/machine.md, and links that fail under it."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from runtime.stream.plc.handshake import successor
from runtime.stream.plc.registers import (
    FROM_EDGECL,
    PLC_READS,
    TO_EDGECL,
    VerdictCode,
    unpack,
    width,
)

Write = tuple[int, tuple[int, ...]]


class LinkLostError(Exception):
    """The link broke; nobody knows whether what was asked for was done."""


class Link(ABC):
    """A way to the registers."""

    @abstractmethod
    def read(self, address: int, count: int) -> list[int]: ...

    @abstractmethod
    def write(self, address: int, values: Sequence[int]) -> None: ...

    def cut(self) -> None:  # noqa: B027 - some cannot
        """Lose the link."""


class ModbusError(Exception):
    """The server answered with an exception.

    Args:
        code: of Modbus.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class RawModbus(Link):
    """Modbus TCP by hand, so that no client of the server's own library tests it."""

    def __init__(self, port: int, *, patience_s: float = 60.0) -> None:
        self._port = port
        self._patience_s = patience_s
        self._socket: socket.socket | None = None
        self._number = 0

    def ask(self, request: bytes, unit: int = 1) -> bytes:
        """Return the answer to a request, both without the header."""
        self._number = (self._number + 1) & 0xFFFF
        try:
            if self._socket is None:
                address = ("127.0.0.1", self._port)
                self._socket = socket.create_connection(address, self._patience_s)
            self.send(struct.pack(">HHHB", self._number, 0, len(request) + 1, unit) + request)
            number, _, length, _ = struct.unpack(">HHHB", self._receive(7))
            answer = self._receive(length - 1)
        except OSError as error:
            self.cut()
            raise LinkLostError(str(error)) from error
        assert number == self._number
        if answer[0] & 0x80:
            raise ModbusError(answer[1])
        return answer

    def send(self, data: bytes) -> None:
        assert self._socket is not None
        self._socket.sendall(data)

    def _receive(self, count: int) -> bytes:
        assert self._socket is not None
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise ConnectionResetError("closed")
            data += more
        return data

    def read(self, address: int, count: int, function: int = 3) -> list[int]:
        answer = self.ask(struct.pack(">BHH", function, address, count))
        return list(struct.unpack(f">{count}H", answer[2:]))

    def write(self, address: int, values: Sequence[int]) -> None:
        head = struct.pack(">BHHB", 16, address, len(values), 2 * len(values))
        self.ask(head + struct.pack(f">{len(values)}H", *values))

    def cut(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class FaultyLink(Link):
    """Loses requests and answers, and sends again what was sent long ago.

    Args:
        link: that works.
        chance: of each kind of fault, per request.
    """

    def __init__(self, link: Link, chance: float, seed: int) -> None:
        self.link = link
        self.faults = 0
        self._chance = chance
        self._random = random.Random(seed)
        self._sent: list[Write] = []

    def read(self, address, count):
        self._lose()
        words = self.link.read(address, count)
        self._lose()
        return words

    def write(self, address, values):
        self._lose()
        self.link.write(address, values)
        self._sent = [*self._sent[-200:], (address, tuple(values))]
        if self._random.random() < 3 * self._chance:
            self.faults += 1
            again = (
                self._sent[-1] if self._random.random() < 0.5 else self._random.choice(self._sent)
            )
            self.link.write(*again)
        self._lose()

    def _lose(self) -> None:
        if self._random.random() < self._chance:
            self.faults += 1
            self.link.cut()
            raise LinkLostError("cut by the test")


class PlcDouble:
    """A PLC that checks parts one after the other, and lets go what has its pass.

    Args:
        wait: lets time pass.
        patience: polls until a part is rejected for want of a verdict.
        acknowledges: whether it does so this time.
    """

    def __init__(
        self,
        link: Link,
        wait: Callable[[], None],
        *,
        patience: int = 40,
        acknowledges: Callable[[], bool] = lambda: True,
    ) -> None:
        self._link = link
        self._wait = wait
        self.patience = patience
        self._acknowledges = acknowledges
        self._session = 0
        self._trigger = 0
        self.frame: int | None = None

    def restart(self) -> None:
        """Forget everything."""
        self._session = 0

    def read(self) -> dict[str, int]:
        return unpack(PLC_READS, self._link.read(FROM_EDGECL, width(PLC_READS)))

    def check(self, part_id: int) -> bool:
        """Whether a part may go; `frame` is then that of its verdict."""
        self.frame = None
        triggered = False
        for _ in range(self.patience):
            try:
                if self._session == 0:
                    self._take_up()
                said = self.read()
                if said["session"] != self._session or not said["linked"]:
                    self._session = 0
                    return False  # edgecl began anew: what it knew of this part is gone
                if triggered and said["trigger_ack"] == self._trigger:
                    if said["results_valid"] and said["part_id"] == part_id:
                        self.frame = said["frame"]
                        self._acknowledge(said["sequence"])
                        return said["verdict"] == VerdictCode.PASS
                elif said["results_valid"]:
                    self._acknowledge(said["sequence"])  # of a part that is gone
                elif said["ready"]:
                    self._trigger, triggered = successor(said["trigger_ack"]), True
                    block = (self._session, self._trigger, part_id >> 16, part_id & 0xFFFF)
                    self._link.write(TO_EDGECL, block)
            except LinkLostError:
                pass
            self._wait()
        return False

    def _take_up(self) -> None:
        """Cancel what is open, and take up edgecl's session."""
        self._link.write(TO_EDGECL, [0])
        said = self.read()
        if said["linked"]:
            return
        self._link.write(TO_EDGECL, [said["session"]])
        if self.read()["linked"]:
            self._session = said["session"]

    def _acknowledge(self, sequence: int) -> None:
        if not self._acknowledges():
            return
        # Where it is lost, the next part finds the result, and acknowledges it.
        with contextlib.suppress(LinkLostError):
            self._link.write(TO_EDGECL + 4, [sequence])


class TableLink(Link):
    """Reaches a table without a network."""

    def __init__(self, table) -> None:
        self.table = table

    def read(self, address, count):
        start = address - FROM_EDGECL
        return self.table.read()[start : start + count]

    def write(self, address, values):
        self.table.write(address, values)
