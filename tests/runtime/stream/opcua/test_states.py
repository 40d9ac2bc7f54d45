"""The state machine by itself: the standard's transitions, and what is refused."""

from __future__ import annotations

import pytest

from runtime.stream.opcua.states import TRANSITIONS, State, VisionStates, WrongStateError


def numbers(steps):
    return [step.number for step in steps]


def ready() -> VisionStates:
    states = VisionStates()
    states.select_mode_automatic()
    states.prepare_recipe()
    return states


@pytest.mark.parametrize("number", TRANSITIONS)
def test_names_and_numbers_of_transitions_agree(number):
    step = TRANSITIONS[number]
    assert step.name.startswith(f"{step.source.browse_name}To{step.target.browse_name}")
    assert step.name.endswith("Auto") == (number % 10 == 0)


def test_a_line_that_starts_executes_by_itself():
    states = VisionStates()
    assert numbers(states.begin()) == [150, 560, 680]
    assert (states.top, states.automatic) == (State.OPERATIONAL, State.CONTINUOUS_EXECUTION)
    assert states.executing


def test_a_client_leads_from_power_up_to_a_job_and_back():
    states = VisionStates()
    assert numbers(states.select_mode_automatic()) == [151]
    assert numbers(states.prepare_recipe()) == [561]
    assert numbers(states.start_continuous()) == [681]
    assert numbers(states.stop()) == [861]
    assert numbers(states.unprepare_recipe()) == [651]
    assert numbers(states.reset()) == [411]
    assert (states.top, states.automatic) == (State.PREOPERATIONAL, None)


def test_a_single_job_is_done_with_its_result():
    states = ready()
    assert numbers(states.start_single_job()) == [671]
    assert numbers(states.result()) == [760]
    assert states.automatic is State.READY
    assert not states.executing
    assert states.result() == ()


def test_a_result_does_not_end_a_continuous_job():
    states = ready()
    states.start_continuous()
    assert states.result() == ()
    assert numbers(states.abort()) == [862]


def test_another_recipe_in_ready_stays_ready():
    states = ready()
    assert states.prepare_recipe() == ()
    assert states.automatic is State.READY


def test_an_error_interrupts_a_job_and_it_goes_on_afterwards():
    states = VisionStates()
    states.begin()
    assert numbers(states.fault()) == [430]
    assert (states.top, states.automatic) == (State.ERROR, None)
    assert states.executing  # results of other cameras still come
    assert states.fault() == ()
    assert numbers(states.recover()) == [340, 680]
    assert states.automatic is State.CONTINUOUS_EXECUTION


def test_an_error_of_a_line_that_waits_leads_back_to_where_it_waited():
    states = VisionStates()
    states.select_mode_automatic()
    states.fault()
    assert not states.executing
    assert numbers(states.recover()) == [340]
    assert states.automatic is State.INITIALIZED


def test_an_error_before_operation():
    states = VisionStates()
    assert numbers(states.fault()) == [130]
    assert numbers(states.recover()) == [310]
    assert states.top is State.PREOPERATIONAL


def test_a_reset_does_not_hide_a_fault_that_lasts():
    states = VisionStates()
    states.begin()
    states.fault()
    assert numbers(states.reset()) == [311, 130]
    assert states.top is State.ERROR
    assert not states.executing


def test_a_halted_line_takes_nothing_but_a_reset():
    states = VisionStates()
    states.begin()
    assert numbers(states.halt()) == [421]
    assert states.halt() == states.fault() == states.recover() == ()
    for method in (states.select_mode_automatic, states.start_continuous, states.stop):
        with pytest.raises(WrongStateError):
            method()
    assert numbers(states.reset()) == [211]


@pytest.mark.parametrize(
    "name",
    ["begin", "select_mode_automatic", "start_single_job", "start_continuous", "prepare_recipe"],
)
def test_a_line_that_executes_refuses(name):
    states = VisionStates()
    states.begin()
    with pytest.raises(WrongStateError, match="ContinuousExecution"):
        getattr(states, name)()
    assert states.automatic is State.CONTINUOUS_EXECUTION


def test_a_reset_of_a_line_that_was_reset_is_no_error():
    assert VisionStates().reset() == ()


def test_every_walk_ends_in_a_state_of_the_standard():
    """Two thousand calls at random: whatever is not refused follows the table."""
    import random

    chance = random.Random(7)
    states = VisionStates()
    calls = [
        getattr(states, name)
        for name in dir(states)
        if not name.startswith("_") and callable(getattr(states, name))
    ]
    for _ in range(2000):
        before = states.automatic or states.top
        try:
            steps = chance.choice(calls)()
        except WrongStateError:
            assert (states.automatic or states.top) is before
            continue
        for step in steps:
            assert step == TRANSITIONS[step.number]
        assert (states.automatic is None) == (states.top is not State.OPERATIONAL)
