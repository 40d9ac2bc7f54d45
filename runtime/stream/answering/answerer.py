"""Answers to single images by a recipe's rules, beside any stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runtime.image.preprocess import Preprocessor
from runtime.novelty import Novelty
from runtime.session import Session
from runtime.session.tiles import image_answer, infer_tiles
from runtime.stream.health import StreamNovelty
from runtime.stream.rules import Rules, recognised
from runtime.stream.verdict import Decision, Status, decide, worst_tile_of


class Answerer:
    """Answers images as a stream judges frames, without its deadlines, health and debounce.

    Use it from one thread at a time.

    Args:
        session: the model.
        rules: what images are held to.
        novelty: from where on an image is unknown; None to call none so.

    Raises:
        InputError: a rule names a label that the model has not.
    """

    def __init__(self, session: Session, rules: Rules, novelty: Novelty | None = None) -> None:
        self._session = session
        self._held = rules, rules.applied_to(session.contract)
        self._novelty = StreamNovelty.of(novelty, session, None)
        self._prepare = Preprocessor(session.contract.input, bits=rules.bits, view=session.view)

    def change(self, rules: Rules) -> None:
        """Hold the images to come to other rules; from any thread.

        Raises:
            InputError: a rule names a label that the model has not; then nothing is changed.
        """
        self._held = rules, rules.applied_to(self._session.contract)

    def answer(
        self, pixels: NDArray[np.uint8] | NDArray[np.uint16], bits: int | None = None
    ) -> Decision:
        """Return the model's answer; `fault` where it gave none, with the reason.

        Args:
            pixels: H×W or H×W×C, as a camera delivers them.
            bits: how many bits of uint16 are used, where the source says so.
        """
        try:
            batch = self._prepare.prepare(pixels, bits=bits)
            outputs, _ = infer_tiles(self._session, batch)
        except Exception as error:  # an engine may raise anything, and the next image may be whole
            reason = f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]
            return Decision(Status.FAULT, reason=reason)
        rules, contract = self._held
        found = image_answer(outputs, contract)
        decision = decide(found.probabilities, contract, rules.unsure_below, rules.unsure_below_of)
        if self._novelty is not None and decision.status is not Status.FAULT:
            distance = self._novelty.distance(outputs.embedding)
            decision = recognised(decision, distance, rules.unknown_above)
        if found.worst is None or decision.status is Status.FAULT:
            return decision
        place = self._prepare.place(found.worst)
        return replace(decision, worst_tile=worst_tile_of(found, place, contract))

    def look(
        self, pixels: NDArray[np.uint8] | NDArray[np.uint16], bits: int | None = None
    ) -> NDArray[np.uint8]:
        """Return what the model sees of an image, uint8 H×W: all of it, or its middle tile.

        Raises:
            FrameError: the model does not take it.
        """
        batch = self._prepare.prepare(pixels, bits=bits)
        image: NDArray[np.uint8] = batch[len(batch) // 2, 0].copy()
        return image
