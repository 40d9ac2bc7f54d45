"""Session on an inference server."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import ModelContract
from runtime.errors import FrameError, SessionAwayError, SessionLostError
from runtime.progress import Say
from runtime.session.base import Outputs, Session
from runtime.session.deadline import answer_deadline
from runtime.session.golden import GoldenImages, require_same_answers
from runtime.session.oip.connection import (
    Connection,
    ServedModel,
    ServerError,
    ServerGoneError,
    ServerRefusalError,
)
from runtime.session.oip.contract import batches_of, outputs_of
from runtime.session.oip.link import OPENING_S, PING_WAIT_S, ServerLink

TIMEOUT_S = 2.0
"""Longest wait for the answer to a frame without a deadline, in seconds."""


class ServerSession(Session):
    """A model on a server. The bundle gives contract and golden images, the server the answers.

    A request waits no longer than the frame's deadline. One without an answer is a `FrameError`;
    while there is no server, a `SessionAwayError`, at once.

    Args:
        name: of the server, for messages: its address.
        make: gives a connection that is not yet open.
        model: on the server.
        contract: of the bundle.
        golden: asked at the opening, and of a server that is back.
        precision: the name to carry in reports.
        report: is told, in one line, when the server is lost and when it is back.
        give_up_after_s: seconds without a server after which the session is lost; None for never.

    Raises:
        ServerError: the server does not answer.
        InputError: it serves another model.
    """

    engine = "oip"

    def __init__(
        self,
        name: str,
        make: Callable[[], Connection],
        model: ServedModel,
        contract: ModelContract,
        golden: GoldenImages | None,
        *,
        precision: str,
        report: Say,
        give_up_after_s: float | None = None,
    ) -> None:
        self.contract = contract
        self.precision = precision
        self.version = ""
        self.device = f"{model} at {name}"
        self._name = name
        self._model = model
        self._golden = golden
        self._give_up_after_s = give_up_after_s
        self._batches = (1, self.tiles_at_once)
        self._answering = ""  # the version that answered the golden images
        self._link = ServerLink(f"the server {name}", make, self._check, self._look, report)
        self._link.open()

    @property
    def batches(self) -> tuple[int, int]:
        """The smallest and the largest batch that the server takes."""
        return self._batches

    def close(self) -> None:
        self._link.close()

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        by_ns = answer_deadline()
        longest = time.monotonic_ns() + round(TIMEOUT_S * 1e9)
        by_ns = longest if by_ns is None else min(by_ns, longest)
        try:
            taken = self._link.take(by_ns)
            if taken is None:
                raise self._away()
            try:
                answer = taken[0].infer(batch, by_ns)
            except ServerGoneError as error:
                self._link.lose(taken, error.reason)
                raise
            except BaseException:
                self._link.give_back(taken)
                raise
            if answer.version != self._answering:
                why = f"version {answer.version or '?'} of the model answers, not {self._answering}"
                self._link.lose(taken, why)
                raise ServerRefusalError(why)
            self._link.give_back(taken)
            return outputs_of(answer, len(batch), len(self.contract.labels))
        except ServerGoneError as error:
            raise SessionAwayError(f"{self._name} was lost: {error.reason}") from error
        except ServerError as error:
            raise FrameError(f"{self._name}: {error.reason}") from error

    def _away(self) -> SessionAwayError:
        away_s = self._link.away_s or 0.0
        if self._give_up_after_s is not None and away_s > self._give_up_after_s:
            raise SessionLostError(
                f"the server {self._name} is not back after {self._give_up_after_s:g} s "
                f"({self._link.why})",
                hint="look after the server; without --server-give-up-after it is waited for",
            )
        return SessionAwayError(f"{self._name} is away: {self._link.why}")

    def _check(self, connection: Connection) -> None:
        """Check that a server is the right one: metadata, largest batch, golden images."""
        by_ns = time.monotonic_ns() + round(OPENING_S * 1e9)
        server = connection.server(by_ns)
        facts = connection.model(by_ns)
        batches = batches_of(facts, self.contract, self._model, self._name)
        asking = _Asking(connection, self.contract, batches)
        asking.engine, asking.version = self.engine, f"{server.name} {server.version}".rstrip()
        asking.precision, asking.device = self.precision, self.device
        asking.warm_up(1)
        require_same_answers(asking, self._golden)
        self.version, self._batches, self._answering = asking.version, batches, asking.answered

    def _look(self, connection: Connection) -> None:
        """Check a further connection to a server that is there."""
        by_ns = time.monotonic_ns() + round(PING_WAIT_S * 1e9)
        connection.server(by_ns)
        batches_of(connection.model(by_ns), self.contract, self._model, self._name)


class _Asking(Session):
    """A server that is being checked, over one connection."""

    def __init__(
        self, connection: Connection, contract: ModelContract, batches: tuple[int, int]
    ) -> None:
        self.contract = contract
        self.answered = ""
        self._connection = connection
        self._batches = batches

    @property
    def batches(self) -> tuple[int, int]:
        return self._batches

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        by_ns = time.monotonic_ns() + round(OPENING_S * 1e9)
        answer = self._connection.infer(batch, by_ns)
        self.answered = answer.version
        return outputs_of(answer, len(batch), len(self.contract.labels))
