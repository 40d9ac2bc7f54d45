"""Judging of frames: from capture to verdict, with every step timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from runtime.camera.base import Frame
from runtime.counting import counted
from runtime.errors import EquipmentError, InputError, SessionAwayError, SessionLostError
from runtime.image.preprocess import MOST_SHRINK, Preprocessor, shrink_of
from runtime.session.base import Outputs, Session
from runtime.session.deadline import AnswersBy
from runtime.session.tiles import image_answer, infer_tiles
from runtime.stream.acting.accounts import ActAccounts
from runtime.stream.budget import CAPTURE, DECIDE, EMIT, HEALTH, PREPROCESS, QUEUE
from runtime.stream.capture.handover import Ticket
from runtime.stream.health import StreamHealth, StreamNovelty
from runtime.stream.ledger import Ledger
from runtime.stream.rules import Rules, recognised
from runtime.stream.sharing.succession import Succession
from runtime.stream.sinks.base import Sink
from runtime.stream.verdict import Decision, Status, Verdict, decide, worst_tile_of

if TYPE_CHECKING:
    from runtime.stream.recipes.recipe import RecipeMark

FAILURES_IN_A_ROW = 100
"""Number of frames on which the model failed after which the stream ends: it will not recover."""


FEW_ALIKE = 3
"""Frames of a new size in a row after which a session sets up for it."""


class Judge:
    """Judges frames, one at a time, and gives each its one verdict.

    `judge` is called from one thread; `expire` and `give_up` from any.

    Args:
        clock: monotonic nanoseconds.
        health: looks at what the model sees; None to look at nothing.
        on_reject: is given each frame that goes out as `reject`, after its verdict; it has to
            return at once.
        on_verdict: the same of every frame.
        late_sink: takes the answers that came after the frame's verdict had to go out.
        novelty: tells how far frames are from the training images; None where nothing does.
        succession: keeps the order, where several judges judge one stream's frames.
        mark: of the recipe, which its verdicts carry.

    Raises:
        InputError: a rule names a label that the model has not.
    """

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        sinks: Sequence[Sink],
        rules: Rules,
        clock: Callable[[], int] = time.monotonic_ns,
        *,
        late_sink: Sink | None = None,
        health: StreamHealth | None = None,
        on_reject: Callable[[Frame, Verdict], None] | None = None,
        on_verdict: Callable[[Frame, Verdict], None] | None = None,
        novelty: StreamNovelty | None = None,
        succession: Succession | None = None,
        mark: RecipeMark | None = None,
    ) -> None:
        self._session = session
        self._ledger = ledger
        self._sinks = sinks
        self._acts = ActAccounts(ledger, rules.budget, sinks)
        self._late_sink = late_sink
        self._rules = rules
        self._contract = rules.applied_to(session.contract)
        self._wanted = (rules, self._contract, self._acts)
        self._succession = succession or Succession(rules.debounce)
        self._clock = clock
        self._health = health
        self._on_reject = on_reject
        self._on_verdict = on_verdict
        self._mark = mark
        self._novelty = novelty
        self._preprocess = Preprocessor(session.contract.input, bits=rules.bits, view=session.view)
        self._failures = 0
        self._preparing = False
        self._shape: tuple[int, ...] = ()
        self._alike = 0
        self.notes: list[str] = []

    def change(self, rules: Rules) -> None:
        """Judge by other rules, from the next frame on.

        Raises:
            InputError: a rule names a label that the model has not.
        """
        contract = rules.applied_to(self._session.contract)
        self._wanted = (rules, contract, ActAccounts(self._ledger, rules.budget, self._sinks))

    def judge(self, ticket: Ticket) -> None:
        """Judge a frame. One that was settled while it waited is not looked at again.

        Raises:
            InputError: too many frames in a row are not what the model takes.
            EquipmentError: the model has failed on too many in a row, or will not answer again.
        """
        self._rules, self._contract, self._acts = self._wanted  # one frame, one set of rules
        frame = ticket.frame
        if ticket.settled:
            # Its wait is counted all the same: the longest ones must not be missing.
            self._add_late_steps({QUEUE: self._waited(ticket)}, self._rules)
            self._succession.say(ticket, partial(self._note_late, ticket))
            return
        steps = {**_arrival_steps(ticket), QUEUE: self._waited(ticket)}
        if frame.pixels is None:
            decision = Decision(Status.FAULT, reason=frame.fault)
            self._conclude(ticket, steps, decision)
            return
        try:
            decision = self._infer(ticket, steps)
        except Exception as error:  # an engine may raise anything, and the line goes on
            reason = f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]
            decision = Decision(Status.FAULT, reason=reason)
            self._conclude(ticket, steps, decision)
            if isinstance(error, SessionLostError):
                raise  # the frame has its verdict, and no other frame can have a better one
            if not isinstance(error, SessionAwayError):
                self._count_failure(reason)
            return
        self._failures = 0
        self._conclude(ticket, steps, decision)

    def expire(self, ticket: Ticket) -> None:
        """Send the fail-safe status of a frame whose deadline is there, if nothing was said yet."""
        if not ticket.claim():
            return
        frame = ticket.frame
        steps = _arrival_steps(ticket)
        if frame.pixels is None:
            decision = Decision(Status.FAULT, reason=frame.fault)
        else:
            decision = self._late(ticket)
        self._emit(ticket, steps, decision, self._acts)

    def give_up(self, ticket: Ticket) -> None:
        """Say `fault` about a frame that the end of the stream left open."""
        if ticket.claim():
            reason = "the stream was stopped before the model finished"
            self._emit(ticket, {}, Decision(Status.FAULT, reason=reason), self._acts)

    def _waited(self, ticket: Ticket) -> int:
        return self._clock() - (ticket.checked_ns or ticket.frame.ready_ns)

    def _infer(self, ticket: Ticket, steps: dict[str, int]) -> Decision:
        frame = ticket.frame
        assert frame.pixels is not None
        start = self._clock()
        self._preparing = True
        batch = self._preprocess.prepare(frame.pixels, bits=frame.bits)
        self._preparing = False
        steps[PREPROCESS] = self._clock() - start
        if self._health is not None:
            self._health.look(batch)
        self._look_at_size(self._preprocess.seen, len(batch))
        with AnswersBy(ticket.deadline_ns):
            outputs, engine_steps = infer_tiles(self._session, batch)
        steps |= engine_steps
        start = self._clock()
        decision = self._decide(outputs)
        steps[DECIDE] = self._clock() - start
        return decision

    def _decide(self, outputs: Outputs) -> Decision:
        contract, rules = self._contract, self._rules
        answer = image_answer(outputs, contract)
        decision = decide(answer.probabilities, contract, rules.unsure_below, rules.unsure_below_of)
        if self._novelty is not None and decision.status is not Status.FAULT:
            distance = self._novelty.distance(outputs.embedding)
            decision = recognised(decision, distance, rules.unknown_above)
        if answer.worst is None or decision.status is Status.FAULT:
            return decision
        place = self._preprocess.place(answer.worst)
        return replace(decision, worst_tile=worst_tile_of(answer, place, contract))

    def _look_at_size(self, shape: tuple[int, ...], tiles: int) -> None:
        """Let the session set up for frames of a size; say what it costs in accuracy.

        The first size is the line's, most likely. Another has to come a few times in a row: a
        folder may hold images of all sizes.
        """
        first = not self._shape
        if shape != self._shape:
            self._shape, self._alike = shape, FEW_ALIKE - 1 if first else 0
            self._note_size(shape)
        self._alike += 1
        if self._alike == FEW_ALIKE:
            self._session.prepare(tiles)

    def _note_size(self, shape: tuple[int, ...]) -> None:
        """Say once where the size of frames costs accuracy.

        Frames that are stretched may shrink so much that thin lines are lost; those that are cut
        may be smaller than a tile.
        """
        contract = self._session.contract.input
        if self.notes:
            return
        if self._preprocess.pads:
            self.notes.append(
                f"frames of {shape[0]}x{shape[1]} are smaller than the tiles of "
                f"{contract.height}x{contract.width} at the model's scale, and are continued by "
                "reflection"
            )
        if contract.tiling is not None or contract.interpolation != "linear":
            return
        shrink = shrink_of((shape[0], shape[1]), contract.shape)
        if shrink > MOST_SHRINK:
            self.notes.append(
                f"frames of {shape[1]}x{shape[0]} shrink {shrink:.1f} times with 'linear' "
                "interpolation, which loses thin lines; train with --interpolation auto or "
                "area"
            )

    def _conclude(self, ticket: Ticket, steps: dict[str, int], decision: Decision) -> None:
        """Give a frame its verdict, in its turn."""
        settle = partial(self._settle, ticket, steps, decision, self._rules, self._acts)
        self._succession.say(ticket, settle)

    def _late(self, ticket: Ticket, decision: Decision | None = None) -> Decision:
        """The fail-safe decision; the answer that is there by now stays in it."""
        limit_ms = ((ticket.deadline_ns or 0) - ticket.frame.start_ns) / 1e6
        reason = f"no verdict within {limit_ms:g} ms"
        status = self._wanted[0].on_late
        if decision is None:
            return Decision(status, reason=reason, late=True)
        answer = decision.answer or decision.status
        return replace(decision, status=status, reason=reason, late=True, answer=answer)

    def _note_late(self, ticket: Ticket) -> None:
        self._succession.debounced(ticket, Decision(Status.LATE))

    def _settle(
        self,
        ticket: Ticket,
        steps: dict[str, int],
        decision: Decision,
        rules: Rules,
        acts: ActAccounts,
    ) -> None:
        """Let a decision out, by the rules of when the frame was judged."""
        decision = self._succession.debounced(ticket, decision)
        is_late = ticket.deadline_ns is not None and self._clock() > ticket.deadline_ns
        if ticket.claim():
            if is_late and decision.status is not Status.FAULT:
                decision = self._late(ticket, decision)
            self._emit(ticket, steps, decision, acts)
            return
        # The watchdog was quicker and has counted the steps of the arrival, and the miss.
        decision = replace(decision, late=True)
        late = Verdict.of(ticket.frame, self._clock(), decision, steps, self._mark)
        self._ledger.add_late_answer(decision.status)
        if self._late_sink is not None:
            self._late_sink.emit(late)
        for step in _arrival_steps(ticket):
            del steps[step]
        self._add_late_steps(steps, rules)

    def _add_late_steps(self, steps: dict[str, int], rules: Rules) -> None:
        self._ledger.add_steps(steps, rules.budget.exceeded(steps))

    def _emit(
        self, ticket: Ticket, steps: dict[str, int], decision: Decision, acts: ActAccounts
    ) -> None:
        frame = ticket.frame
        start = self._clock()
        act = acts.pend(ticket.deadline_ns)
        verdict = Verdict.of(frame, start, decision, steps, self._mark, act=act)
        for sink in self._sinks:
            sink.emit(verdict)
        acts.settle(verdict, {**verdict.steps, EMIT: self._clock() - start})
        if self._on_reject is not None and decision.status is Status.REJECT:
            self._on_reject(frame, verdict)
        if self._on_verdict is not None:
            self._on_verdict(frame, verdict)

    def _count_failure(self, reason: str) -> None:
        self._failures += 1
        if self._failures < FAILURES_IN_A_ROW:
            return
        if self._preparing:
            raise InputError(
                f"the model cannot take {counted(self._failures, 'frame')} in a row ({reason})",
                hint="check the camera's pixel format, size and depth, and pass --bits or --roi, "
                "or train on its images",
            )
        raise EquipmentError(
            f"the model failed on {counted(self._failures, 'frame')} in a row ({reason})",
            hint="check the bundle with 'edgecl inspect', or choose another --engine",
            code="model-failing",
        )


def _arrival_steps(ticket: Ticket) -> dict[str, int]:
    """Nanoseconds of what was done to a frame before it waited."""
    frame = ticket.frame
    steps = {CAPTURE: frame.ready_ns - frame.start_ns}
    if ticket.checked_ns is not None:
        steps[HEALTH] = ticket.checked_ns - frame.ready_ns
    return steps
