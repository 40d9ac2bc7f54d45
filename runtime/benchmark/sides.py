"""A side of the comparison: one model in one precision on one engine, judging frames."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.document import SideAccuracy, SideIdentity
from runtime.benchmark.planning import Plan
from runtime.errors import EquipmentError, FrameError, InputError, SessionAwayError
from runtime.image.preprocess import Preprocessor
from runtime.session.base import Outputs, Session
from runtime.session.golden import read_golden
from runtime.session.opening import EngineFor, ServerChoice, open_session
from runtime.session.tiles import image_answer, infer_tiles
from runtime.stream.sharing.pool import SessionPool
from runtime.stream.verdict import Status, decide

TOTAL = "total"
"""Time from the frame to the decision; more than the sum of the steps by the gaps between."""

UNSURE_BELOW = 0.5
"""Confidence below which a verdict is `unsure`; its value does not change what deciding costs."""


class Side:
    """An open session, or one for each worker, with its buffers, made once.

    Args:
        plan: what to open.
        threads: inference threads, unless the plan has its own.
        engine_for: gives TensorRT's engine.
        server: that infers, for the engine `oip`.

    Attributes:
        session: the model; of several workers one that lends each thread a session of its own.

    Raises:
        InputError: the engine cannot load the model, or there is no such server.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        threads: int,
        engine_for: EngineFor | None = None,
        server: ServerChoice | None = None,
    ) -> None:
        self.plan = plan
        with ExitStack() as stack:
            sessions = [
                stack.enter_context(_opened(plan, plan.threads or threads, engine_for, server))
                for _ in range(plan.workers or 1)
            ]
            self._sessions = stack.pop_all()
        self.session: Session = (
            sessions[0] if len(sessions) == 1 else SessionPool(sessions).for_camera(plan.name)
        )
        self._preprocess = Preprocessor(self.session.contract.input, view=self.session.view)
        self._tiles = self._tiles_per_frame = 0

    def judge(self, frame: NDArray[np.generic]) -> tuple[str, dict[str, int]]:
        """Judge one frame, whole: with all its tiles where the model takes tiles.

        Returns:
            The status, and nanoseconds per step, `total` among them.

        Raises:
            EquipmentError: the server that infers is gone.
        """
        start = time.perf_counter_ns()
        batch = self._preprocess.prepare(frame)
        prepared = time.perf_counter_ns()
        if len(batch) != self._tiles:  # in the warm-up
            self._tiles = len(batch)
            self.session.prepare(self._tiles)
        try:
            outputs, inside = infer_tiles(self.session, batch)
        except FrameError as error:
            return Status.FAULT, self._unanswered(error, start, prepared)
        answered = time.perf_counter_ns()
        answer = image_answer(outputs, self.session.contract)
        decision = decide(answer.probabilities, self.session.contract, UNSURE_BELOW)
        end = time.perf_counter_ns()
        times = {"preprocess": prepared - start, **inside, "decide": end - answered}
        times[TOTAL] = end - start
        return decision.status, times

    def judge_together(self, frames: Sequence[NDArray[np.generic]]) -> tuple[int, dict[str, int]]:
        """Judge several frames in one query: prepared one by one, inferred in batches.

        Returns:
            How many got no answer, and nanoseconds per step, `total` among them.

        Raises:
            EquipmentError: the server that infers is gone.
        """
        start = time.perf_counter_ns()
        # The preprocessor's buffer is made once: the next frame would overwrite this one.
        batches = [self._preprocess.prepare(frame).copy() for frame in frames]
        batch = np.concatenate(batches)
        prepared = time.perf_counter_ns()
        if len(batch) != self._tiles:  # in the warm-up
            self._tiles = len(batch)
            self.session.prepare(self._tiles)
        try:
            outputs, inside = infer_tiles(self.session, batch)
        except FrameError as error:
            return len(frames), self._unanswered(error, start, prepared)
        answered = time.perf_counter_ns()
        faults = first = 0
        for own in batches:
            last = first + len(own)
            part = Outputs(outputs.probabilities[first:last], outputs.embedding[first:last])
            answer = image_answer(part, self.session.contract)
            decision = decide(answer.probabilities, self.session.contract, UNSURE_BELOW)
            faults += decision.status is Status.FAULT
            first = last
        end = time.perf_counter_ns()
        times = {"preprocess": prepared - start, **inside, "decide": end - answered}
        times[TOTAL] = end - start
        return faults, times

    def _unanswered(self, error: FrameError, start: int, prepared: int) -> dict[str, int]:
        """Return the times of a query without an answer.

        Raises:
            EquipmentError: there will be none for some time, and what follows would be no latency.
        """
        if isinstance(error, SessionAwayError):
            raise EquipmentError(
                f"{self.plan.label}: {error}", hint="look after the server, and measure again"
            ) from error
        end = time.perf_counter_ns()
        return {"preprocess": prepared - start, "infer": end - prepared, TOTAL: end - start}

    def golden_labels(self) -> tuple[int, int]:
        """Ask for the bundle's golden images again, after the measurement.

        Returns:
            How many there are, and how many got another label than from the trained network.

        Raises:
            EdgeclError: the session does not answer any more.
        """
        bundle = self.plan.bundle
        golden = None if bundle is None else read_golden(bundle)
        if golden is None:
            return 0, 0
        found = [self.session.infer(image[None]).probabilities[0] for image in golden.images]
        wrong = sum(
            not np.isfinite(own).all() or int(own.argmax()) != int(right.argmax())
            for own, right in zip(found, golden.probabilities, strict=True)
        )
        return len(golden.images), wrong

    def delivered(self, frames: Sequence[NDArray[np.uint8]]) -> Sequence[NDArray[np.generic]]:
        """Return frames in the depth of the camera that the model's flat-field is of.

        Raises:
            InputError: they are too small for its region of interest, or of another size than
                its flat-field.
        """
        bits = self.session.view.deep_bits
        own: Sequence[NDArray[np.generic]] = frames
        if bits is not None:
            own = [np.left_shift(frame, bits - 8, dtype=np.uint16) for frame in frames]
        try:
            self._tiles_per_frame = len(self._preprocess.prepare(own[0]))
        except FrameError as error:
            raise InputError(
                f"{self.plan.name} cannot judge such frames: {error}",
                hint="give the camera's size with --frame-size HEIGHTxWIDTH",
            ) from error
        return own

    def describe(self) -> SideIdentity:
        """The side without its times, for the report."""
        bundle, shipped = self.plan.bundle, self.plan.shipped
        origin = None if bundle is None else bundle.manifest.origin
        return SideIdentity(
            label=self.plan.label,
            name=self.plan.name,
            bundle=str(self.plan.path),
            digest=None if bundle is None else bundle.manifest.digest,
            encoder=None if origin is None else origin.encoder,
            precision=self.session.precision if bundle is None else self.plan.precision,
            engine=self.plan.engine,
            engine_version=self.session.version,
            device=self.session.device,
            input=tuple(self.session.contract.input.shape),
            tiles=self._tiles_per_frame if self.session.contract.input.tiling is not None else None,
            accuracy=SideAccuracy(
                validation=None if shipped is None else _measured(shipped.accuracy),
                test=None if shipped is None else _measured(shipped.test_accuracy),
            ),
            bytes=self.plan.path.stat().st_size if shipped is None else shipped.bytes,
            parameters=None if origin is None else origin.parameters,
            macs=None if origin is None else origin.macs,
            threads=self.plan.threads,
            workers=self.plan.workers,
            rival=self.plan.rival,
        )

    def close(self) -> None:
        """Free what the engine holds."""
        self._sessions.close()


def _opened(
    plan: Plan, threads: int, engine_for: EngineFor | None, server: ServerChoice | None
) -> Session:
    if plan.opener is not None:
        return plan.opener(threads)
    return open_session(
        plan.source,
        plan.precision,
        engine=plan.engine,
        threads=threads,
        device=plan.device,
        engine_for=engine_for,
        server=server,
    )


def _measured(share: float | None) -> float | None:
    """A share that was measured; a bundle written without a gate has NaN in its place."""
    return None if share is None or math.isnan(share) else share
