"""From probabilities to what a machine beside the line acts on."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.stream.verdict import Decision, Status, Verdict, decide

CONTRACT = ModelContract(InputContract(8, 8), ("clean", "scratch", "pit"), ("clean",))


@pytest.mark.parametrize(
    ("probabilities", "status", "label"),
    [
        ((0.9, 0.06, 0.04), Status.PASS, "clean"),
        ((0.1, 0.8, 0.1), Status.REJECT, "scratch"),
        ((0.5, 0.3, 0.2), Status.PASS, "clean"),
        ((0.49, 0.31, 0.2), Status.UNSURE, "clean"),
        ((0.3, 0.3, 0.4), Status.UNSURE, "pit"),
    ],
)
def test_labels_pass_reject_or_are_unsure(probabilities, status, label):
    decision = decide(np.array(probabilities, np.float32), CONTRACT, 0.5)
    assert (decision.status, decision.label) == (status, label)
    assert decision.confidence == pytest.approx(max(probabilities))


@pytest.mark.parametrize(
    "probabilities",
    [(np.nan, 0.5, 0.5), (0.9, np.nan, 0.1), (np.inf, 0, 0), (1, -np.inf, 0), (0.5, 0.5)],
)
def test_what_is_no_probability_is_a_fault(probabilities):
    decision = decide(np.array(probabilities, np.float32), CONTRACT, 0.5)
    assert decision.status is Status.FAULT
    assert decision.label == ""
    assert decision.reason


def test_without_pass_labels_nothing_passes():
    contract = ModelContract(InputContract(8, 8), ("a", "b"))
    assert decide(np.array([1, 0], np.float32), contract, 0.0).status is Status.REJECT


def test_a_verdict_line_is_json_with_utc_time():
    verdict = Verdict(
        3, 5, 1_700_000_000_123_456_789, Decision(Status.LATE, reason="why"), {"total": 9}, "a.png"
    )
    line = json.loads(msgspec.json.encode(verdict.line()))
    assert line == {
        "schema": 1,
        "frame": 3,
        "captured_at": "2023-11-14T22:13:20.123457Z",
        "captured_ns": 5,
        "status": "late",
        "label": None,
        "confidence": None,
        "steps_ns": {"total": 9},
        "reason": "why",
        "name": "a.png",
    }
