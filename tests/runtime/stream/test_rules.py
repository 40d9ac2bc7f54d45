"""From a model's answers to what goes out."""

from __future__ import annotations

import random

import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.errors import InputError
from runtime.stream.rules import (
    Debounce,
    Rules,
    debounced,
    parse_debounce,
    parse_threshold,
    parse_thresholds,
)
from runtime.stream.verdict import Decision, Status, decide
from tests.runtime.stream.test_pipeline import FakeCamera, FakeSession, ended, images, stream

CONTRACT = ModelContract(InputContract(8, 8), ("clean", "scratch", "pit"), ("clean",))
SIGNS = {"p": Status.PASS, "r": Status.REJECT, "u": Status.UNSURE, "l": Status.LATE}


def sent(answers: str, rule: Debounce) -> str:
    recent: tuple[bool, ...] = ()
    out = ""
    for sign in answers:
        decision, recent = debounced(Decision(SIGNS[sign], "scratch", 0.9), recent, rule)
        out += decision.status.value[0]
        assert len(recent) <= rule.window
    return out


@pytest.mark.parametrize(
    ("rule", "answers", "out"),
    [
        (Debounce(2, 3), "rpprprrppr", "ppppprrppp"),
        (Debounce(2, 3), "rprpprpp", "pprppppp"),
        (Debounce(1, 1), "rprpu", "rprpu"),
        (Debounce(1, 3), "rprpu", "rprpu"),
        (Debounce(3, 3), "rrrrprrr", "pprrpppr"),
        (Debounce(2, 2), "ruruulrr", "pupuulpr"),
    ],
)
def test_a_reject_goes_out_if_n_of_the_last_m_were_rejects(rule, answers, out):
    assert sent(answers, rule) == out


def test_any_sequence_goes_out_as_counting_says():
    chance = random.Random(3)
    for _ in range(200):
        window = chance.randint(1, 6)
        rule = Debounce(chance.randint(1, window), window)
        answers = "".join(chance.choices("prul", k=30))
        counted = [answers[max(0, at - window + 1) : at + 1].count("r") for at in range(30)]
        wanted = [
            "p" if sign == "r" and rejects < rule.needed else sign
            for sign, rejects in zip(answers, counted, strict=True)
        ]
        assert sent(answers, rule) == "".join(wanted)


def test_a_reject_that_is_held_back_keeps_its_answer():
    given = Decision(Status.REJECT, "scratch", 0.9)
    held, _ = debounced(given, (False, False), Debounce(2, 3))
    assert (held.status, held.answer) == (Status.PASS, Status.REJECT)
    assert (held.label, held.confidence) == ("scratch", 0.9)
    assert held.reason == "1 of the last 3 frames rejected; 2 needed"
    sent_out, _ = debounced(given, (True, False), Debounce(2, 3))
    assert sent_out == given


def test_a_label_with_a_threshold_of_its_own():
    probabilities = np.array([0.2, 0.7, 0.1], np.float32)
    assert decide(probabilities, CONTRACT, 0.5, {"scratch": 0.8}).status is Status.UNSURE
    assert decide(probabilities, CONTRACT, 0.9, {"scratch": 0.6}).status is Status.REJECT
    assert decide(probabilities, CONTRACT, 0.5, {"clean": 0.8}).status is Status.REJECT


def test_pass_labels_take_the_place_of_the_contracts():
    applied = Rules(pass_labels=("pit",)).applied_to(CONTRACT)
    assert applied.pass_labels == ("pit",)
    assert Rules().applied_to(CONTRACT) == CONTRACT
    for rules in (Rules(pass_labels=("good",)), Rules(unsure_below_of={"good": 0.5})):
        with pytest.raises(InputError, match="no label 'good'; choose from clean, scratch, pit"):
            rules.applied_to(CONTRACT)


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "2/3/4", "a/b", "-1/2", "1/1001", "2.0/3"])
def test_what_is_no_debounce_is_refused(text):
    with pytest.raises(InputError, match="is not N"):
        parse_debounce(text)
    assert parse_debounce(" 2 / 3 ") == Debounce(2, 3)


@pytest.mark.parametrize("text", ["", "x", "1.1", "-0.1", "nan", "a=", "a=2", "=0.5", "inf"])
def test_what_is_no_threshold_is_refused(text):
    with pytest.raises(InputError, match="is not a number from 0 to 1"):
        parse_threshold(text)


def test_thresholds_of_all_and_of_single_labels():
    assert parse_thresholds(["0.7", "a=b=0.2", "c=1"]) == (0.7, {"a=b": 0.2, "c": 1.0})
    assert parse_thresholds(["c=1"]) == (0.5, {"c": 1.0})
    with pytest.raises(InputError, match="least confidence of c is given twice"):
        parse_thresholds(["c=1", "c=0.5"])


def test_a_stream_holds_lone_rejects_back_and_counts_them():
    answers = {0: "r", 3: "r", 4: "r", 5: "r"}
    session = FakeSession()

    def work(call: int) -> None:
        bad = 0.9 if answers.get(call) else 0.1
        session.answer = np.array([[1 - bad, bad]], np.float32)

    session._work = work
    pixels: list[object] = [*images(4), None, *images(2)]  # a damaged frame takes a place
    pipeline, sink = stream(FakeCamera(pixels), session, debounce=Debounce(2, 3))
    snapshot = ended(pipeline)
    assert sink.statuses == ["pass", "pass", "pass", "pass", "fault", "reject", "reject"]
    held = [verdict.line() for verdict in sink.verdicts if verdict.decision.answer]
    assert [(line.frame, line.label, line.answer) for line in held] == [
        (0, "bad", "reject"),
        (3, "bad", "reject"),
    ]
    assert snapshot.held_back == 2
    assert snapshot.statuses["pass"] == 4
    assert snapshot.balanced
