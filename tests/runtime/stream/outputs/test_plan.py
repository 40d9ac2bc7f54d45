"""What follows `--sink gpio:`."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.stream.outputs.plan import NOT_PASS, AliveSignal, DigitalOutput, parse_outputs
from runtime.stream.verdict import Status

MS = 1_000_000


def test_a_whole_plan():
    plan = parse_outputs(
        "gpiod:/dev/gpiochip0?out=17,on=reject+unknown,pulse=30ms,delay=1200ticks,active=low"
        "&out=GATE,on=pass,delay=120ms&watchdog=27,every=200ms&ticks=line:5"
    )
    assert (plan.backend, plan.place) == ("gpiod", "/dev/gpiochip0")
    rejects = frozenset({Status.REJECT, Status.UNKNOWN})
    assert plan.outputs == (
        DigitalOutput("17", rejects, 30 * MS, 0, 1200, True),
        DigitalOutput("GATE", frozenset({Status.PASS}), 50 * MS, 120 * MS),
    )
    assert plan.alive == AliveSignal("27", 200 * MS)
    assert plan.ticks == ("line", "5")
    assert plan.lines == {"17": True, "GATE": False, "27": False}


def test_an_output_answers_to_all_but_pass():
    (output,) = parse_outputs("file:lines.txt?out=1").outputs
    assert output.on == NOT_PASS == frozenset(set(Status) - {Status.PASS})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is not a backend"),
        ("/dev/gpiochip0?out=1", "'/dev/gpiochip0' is not a backend"),
        ("gpiod?out=1", "gpiod has no place"),
        ("jetson:x?out=1", "jetson takes no place"),
        ("file:l.txt", "there is no output"),
        ("file:l.txt?", "there is no output"),
        ("file:l.txt?out", "'out' in 'out' has no value"),
        ("file:l.txt?out=", "has no value"),
        ("file:l.txt?out=A B", "there is a blank in out='A B'"),
        ("file:l.txt?out=A\n", "there is a blank in out="),
        ("file:l.txt?out=1,pulse", "'pulse' in 'out=1,pulse' has no value"),
        ("file:l.txt?output=1", "'output' is not a key; did you mean out?"),
        ("file:l.txt?out=1,pluse=3ms", "'pluse' is not a key of out; did you mean pulse?"),
        ("file:l.txt?out=1,pulse=3ms,pulse=4ms", "pulse is twice"),
        ("file:l.txt?out=1&out=1", "the line 1 is there twice"),
        ("file:l.txt?out=1&watchdog=1", "the line 1 is there twice"),
        ("file:l.txt?watchdog=1&watchdog=2", "watchdog is there twice"),
        ("file:l.txt?watchdog=1,on=pass", "'on' is not a key of watchdog"),
        ("file:l.txt?out=1,on=bad", "'bad' is not a status"),
        ("file:l.txt?out=1,on=reject+", "'' is not a status"),
        ("file:l.txt?out=1,pulse=50", "the unit is missing"),
        ("file:l.txt?out=1,pulse=0ms", "not above zero"),
        ("file:l.txt?out=1,pulse=1us", "is not from 1 ms to 60 s"),
        ("file:l.txt?out=1,pulse=99s", "is not from 1 ms to 60 s"),
        ("file:l.txt?out=1,delay=-5ms", "not above zero"),
        ("file:l.txt?out=1,delay=0ticks", "is not from 1 to"),
        ("file:l.txt?out=1,delay=12ticks", "a delay in ticks needs ticks"),
        ("file:l.txt?out=1&ticks=file:c", "has no effect without a delay in ticks"),
        ("file:l.txt?out=1,delay=12ticks&ticks=line:5", "needs a chip"),
        ("file:l.txt?out=1,delay=12ticks&ticks=c", "is not a source of ticks"),
        ("gpiod:/dev/c?out=5,delay=12ticks&ticks=line:5", "the line 5 is there twice"),
        ("file:l.txt?out=1,active=up", "is neither high nor low"),
    ],
)
def test_mistakes_are_told(text, told):
    with pytest.raises(InputError) as raised:
        parse_outputs(text)
    assert told in str(raised.value)
    assert raised.value.hint
