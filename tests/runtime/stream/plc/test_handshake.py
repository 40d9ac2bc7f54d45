"""The state of the handshake: what a PLC writes and what it then reads. Without a clock."""

from __future__ import annotations

import random
from typing import Any

import pytest

from runtime.stream.plc.handshake import (
    BEAT_NS,
    DEAD_NS,
    MOST_RESULTS,
    HandshakeRules,
    PartResult,
    PlcHandshake,
    successor,
)
from runtime.stream.plc.registers import (
    PLC_READS,
    PLC_WRITES,
    ReasonCode,
    RecipeCode,
    VerdictCode,
    pack,
    places,
    unpack,
    width,
)
from runtime.stream.verdict import Status

MS = 1_000_000
SESSION = 4711
PLACES = {field.name: place for place, field in places(PLC_WRITES, 0)}


class Plc:
    """Writes by name, reads by name; time is in ms."""

    def __init__(self, *, recipes: bool = False, link: bool = True, **rules) -> None:
        self.now = 5000
        self.handshake = PlcHandshake(SESSION, HandshakeRules(**rules), recipes=recipes)
        self.handshake.tick(self.now * MS)
        if link:
            self.write(session=SESSION)

    def write(self, **values: int) -> None:
        """Write fields that stand together, in one request."""
        fields = [field for field in PLC_WRITES if field.name in values]
        self.handshake.write(PLACES[fields[0].name], pack(fields, values), self.now * MS)

    def __getitem__(self, name: str) -> int:
        return unpack(PLC_READS, self.handshake.registers(self.now * MS))[name]

    def trigger(self, part_id: int = 7) -> None:
        self.write(trigger=successor(self["trigger_ack"]), part_id=part_id)

    def judged(self, frame: int, ms: int, status: Status = Status.PASS, **more: Any) -> bool:
        return self.handshake.judged(PartResult(frame, ms * MS, status, **more))

    def run_to(self, ms: int) -> None:
        while self.now < ms:
            self.now += 10
            self.handshake.tick(self.now * MS)


def test_a_part_from_trigger_to_acknowledgement():
    plc = Plc()
    assert (plc["linked"], plc["ready"], plc["results_valid"]) == (1, 1, 0)
    plc.trigger(70_000)
    assert (plc["ready"], plc["trigger_ack"]) == (0, 1)
    assert plc.judged(12, 5003, label=3, confidence=9876)
    said = {name: plc[name] for name in ("results_valid", "sequence", "part_id", "frame")}
    assert said == {"results_valid": 1, "sequence": 1, "part_id": 70_000, "frame": 12}
    assert (plc["verdict"], plc["label"], plc["confidence"]) == (VerdictCode.PASS, 3, 9876)
    assert plc["ready"] == 0
    plc.write(result_ack=1)
    assert (plc["results_valid"], plc["result_acked"], plc["ready"]) == (0, 1, 1)
    assert (plc["verdict"], plc["part_id"], plc["confidence"]) == (VerdictCode.NONE, 0, 0)


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_its_number_and_only_a_pass_is_1(status):
    plc = Plc()
    plc.trigger()
    plc.judged(1, 5001, status)
    assert plc["verdict"] == VerdictCode[status.name]
    assert (plc["verdict"] == 1) == (status is Status.PASS)


def test_without_the_session_nothing_is_taken():
    plc = Plc(link=False)
    assert (plc["linked"], plc["ready"], plc["session"]) == (0, 0, SESSION)
    for session in (0, SESSION - 1, SESSION + 1):
        plc.write(session=session, trigger=1, part_id=7)
        assert (plc["linked"], plc["trigger_ack"], plc["missed_triggers"]) == (0, 0, 0)


def test_what_stands_there_from_an_earlier_session_triggers_nothing():
    # A PLC that writes all its outputs in every cycle, and copies the session itself.
    plc = Plc(link=False, recipes=True)
    for _ in range(3):
        everything = {"trigger": 1, "part_id": 7, "result_ack": 1, "recipe": 2, "recipe_request": 1}
        plc.write(session=SESSION, **everything)
        assert (plc["linked"], plc["ready"]) == (1, 1)
    assert plc.handshake.take_recipe() is None
    assert not plc.judged(1, 5001)
    plc.trigger()
    assert plc["trigger_ack"] == 2


def test_session_0_cancels_what_is_open():
    plc = Plc()
    plc.trigger()
    plc.write(session=0)
    assert not plc.judged(1, 5001)
    plc.write(session=SESSION)
    assert plc["ready"] == 1
    plc.trigger()
    plc.judged(2, 5001)
    plc.write(session=0)
    assert (plc["results_valid"], plc["linked"]) == (0, 0)
    plc.write(session=SESSION)
    assert (plc["ready"], plc["sequence"]) == (1, 0)
    plc.trigger()
    plc.judged(3, 5001)
    assert plc["sequence"] == 2  # no number comes twice in a session


def test_a_trigger_that_comes_twice_is_one():
    plc = Plc()
    for part_id in (7, 7, 8):
        plc.write(trigger=1, part_id=part_id)
    plc.judged(1, 5001)
    assert plc["part_id"] == 7
    plc.write(result_ack=1)
    plc.write(trigger=1, part_id=9)
    assert (plc["ready"], plc["missed_triggers"]) == (1, 0)


@pytest.mark.parametrize("number", [0, 3, 65535])
def test_a_trigger_out_of_turn_is_none(number):
    plc = Plc()
    plc.trigger()
    plc.judged(1, 5001)
    plc.write(result_ack=1)
    plc.write(trigger=number, part_id=9)
    assert (plc["trigger_ack"], plc["ready"], plc["missed_triggers"]) == (1, 1, 0)


def test_a_trigger_while_not_ready_is_missed_once_and_taken_when_it_is_asked_again():
    plc = Plc()
    plc.trigger(7)
    for _ in range(5):
        plc.write(trigger=2, part_id=8)
    assert (plc["trigger_ack"], plc["missed_triggers"]) == (1, 1)
    plc.judged(1, 5001)
    assert plc["part_id"] == 7
    plc.write(result_ack=1)
    assert plc["trigger_ack"] == 1
    plc.write(trigger=2, part_id=8)
    assert plc["trigger_ack"] == 2


def test_numbers_go_round_without_0():
    assert [successor(number) for number in (0, 1, 65534, 65535)] == [1, 2, 65535, 1]
    plc = Plc()
    plc.handshake._trigger_ack = plc.handshake._sequence = 65535
    plc.trigger()
    plc.judged(1, 5001)
    assert (plc["trigger_ack"], plc["sequence"]) == (1, 1)


def test_a_frame_from_before_the_trigger_is_not_its_part():
    plc = Plc(after_ns=20 * MS)
    plc.trigger()
    assert not plc.judged(1, 4999)
    assert not plc.judged(2, 5000)
    assert not plc.judged(3, 5019)
    assert plc.judged(4, 5020)
    assert plc["frame"] == 4
    assert not plc.judged(5, 5027)
    assert plc["frame"] == 4


def test_a_frame_before_any_trigger_is_told_to_nobody():
    plc = Plc()
    assert not plc.judged(1, 5001)
    assert plc["results_valid"] == 0


def test_a_trigger_without_a_frame_is_a_fault():
    plc = Plc(wait_ns=300 * MS)
    plc.trigger(7)
    plc.run_to(5300)
    assert plc["results_valid"] == 0
    plc.run_to(5310)
    assert (plc["verdict"], plc["code"]) == (VerdictCode.FAULT, ReasonCode.NO_FRAME)
    assert plc["part_id"] == 7
    assert not plc.judged(1, 5200)  # its frame came in the end; its part has its result
    plc.write(result_ack=1)
    plc.trigger(8)
    assert not plc.judged(2, 5299)
    assert plc.judged(3, 5310)


def test_a_pass_that_nobody_takes_in_time_is_late():
    plc = Plc(hold_ns=100 * MS)
    plc.trigger()
    plc.judged(1, 5001)
    plc.now = 5101
    assert plc["verdict"] == VerdictCode.PASS
    plc.now = 5102
    assert (plc["verdict"], plc["code"]) == (VerdictCode.LATE, ReasonCode.STALE)
    plc.now = 5050
    assert plc["verdict"] == VerdictCode.LATE
    assert plc.handshake.stale == 1
    plc.write(result_ack=1)
    assert plc["ready"] == 1


def test_a_reject_stays_one():
    plc = Plc(hold_ns=100 * MS)
    plc.trigger()
    plc.judged(1, 5001, Status.REJECT)
    plc.now = 99_999
    assert plc["verdict"] == VerdictCode.REJECT


@pytest.mark.parametrize("sequence", [0, 2, 65535])
def test_an_acknowledgement_of_another_result_acknowledges_nothing(sequence):
    plc = Plc()
    plc.trigger()
    plc.judged(1, 5001)
    plc.write(result_ack=sequence)
    assert plc["results_valid"] == 1


def test_an_acknowledgement_that_stands_there_does_not_take_the_next_result():
    plc = Plc()
    plc.write(result_ack=1)  # before there is one
    plc.trigger()
    plc.judged(1, 5001)
    assert plc["results_valid"] == 1


def test_a_hung_thread_takes_no_trigger():
    plc = Plc()
    plc.now += DEAD_NS // MS
    assert plc["ready"] == 0
    plc.trigger()
    assert (plc["trigger_ack"], plc["missed_triggers"]) == (0, 1)


def test_the_heart_beats_ten_times_a_second():
    plc = Plc()
    before = plc["heartbeat"]
    plc.run_to(6000)
    assert plc["heartbeat"] - before == 1_000_000_000 // BEAT_NS
    plc.handshake._heartbeat = 65535
    plc.run_to(6100)
    assert plc["heartbeat"] == 0


def test_every_frame_has_a_result_in_order_and_what_nobody_takes_goes():
    plc = Plc(triggered=False)
    assert plc["ready"] == 0
    for frame in range(MOST_RESULTS + 3):
        assert plc.judged(frame, 5000 + frame)
    assert plc["overrun"] == 3
    taken = []
    while plc["results_valid"]:
        taken.append((plc["sequence"], plc["frame"]))
        plc.write(result_ack=plc["sequence"])
    assert taken == [(frame + 1, frame) for frame in range(3, MOST_RESULTS + 3)]


def test_every_frame_without_a_plc_is_an_act_that_failed():
    plc = Plc(triggered=False, link=False)
    with pytest.raises(ConnectionError):
        plc.judged(1, 5001)


def test_a_recipe_is_asked_for_and_answered():
    plc = Plc(recipes=True)
    plc.write(recipe=12, recipe_request=1)
    assert (plc["recipe_answered"], plc["recipe_code"]) == (1, RecipeCode.WORKING)
    assert plc["ready"] == 0
    assert plc.handshake.take_recipe() == 12
    assert plc.handshake.take_recipe() is None
    plc.write(recipe=13, recipe_request=2)
    assert plc["recipe_code"] == RecipeCode.NOT_NOW
    plc.handshake.recipe_changed(12, RecipeCode.DONE)
    assert (plc["recipe"], plc["recipe_code"], plc["ready"]) == (12, RecipeCode.DONE, 1)
    plc.write(recipe=14, recipe_request=3)
    plc.handshake.take_recipe()
    plc.handshake.recipe_changed(14, RecipeCode.REFUSED)
    assert (plc["recipe"], plc["recipe_code"]) == (12, RecipeCode.REFUSED)


def test_a_request_that_comes_twice_or_out_of_turn_changes_no_recipe():
    plc = Plc(recipes=True)
    plc.write(recipe=12, recipe_request=5)
    assert plc.handshake.take_recipe() is None
    plc.write(recipe=12, recipe_request=1)
    plc.handshake.take_recipe()
    plc.handshake.recipe_changed(12, RecipeCode.DONE)
    plc.write(recipe=13, recipe_request=1)
    assert plc.handshake.take_recipe() is None


def test_no_recipe_changes_under_an_open_part_or_without_recipes():
    plc = Plc(recipes=True)
    plc.trigger()
    plc.write(recipe=12, recipe_request=1)
    assert plc["recipe_code"] == RecipeCode.NOT_NOW
    plc.judged(1, 5001)
    plc.write(recipe=12, recipe_request=2)
    assert plc["recipe_code"] == RecipeCode.NOT_NOW
    other = Plc()
    other.write(recipe=12, recipe_request=1)
    assert (other["recipe_answered"], other["recipe_code"]) == (1, RecipeCode.NOT_POSSIBLE)
    assert other["ready"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_nonsense_never_makes_a_pass(seed):
    dice = random.Random(seed)
    plc = Plc(recipes=True)
    size = width(PLC_WRITES)
    for frame in range(3000):
        at = dice.randrange(size)
        values = [dice.choice([0, 1, 2, SESSION, 65535]) for _ in range(dice.randint(1, size - at))]
        plc.handshake.write(at, values, plc.now * MS)
        plc.judged(frame, plc.now, dice.choice([Status.REJECT, Status.LATE, Status.FAULT]))
        plc.handshake.take_recipe()
        plc.now += dice.randrange(50)
        plc.handshake.tick(plc.now * MS)
        words = plc.handshake.registers(plc.now * MS)
        assert len(words) == width(PLC_READS)
        assert all(0 <= word <= 65535 for word in words)
        assert plc["verdict"] != VerdictCode.PASS
