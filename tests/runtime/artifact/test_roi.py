"""Region of interest: its one form, and its place in the contract."""

from __future__ import annotations

import json

import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.roi import Roi, parse_roi
from runtime.errors import InputError

ROI = Roi(left=3, top=5, width=20, height=10)


def test_the_form_and_back():
    assert parse_roi("3,5,20,10") == ROI
    assert parse_roi(" 3, 5 ,20, 10 ") == ROI
    assert parse_roi(str(ROI)) == ROI
    assert ROI.size == (10, 20)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3,5,20",
        "3,5,20x10",
        "3,5,20,10,1",
        "a,b,c,d",
        "-1,0,4,4",
        "0,0,0,4",
        "0,0,4,0",
        "1.5,0,4,4",
        "٣,5,20,10",
        "1234567,0,4,4",
        "3;5;20;10",
    ],
)
def test_what_is_no_region_is_refused_with_the_form(text):
    with pytest.raises(InputError, match="LEFT,TOP,WIDTH,HEIGHT"):
        parse_roi(text)


@pytest.mark.parametrize(
    ("size", "fits"), [((15, 23), True), ((100, 100), True), ((14, 23), False), ((15, 22), False)]
)
def test_a_frame_reaches_over_all_of_it_or_not(size, fits):
    assert ROI.fits(size) is fits


def test_the_contract_carries_it_word_for_word():
    contract = ModelContract(InputContract(8, 8, roi=ROI), ("a", "b"))
    text = json.loads(json.dumps(contract.to_json()))
    assert text["input"]["roi"] == {"left": 3, "top": 5, "width": 20, "height": 10}
    assert ModelContract.from_json(text, where="here") == contract
    record = contract.record().input.roi
    assert record is not None
    assert (record.left, record.height) == (3, 10)


def test_a_contract_of_before_has_none():
    text = ModelContract(InputContract(8, 8), ("a", "b")).to_json()
    del text["input"]["roi"]
    assert ModelContract.from_json({**text, "schema": 3}, where="old").input.roi is None


@pytest.mark.parametrize(
    "roi", [{"left": 1}, "0,0,4,4", [0, 0, 4, 4], {"left": 0, "top": 0, "width": 0, "height": 1}]
)
def test_a_damaged_region_in_a_contract_is_one_line(roi):
    text = ModelContract(InputContract(8, 8), ("a", "b")).to_json()
    text["input"]["roi"] = roi
    with pytest.raises(InputError):
        ModelContract.from_json(text, where="here")
