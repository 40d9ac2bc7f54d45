"""What follows `--sink modbus:`, and the map."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.health.faults import OF_A_FRAME
from runtime.stream.plc.address import PlcAddress, parse_plc
from runtime.stream.plc.handshake import HandshakeRules
from runtime.stream.plc.registers import (
    FROM_EDGECL,
    PLC_WRITES,
    REASONS,
    RECIPE_ANSWERS,
    VERDICT_CODES,
    ReasonCode,
    RecipeCode,
    pack,
    unpack,
    width,
)
from runtime.stream.verdict import Status

MS = 1_000_000


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", PlcAddress("127.0.0.1", 502)),
        ("localhost:5020", PlcAddress("127.0.0.1", 5020)),
        ("[::1]:5020", PlcAddress("::1", 5020)),
        ("192.168.0.10:502?frames=every&hold=200ms", PlcAddress("192.168.0.10", 502)),
    ],
)
def test_addresses(text, address):
    found = parse_plc(text)
    assert (found.host, found.port) == (address.host, address.port)


def test_rules_of_an_address():
    rules = parse_plc("127.0.0.1?after=40ms&wait=2s&hold=500ms").rules
    assert rules == HandshakeRules(True, 40 * MS, 2000 * MS, 500 * MS)
    assert not parse_plc("127.0.0.1?frames=every").rules.triggered


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no address"),
        (":502", "there is no address"),
        ("0.0.0.0:502", "would answer on every network"),
        ("[::]:502", "would answer on every network"),
        ("plc.local:502", "'plc.local' is not an address in numbers"),
        ("::1:502", "'::1:502' is not HOST:PORT"),
        ("127.0.0.1:", "'' is not a port"),
        ("127.0.0.1:0x1", "'0x1' is not a port"),
        ("127.0.0.1:70000", "'70000' is not a port"),
        ("127.0.0.1:-1", "'-1' is not a port"),
        ("127.0.0.1?", "'' is not an option"),
        ("127.0.0.1?wiat=1s", "'wiat' is not an option"),
        ("127.0.0.1?wait=1", "the unit is missing"),
        ("127.0.0.1?wait=0s", "is not above zero"),
        ("127.0.0.1?wait=", "has no value"),
        ("127.0.0.1?wait=1s&wait=2s", "is there twice"),
        ("127.0.0.1?frames=some", "is not triggered or every"),
        ("127.0.0.1?frames=every&wait=1s", "have no effect with frames=every"),
    ],
)
def test_mistakes_are_told(text, told):
    with pytest.raises(InputError) as raised:
        parse_plc(text)
    assert told in str(raised.value)
    assert raised.value.hint


def test_the_map_has_room_and_a_number_for_everything():
    assert width(PLC_WRITES) <= FROM_EDGECL
    assert set(VERDICT_CODES) == set(Status)
    assert set(REASONS) == set(ReasonCode)
    assert set(RECIPE_ANSWERS) == set(RecipeCode)
    told = {text.split("`")[1] for text in REASONS.values() if text.startswith("health fault")}
    assert told == {fault.value for fault in OF_A_FRAME}


def test_values_of_two_words_have_the_high_one_first():
    values = {field.name: number for number, field in enumerate(PLC_WRITES)}
    words = pack(PLC_WRITES, {**values, "part_id": 0x1234_5678})
    assert words[2:4] == [0x1234, 0x5678]
    assert unpack(PLC_WRITES, words) == {**values, "part_id": 0x1234_5678}
