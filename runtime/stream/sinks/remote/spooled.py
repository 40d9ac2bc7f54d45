"""The sink before a spool: verdicts go to disk first, and from there to their receiver."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random

from runtime.counting import counted, noun
from runtime.stream.sinks.base import Sink, SinkRequest, StreamFacts
from runtime.stream.sinks.remote.address import RemoteAddress
from runtime.stream.sinks.remote.carrier import Carrier
from runtime.stream.sinks.remote.delivery import SpoolDelivery
from runtime.stream.sinks.remote.messages import verdict_message
from runtime.stream.sinks.remote.spool import Spool
from runtime.stream.sinks.waiting import WaitingQueue, flush_until
from runtime.stream.verdict import Verdict

PERIOD_S = 0.05
"""Longest wait of a verdict before it is on disk, in seconds: what comes within it shares one
write, for a flash disk takes few of them per second."""

RETRY_S = 1.0
CAPACITY = 10_000
"""Verdicts that may wait in memory for a disk that refuses them."""

CLOSE_S = 2.0
"""Time that the end of a stream delivers what still waits, in seconds."""

_BATCH = 500


class SpooledSink(Sink):
    """Puts verdicts into a spool, from which a delivery takes them.

    A disk that is full keeps verdicts in memory, up to `capacity`; then the oldest is lost and
    counted. It neither stops nor slows the stream.

    Args:
        spool: the sink's to close.
        carrier: likewise.
        delivery: has both, and was started.
        stream: what verdicts say about it.
        capacity: verdicts that may wait for the disk.
    """

    isolated = True

    def __init__(
        self,
        spool: Spool,
        carrier: Carrier,
        delivery: SpoolDelivery,
        stream: StreamFacts,
        *,
        capacity: int = CAPACITY,
    ) -> None:
        self.name = carrier.name
        self._spool = spool
        self._delivery = delivery
        self._stream = stream
        self._disk_problem = ""
        self._verdicts: WaitingQueue[Verdict] = WaitingQueue(capacity)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"spool {self.name}", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:  # type: ignore[override]
        """Verdicts that the disk, the spool's limit, or the receiver's refusal has cost."""
        return self._verdicts.lost + self._spool.dropped + self._delivery.refused

    @property
    def waiting(self) -> int:  # type: ignore[override]
        """Verdicts in the spool."""
        return self._spool.waiting

    @property
    def delivered(self) -> int:
        """Verdicts that the receiver has."""
        return self._delivery.delivered

    @property
    def problem(self) -> str:  # type: ignore[override]
        """The last thing that went wrong, on the disk or on the way."""
        return self._disk_problem or self._delivery.problem or self._limit_problem()

    def emit(self, verdict: Verdict) -> None:
        """Leave a verdict for the spool. With no room left, the oldest in memory is lost."""
        self._verdicts.put(verdict)

    def close(self) -> None:
        """Put what waits on disk, and deliver it for a moment. Closing twice is fine."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(timeout=10.0)
        self._verdicts.abandon()
        self._delivery.finish(CLOSE_S)
        if not self._thread.is_alive():  # else the disk hangs, and so would closing the file
            self._spool.close()

    def _run(self) -> None:
        flush_until(self._closing, self._flush, period_s=PERIOD_S, retry_s=RETRY_S)

    def _flush(self) -> bool:
        """Put all that waits on disk; False when that refused."""
        while batch := self._verdicts.take(_BATCH):
            try:
                self._spool.append([verdict_message(verdict, self._stream) for verdict in batch])
            except Exception as error:  # a disk may fail in any way, and the line goes on
                self._disk_problem = str(error)
                self._verdicts.put_back(batch)
                return False
            self._delivery.wake()
        return True

    def _limit_problem(self) -> str:
        return "the spool was full" if self._spool.dropped else ""


def open_spooled(
    request: SinkRequest,
    address: RemoteAddress,
    carrier: Carrier,
    *,
    random: Random | None = None,
    wait: Callable[[float], object] | None = None,
) -> SpooledSink:
    """Open the spool of a receiver, greet it, and begin to deliver.

    Args:
        random, wait: see `SpoolDelivery`.

    Raises:
        InputError: the spool cannot be opened, or the receiver turns this client away.
    """
    path = address.spool_file(request.spool or request.folder)
    spool = Spool(path, address.limit, report=request.report)
    try:
        problem = carrier.greet()
    except BaseException:
        carrier.close()
        spool.close()
        raise
    if spool.found:
        request.report(
            f"sink {carrier.name}: {counted(spool.found, 'verdict')} of an earlier stream "
            f"{noun(spool.found, 'waits', 'wait')} in {path}, "
            f"and {noun(spool.found, 'goes', 'go')} first"
        )
    if problem:
        request.report(f"sink {carrier.name}: {problem}; verdicts wait in {path}")
    delivery = SpoolDelivery(spool, carrier, report=request.report, random=random, wait=wait)
    delivery.start(problem)
    return SpooledSink(spool, carrier, delivery, request.stream)
