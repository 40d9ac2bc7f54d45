"""The state of the handshake with a PLC. Pure: no clock and no socket, the time is passed in.

Every number that starts something (trigger, request of a recipe) has to be the successor of the
last one that was taken, and an acknowledgement has to name the result that stands: what a PLC, a
gateway or a second connection sends twice, or late, changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtime.stream.plc.registers import (
    MAP_VERSION,
    PLC_READS,
    PLC_WRITES,
    VERDICT_CODES,
    ReasonCode,
    RecipeCode,
    VerdictCode,
    pack,
    places,
    unpack,
    width,
)
from runtime.stream.verdict import Status

BEAT_NS = 100_000_000
DEAD_NS = 1_000_000_000
"""Without a beat for so long, no trigger is taken: the thread that acts hangs."""

MOST_RESULTS = 8
"""Results that may wait for their acknowledgement, where every frame has one."""

_PLACES = {field.name: place for place, field in places(PLC_WRITES, 0)}


@dataclass(frozen=True)
class HandshakeRules:
    """Rules of the handshake.

    Args:
        triggered: whether results answer triggers; False gives every frame one.
        after_ns: nanoseconds from the acknowledgement of a trigger within which a frame still
            shows what was there before.
        wait_ns: nanoseconds from there after which a trigger without a frame is a fault.
        hold_ns: nanoseconds from a frame's capture after which its `pass` holds no longer.
    """

    triggered: bool = True
    after_ns: int = 0
    wait_ns: int = 1_000_000_000
    hold_ns: int = 1_000_000_000


@dataclass(frozen=True)
class PartResult:
    """A verdict as the PLC gets it.

    Args:
        frame: its number.
        captured_ns: monotonic nanoseconds.
        status: what the part is.
        label: 1 for the model's first; 0 for none.
        confidence: in hundredths of a percent.
        code: why.
        part_id: of the trigger.
        sequence: of the result.
    """

    frame: int
    captured_ns: int
    status: Status
    label: int = 0
    confidence: int = 0
    code: ReasonCode = ReasonCode.NONE
    part_id: int = 0
    sequence: int = 0


@dataclass(frozen=True)
class OpenTrigger:
    """A trigger that waits for its frame: the part, and when it was taken."""

    part_id: int
    taken_ns: int


class PlcHandshake:
    """Takes what a PLC writes and what the stream judges; gives what the PLC reads.

    Args:
        session: drawn at each start, 1 to 65535.
        recipes: whether recipes can be changed.

    Attributes:
        recipes: likewise; it may be set later.
        overrun: results that had to go before anybody acknowledged them.
        stale: results that said `pass` and were held for too long.
    """

    def __init__(self, session: int, rules: HandshakeRules, *, recipes: bool = False) -> None:
        self.overrun = 0
        self.stale = 0
        self._session = session
        self._rules = rules
        self.recipes = recipes
        self._written = [0] * width(PLC_WRITES)
        self._linked = False
        self._trigger_ack = 0
        self._open: OpenTrigger | None = None
        self._missed = 0
        self._last_missed = 0
        self._results: deque[PartResult] = deque()
        self._sequence = 0
        self._acked = 0
        self._heartbeat = 0
        self._beat_ns = 0
        self._recipe = 0
        self._recipe_answered = 0
        self._recipe_code = RecipeCode.DONE
        self._recipe_wanted: int | None = None
        self._changing = False

    @property
    def linked(self) -> bool:
        """Whether a PLC has taken up this session."""
        return self._linked

    def write(self, address: int, values: Sequence[int], now_ns: int) -> None:
        """Take what the PLC writes, all of it at one moment.

        Args:
            address: of the first register, from 0.
        """
        self._written[address : address + len(values)] = [value & 0xFFFF for value in values]
        said = unpack(PLC_WRITES, self._written)
        if said["session"] != self._session:
            if self._linked:
                self._cancel()
            return
        if not self._linked:
            # What stands there by now was meant for an earlier session. Numbers go on from where
            # they were, so that none comes twice in a session.
            self._linked = True
            if said["trigger"] == successor(self._trigger_ack):
                self._trigger_ack = said["trigger"]
            if said["recipe_request"] == successor(self._recipe_answered):
                self._recipe_answered = said["recipe_request"]
            return
        new = {name for name, at in _PLACES.items() if address <= at < address + len(values)}
        if "result_ack" in new:
            self._acknowledge(said["result_ack"])
        if "recipe_request" in new:
            self._ask_recipe(said["recipe_request"], said["recipe"], now_ns)
        if "trigger" in new:
            self._take_trigger(said["trigger"], said["part_id"], now_ns)

    def judged(self, result: PartResult) -> bool:
        """Take a verdict; False where no trigger waits for it.

        Raises:
            ConnectionError: every frame has a result, and no PLC is there.
        """
        if not self._rules.triggered:
            if not self._linked:
                raise ConnectionError("no PLC is there")
            self._publish(result)
            return True
        trigger = self._open
        if trigger is None or result.captured_ns < trigger.taken_ns + self._rules.after_ns:
            return False
        self._open = None
        self._publish(replace(result, part_id=trigger.part_id))
        return True

    def tick(self, now_ns: int) -> None:
        """Beat, and call a trigger without a frame a fault. Wanted every `BEAT_NS`."""
        if now_ns - self._beat_ns >= BEAT_NS:
            self._heartbeat += 1
            self._beat_ns = now_ns
        trigger = self._open
        if trigger is not None and now_ns > trigger.taken_ns + self._rules.wait_ns:
            self._open = None
            fault = PartResult(0, trigger.taken_ns, Status.FAULT, code=ReasonCode.NO_FRAME)
            self._publish(replace(fault, part_id=trigger.part_id))

    def take_recipe(self) -> int | None:
        """Return the number of the recipe to change to, once; None where none is wanted."""
        wanted, self._recipe_wanted = self._recipe_wanted, None
        return wanted

    def recipe_changed(self, number: int, code: RecipeCode) -> None:
        """Say what became of a change that was taken."""
        self._changing = False
        self._recipe_code = code
        if code is RecipeCode.DONE:
            self._recipe = number

    def registers(self, now_ns: int) -> list[int]:
        """Return what the PLC reads, all of it at one moment."""
        shown = self._current(now_ns)
        result = shown or PartResult(0, 0, Status.FAULT)
        return pack(
            PLC_READS,
            {
                "map_version": MAP_VERSION,
                "heartbeat": self._heartbeat,
                "session": self._session,
                "linked": self._linked,
                "ready": self._is_ready(now_ns),
                "trigger_ack": self._trigger_ack,
                "results_valid": shown is not None,
                "sequence": result.sequence,
                "part_id": result.part_id,
                "frame": result.frame,
                "verdict": VERDICT_CODES[result.status] if shown else VerdictCode.NONE,
                "label": result.label,
                "confidence": result.confidence,
                "code": result.code,
                "result_acked": self._acked,
                "overrun": min(self.overrun, 0xFFFF),
                "missed_triggers": min(self._missed, 0xFFFF),
                "recipe": self._recipe,
                "recipe_answered": self._recipe_answered,
                "recipe_code": self._recipe_code,
            },
        )

    def _cancel(self) -> None:
        """Forget the PLC and all that is open: it began anew, or is another one."""
        self._linked = False
        self._open = None
        self._results.clear()

    def _is_ready(self, now_ns: int) -> bool:
        idle = self._open is None and not self._results and not self._changing
        alive = now_ns - self._beat_ns < DEAD_NS
        return self._linked and self._rules.triggered and idle and alive

    def _take_trigger(self, number: int, part_id: int, now_ns: int) -> None:
        if number != successor(self._trigger_ack):
            return  # it was taken already, or never is
        if self._is_ready(now_ns):
            self._trigger_ack = number
            self._last_missed = 0
            self._open = OpenTrigger(part_id, now_ns)
        elif number != self._last_missed:
            self._last_missed = number
            self._missed += 1

    def _acknowledge(self, sequence: int) -> None:
        if self._results and self._results[0].sequence == sequence:
            self._results.popleft()
            self._acked = sequence

    def _ask_recipe(self, request: int, number: int, now_ns: int) -> None:
        if request != successor(self._recipe_answered):
            return
        self._recipe_answered = request
        if not self.recipes:
            self._recipe_code = RecipeCode.NOT_POSSIBLE
        elif self._changing or self._open is not None or self._results:
            self._recipe_code = RecipeCode.NOT_NOW
        else:
            self._recipe_code = RecipeCode.WORKING
            self._recipe_wanted = number
            self._changing = True

    def _publish(self, result: PartResult) -> None:
        self._sequence = successor(self._sequence)
        if len(self._results) >= MOST_RESULTS:
            self._results.popleft()
            self.overrun += 1
        self._results.append(replace(result, sequence=self._sequence))

    def _current(self, now_ns: int) -> PartResult | None:
        """The result that stands, with a `pass` that was held for too long taken back."""
        if not self._results:
            return None
        result = self._results[0]
        if result.status is Status.PASS and now_ns > result.captured_ns + self._rules.hold_ns:
            self.stale += 1
            result = replace(result, status=Status.LATE, code=ReasonCode.STALE)
            self._results[0] = result
        return result


def successor(number: int) -> int:
    """Return the number after one, without 0."""
    return number + 1 if 0 <= number < 0xFFFF else 1
