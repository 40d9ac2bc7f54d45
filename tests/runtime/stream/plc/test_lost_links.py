"""Parts over TCP with lost links, duplicates and restarts: none goes on a wrong verdict."""

from __future__ import annotations

import os
import random
import threading
import time

from runtime.stream.plc.sink import PlcSink
from runtime.stream.verdict import Decision, Status, Verdict
from tests.runtime.stream.acting.test_accounts import MS
from tests.runtime.stream.plc.plc_double import FaultyLink, PlcDouble, RawModbus

# The whole number takes more than a minute: it runs with EDGECL_EVERY_PART=1.
PARTS = 10_000 if os.environ.get("EDGECL_EVERY_PART") else 2_000
CHANCE = 0.005
RESTARTS = PARTS // 100


class LiveCamera:
    """Frames of what is in place, and their verdicts, from a thread of its own.

    Where no part is in place it sees a `pass`: the worst that it can be.
    """

    def __init__(self) -> None:
        self.piece: int | None = None
        self.good: dict[int, bool] = {}
        self.seen: dict[int, tuple[int | None, Status]] = {}
        self.sink: PlcSink | None = None
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._random = random.Random(5)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def place(self, piece: int | None, *, good: bool = True) -> None:
        with self._guard:
            self.piece = piece
            if piece is not None:
                self.good[piece] = good

    def _run(self) -> None:
        number = 0
        while not self._stopped.wait(0.001):
            with self._guard:  # the moment that the frame shows
                now = time.monotonic_ns()
                good = self.piece is None or self.good[self.piece]
                status = Status.PASS if good else Status.REJECT
                self.seen[number] = (self.piece, status)
                sink = self.sink
            if self._random.random() < 0.02:
                time.sleep(0.02)  # a judge that is slow at times
            if sink is not None:
                sink.emit(Verdict(number, now, 0, Decision(status, "clean", 1.0), {"total": MS}))
            number += 1


def test_no_part_goes_on_a_verdict_that_is_not_its_own(open_plc, monkeypatch):
    monkeypatch.setattr("runtime.stream.plc.server.GAP_S", 0.0)
    dice = random.Random(11)
    camera = LiveCamera()
    camera.sink, port = open_plc("?wait=200ms&hold=150ms")
    camera.start()
    raw = RawModbus(port, patience_s=10.0)
    link = FaultyLink(raw, CHANCE, 11)
    gone = part_id = restarts = 0

    def wait() -> None:
        nonlocal port, restarts
        time.sleep(0.001)
        if dice.random() < RESTARTS / PARTS / 5:
            restarts += 1
            assert camera.sink is not None
            camera.sink.close()  # in the middle of a part
            camera.sink, port = open_plc("?wait=200ms&hold=150ms", port=port)

    plc = PlcDouble(link, wait, patience=300, acknowledges=lambda: dice.random() >= CHANCE)
    try:
        for piece in range(PARTS):
            if dice.random() < RESTARTS / PARTS:
                plc.restart()
                part_id = 0  # and its ids begin anew
            part_id += 1
            camera.place(piece, good=dice.random() < 0.5)
            if plc.check(part_id):
                gone += 1
                assert camera.good[piece]
                assert plc.frame is not None
                assert camera.seen[plc.frame] == (piece, Status.PASS)
            camera.place(None)
    finally:
        camera.stop()
        raw.cut()
    assert link.faults > PARTS * CHANCE
    assert restarts
    # The links, the restarts and a machine at work cost good parts; not half of them.
    assert gone > PARTS / 5
