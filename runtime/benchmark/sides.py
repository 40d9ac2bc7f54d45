"""A side of the comparison: one bundle in one precision on one engine, judging frames."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.document import SideAccuracy, SideIdentity
from runtime.benchmark.planning import Plan
from runtime.errors import FrameError, InputError
from runtime.image.preprocess import Preprocessor
from runtime.session.base import Session
from runtime.session.opening import EngineFor, open_session
from runtime.session.tiles import image_answer, infer_tiles
from runtime.stream.verdict import decide

TOTAL = "total"
"""Time from the frame to the decision; more than the sum of the steps by the gaps between."""

UNSURE_BELOW = 0.5
"""Confidence below which a verdict is `unsure`; its value does not change what deciding costs."""


class Side:
    """An open session with its buffers, made once.

    Args:
        plan: what to open.
        threads: inference threads.
        engine_for: gives TensorRT's engine.

    Raises:
        InputError: the engine cannot load the model.
    """

    def __init__(self, plan: Plan, *, threads: int, engine_for: EngineFor | None = None) -> None:
        self.plan = plan
        self.session: Session = open_session(
            plan.bundle,
            plan.precision,
            engine=plan.engine,
            threads=threads,
            device=plan.device,
            engine_for=engine_for,
        )
        self._preprocess = Preprocessor(self.session.contract.input, view=self.session.view)
        self._tiles = 0

    def judge(self, frame: NDArray[np.generic]) -> tuple[str, dict[str, int]]:
        """Judge one frame, whole: with all its tiles where the model takes tiles.

        Returns:
            The status, and nanoseconds per step, `total` among them.
        """
        start = time.perf_counter_ns()
        batch = self._preprocess.prepare(frame)
        prepared = time.perf_counter_ns()
        if len(batch) != self._tiles:  # in the warm-up
            self._tiles = len(batch)
            self.session.prepare(self._tiles)
        outputs, inside = infer_tiles(self.session, batch)
        answered = time.perf_counter_ns()
        answer = image_answer(outputs, self.session.contract)
        decision = decide(answer.probabilities, self.session.contract, UNSURE_BELOW)
        end = time.perf_counter_ns()
        times = {"preprocess": prepared - start, **inside, "decide": end - answered}
        times[TOTAL] = end - start
        return decision.status, times

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
            self._preprocess.prepare(own[0])
        except FrameError as error:
            raise InputError(
                f"{self.plan.name} cannot judge such frames: {error}",
                hint="give the camera's size with --frame-size HEIGHTxWIDTH",
            ) from error
        return own

    def describe(self) -> SideIdentity:
        """The side without its times, for the report."""
        bundle, name, precision = self.plan.bundle, self.plan.precision, self.plan.shipped
        origin = bundle.manifest.origin
        return SideIdentity(
            label=self.plan.label,
            name=self.plan.name,
            bundle=str(bundle.path),
            digest=bundle.manifest.digest,
            encoder=origin.encoder,
            precision=name,
            engine=self.plan.engine,
            engine_version=self.session.version,
            device=self.session.device,
            input=tuple(self.session.contract.input.shape),
            tiles=self._tiles if self.session.contract.input.tiling is not None else None,
            accuracy=SideAccuracy(validation=precision.accuracy, test=precision.test_accuracy),
            bytes=precision.bytes,
            parameters=origin.parameters,
            macs=origin.macs,
        )

    def close(self) -> None:
        """Free what the engine holds."""
        self.session.close()
