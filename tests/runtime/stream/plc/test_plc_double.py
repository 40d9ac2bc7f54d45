"""A PLC's double never lets a part go on a verdict that is another's, or too old. Without a clock.

`test_lost_links.py` does the same over TCP, in the slow tier.
"""

from __future__ import annotations

import random
from collections import deque

import pytest

from runtime.stream.plc.handshake import HandshakeRules, PartResult, PlcHandshake
from runtime.stream.plc.table import PlcTable
from runtime.stream.verdict import Status
from tests.runtime.stream.plc.plc_double import FaultyLink, LinkLostError, PlcDouble, TableLink

MS = 1_000_000


class FreeCamera:
    """A camera that runs freely before a machine, and a judge that is slow at times.

    What it sees where no part is in place is a `pass`: the worst that it can be.
    """

    def __init__(self, seed: int) -> None:
        self.ns = 10**9
        self.piece: int | None = None
        self.seen: dict[int, tuple[int | None, Status]] = {}
        self._random = random.Random(seed)
        self._waiting: deque[tuple[int, PartResult]] = deque()
        self.good: dict[int, bool] = {}
        self.restart()

    def restart(self) -> None:
        """Begin anew, as edgecl does."""
        rules = HandshakeRules(wait_ns=200 * MS, hold_ns=150 * MS)
        handshake = PlcHandshake(self._random.randrange(1, 65536), rules)
        self.table = PlcTable(handshake, clock=lambda: self.ns)
        self._waiting.clear()
        self.table.tick()

    def place(self, piece: int | None) -> None:
        self.piece = piece
        if piece is not None:
            self.good[piece] = self._random.random() < 0.5

    def run(self, ms: int) -> None:
        """Let time pass: frames come every 7 ms, and verdicts 5 to 120 ms after them."""
        for _ in range(ms):
            self.ns += MS
            if self.ns // MS % 7 == 0:
                number = len(self.seen)
                good = self.piece is None or self.good[self.piece]
                status = Status.PASS if good else Status.REJECT
                self.seen[number] = (self.piece, status)
                slow = self._random.random() < 0.1
                delay = self._random.randrange(5, 120 if slow else 20) * MS
                self._waiting.append((self.ns + delay, PartResult(number, self.ns, status)))
            while self._waiting and self._waiting[0][0] <= self.ns:
                _, result = self._waiting.popleft()
                self.table.judged(result)
            self.table.tick()


class MovingTable(TableLink):
    """Reaches the table that is there now, and lets time pass with each request.

    Args:
        chance: that edgecl begins anew with a request.
    """

    def __init__(self, camera: FreeCamera, chance: float, seed: int) -> None:
        self._camera = camera
        self._chance = chance
        self._random = random.Random(seed)

    @property
    def table(self) -> PlcTable:
        return self._camera.table

    def read(self, address, count):
        self._pass_time()
        return super().read(address, count)

    def write(self, address, values):
        self._pass_time()
        super().write(address, values)

    def _pass_time(self) -> None:
        self._camera.run(self._random.randrange(3))
        if self._random.random() < self._chance:
            self._camera.restart()
            raise LinkLostError("edgecl ended")


@pytest.mark.parametrize(("seed", "chance"), [(1, 0.0), (2, 0.01), (3, 0.05)])
def test_no_part_goes_on_a_verdict_that_is_not_its_own(seed, chance):
    dice = random.Random(seed)
    camera = FreeCamera(seed)
    link = FaultyLink(MovingTable(camera, chance / 10, seed), chance, seed)
    plc = PlcDouble(
        link,
        lambda: camera.run(dice.randrange(1, 12)),
        acknowledges=lambda: dice.random() >= chance,
    )
    gone = rejected_good = 0
    part_id = 0
    for piece in range(1500):
        if dice.random() < chance:
            plc.restart()
            part_id = 0  # and its ids begin anew
        plc.patience = 4 if dice.random() < chance else 40  # and leaves its trigger open
        part_id += 1
        camera.place(piece)
        camera.run(dice.randrange(1, 5))
        if plc.check(part_id):
            gone += 1
            assert camera.good[piece]
            assert plc.frame is not None
            assert camera.seen[plc.frame] == (piece, Status.PASS)
        else:
            rejected_good += camera.good[piece]
        camera.place(None)
        camera.run(dice.randrange(1, 30))
    assert link.faults > 100 or chance < 0.01
    assert gone > (700 if chance == 0 else 250)
    assert rejected_good < (30 if chance == 0 else 500)
