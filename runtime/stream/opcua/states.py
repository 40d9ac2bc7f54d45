"""States of a vision system after OPC 40100-1, and what leads from one to another.

Names and numbers are the standard's. Pure: no server, no clock, no line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """State of the vision system; those from 5 on are within `OPERATIONAL`."""

    PREOPERATIONAL = 1
    HALTED = 2
    ERROR = 3
    OPERATIONAL = 4
    INITIALIZED = 5
    READY = 6
    SINGLE_EXECUTION = 7
    CONTINUOUS_EXECUTION = 8

    @property
    def browse_name(self) -> str:
        """Return the standard's name, as in `SingleExecution`."""
        return "".join(word.capitalize() for word in self.name.split("_"))


TOP = (State.PREOPERATIONAL, State.HALTED, State.ERROR, State.OPERATIONAL)
AUTOMATIC = (
    State.INITIALIZED,
    State.READY,
    State.SINGLE_EXECUTION,
    State.CONTINUOUS_EXECUTION,
)
EXECUTION = (State.SINGLE_EXECUTION, State.CONTINUOUS_EXECUTION)


@dataclass(frozen=True)
class Transition:
    """A way from one state to another.

    Args:
        name: the standard's.
        number: the standard's; its last digit is 0 where nobody called a method.
        source, target: states.
    """

    name: str
    number: int
    source: State
    target: State

    @property
    def within_operational(self) -> bool:
        """Return whether it belongs to the state machine of the automatic mode."""
        return self.source in AUTOMATIC


def _transition(name: str, number: int) -> Transition:
    return Transition(name, number, State(number // 100), State(number // 10 % 10))


TRANSITIONS = {
    number: _transition(name, number)
    for number, name in (
        (120, "PreoperationalToHaltedAuto"),
        (121, "PreoperationalToHalted"),
        (130, "PreoperationalToErrorAuto"),
        (150, "PreoperationalToInitializedAuto"),
        (151, "PreoperationalToInitialized"),
        (211, "HaltedToPreoperational"),
        (310, "ErrorToPreoperationalAuto"),
        (311, "ErrorToPreoperational"),
        (321, "ErrorToHalted"),
        (340, "ErrorToOperationalAuto"),
        (411, "OperationalToPreoperational"),
        (421, "OperationalToHalted"),
        (430, "OperationalToErrorAuto"),
        (560, "InitializedToReadyAuto"),
        (561, "InitializedToReadyRecipe"),
        (651, "ReadyToInitializedRecipe"),
        (670, "ReadyToSingleExecutionAuto"),
        (671, "ReadyToSingleExecution"),
        (680, "ReadyToContinuousExecutionAuto"),
        (681, "ReadyToContinuousExecution"),
        (760, "SingleExecutionToReadyAuto"),
        (761, "SingleExecutionToReadyStop"),
        (762, "SingleExecutionToReadyAbort"),
        (861, "ContinuousExecutionToReadyStop"),
        (862, "ContinuousExecutionToReadyAbort"),
    )
}
"""The transitions that happen here, by number; the standard has more."""

JOB_BEGINS = frozenset({670, 671, 680, 681})
JOB_ENDS = frozenset({760, 761, 762, 861, 862})
ERROR_BEGINS = frozenset({130, 430})
ERROR_ENDS = frozenset({310, 340})


class WrongStateError(Exception):
    """The method cannot be called in this state."""


Steps = tuple[Transition, ...]


class VisionStates:
    """State machine of a line that judges by itself from its start on.

    Every method returns the transitions that it led to, in their order, and raises
    `WrongStateError` where the standard has none.

    Attributes:
        top: the state of the vision system.
        automatic: the state within `OPERATIONAL`; None in another state.
    """

    def __init__(self) -> None:
        self.top = State.PREOPERATIONAL
        self.automatic: State | None = None
        self._interrupted: State | None = None  # the automatic state before an error
        self._faulty = False

    @property
    def executing(self) -> bool:
        """Return whether a job is under way; an error of the line does not end it."""
        return (self.automatic or self._interrupted) in EXECUTION

    def begin(self) -> Steps:
        """Do what the line does when it starts: it judges one frame after the other."""
        self._require(State.PREOPERATIONAL)
        return self._go(150, 560, 680)

    def select_mode_automatic(self) -> Steps:
        """Enter the only mode."""
        self._require(State.PREOPERATIONAL)
        return self._go(151)

    def prepare_recipe(self) -> Steps:
        """Be ready, with a recipe that is prepared; with another one where one was already."""
        self._require(State.INITIALIZED, State.READY)
        return self._go(561) if self.automatic is State.INITIALIZED else ()

    def unprepare_recipe(self) -> Steps:
        """Give the recipe up."""
        self._require(State.READY)
        return self._go(651)

    def start_single_job(self) -> Steps:
        """Begin a job of one result."""
        self._require(State.READY)
        return self._go(671)

    def start_continuous(self) -> Steps:
        """Begin a job that goes on until it is stopped."""
        self._require(State.READY)
        return self._go(681)

    def result(self) -> Steps:
        """Do what follows a result: a single job is done with it."""
        return self._go(760) if self.automatic is State.SINGLE_EXECUTION else ()

    def stop(self) -> Steps:
        """End the job."""
        self._require(*EXECUTION)
        return self._go(761 if self.automatic is State.SINGLE_EXECUTION else 861)

    def abort(self) -> Steps:
        """End the job at once."""
        self._require(*EXECUTION)
        return self._go(762 if self.automatic is State.SINGLE_EXECUTION else 862)

    def reset(self) -> Steps:
        """Go back to the beginning, from every state; while the fault lasts, back to `ERROR`."""
        if self.top is State.PREOPERATIONAL:
            return ()
        steps = self._go(self.top * 100 + 11)
        return (*steps, *self._go(130)) if self._faulty else steps

    def halt(self) -> Steps:
        """Stand still until a reset."""
        return () if self.top is State.HALTED else self._go(self.top * 100 + 21)

    def fault(self) -> Steps:
        """Note that the line cannot do its work: a camera is lost."""
        self._faulty = True
        if self.top in (State.PREOPERATIONAL, State.OPERATIONAL):
            return self._go(self.top * 100 + 30)
        return ()

    def recover(self) -> Steps:
        """Note that the line can do its work again, and go on where it was interrupted."""
        self._faulty = False
        if self.top is not State.ERROR:
            return ()
        if self._interrupted is None:
            return self._go(310)
        before, steps = self._interrupted, self._go(340)
        if before in EXECUTION:
            return (*steps, *self._go(670 if before is State.SINGLE_EXECUTION else 680))
        self.automatic = before
        return steps

    def _require(self, *states: State) -> None:
        now = self.automatic or self.top
        if now not in states:
            raise WrongStateError(f"not in state {now.browse_name}")

    def _go(self, *numbers: int) -> Steps:
        steps = tuple(TRANSITIONS[number] for number in numbers)
        for step in steps:
            if step.target in AUTOMATIC:
                self.top, self.automatic = State.OPERATIONAL, step.target
            else:
                interrupted = self.automatic if step.target is State.ERROR else None
                self.top, self.automatic = step.target, None
                if step.target is State.OPERATIONAL:
                    self.automatic = State.READY  # those that follow begin there
                self._interrupted = interrupted
        return steps
