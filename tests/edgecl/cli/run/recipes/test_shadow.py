"""`edgecl run --shadow` as a user calls it, and a second model that is too slow."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edgecl.cli.shell import run
from runtime.camera.base import Frame
from runtime.errors import InputError
from runtime.stream.answering.answerer import Answerer
from runtime.stream.answering.shadow import FILE, Shadow
from runtime.stream.rules import Rules
from runtime.stream.verdict import Decision, Status, Verdict
from tests.edgecl.cli.run.judging import write_parts
from tests.runtime.stream.test_pipeline import PATIENCE, FakeSession

ARGUMENTS = ["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o", "--json"]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    make_bundle(tmp_path / "first.edgecl")
    make_bundle(tmp_path / "second.edgecl", pass_labels=("middle", "bright"))
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path / "parts", [40, 128, 215])
    return tmp_path


def test_disagreements_are_listed_with_both_answers_and_counted(workplace, capsys):
    fps = ["--fps", "4"]  # so that the second model is not busy
    models = ["--model", "first.edgecl", "--shadow", "second.edgecl"]
    assert run([*ARGUMENTS, *models, *fps]) == 0
    summary = json.loads(capsys.readouterr().out)
    account = summary["shadow"]
    found = account["comparison"]
    assert (found["frames"] + account["dropped"], summary["judged"]) == (3, 3)
    lines = [json.loads(line) for line in Path("o", FILE).read_text().splitlines()]
    assert found["changes"] == {"reject to pass": 1}
    assert found["least"] < found["share"] < found["most"]
    (line,) = lines
    assert (line["frame"], line["name"]) == (1, "1.png")
    assert (line["first"]["status"], line["second"]["status"]) == ("reject", "pass")
    assert line["first"]["label"] == line["second"]["label"] == "middle"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--shadow", "none.edgecl"], "no bundle found at none.edgecl"),
        (["--shadow", "second.edgecl", "--pass-label", "bright", "--recipe", "7=x"], "--shadow is"),
    ],
)
def test_a_shadow_that_cannot_be_opened_is_refused_before_the_stream(
    workplace, capsys, arguments, told
):
    models = [] if "--recipe" in arguments else ["--model", "first.edgecl"]
    assert run([*ARGUMENTS, *models, *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not Path("o").exists()


def verdict(number: int) -> tuple[Frame, Verdict]:
    now = time.monotonic_ns()
    frame = Frame(number, np.zeros((16, 16), np.uint8), now, now)
    return frame, Verdict(number, 0, 0, Decision(Status.PASS, "good", 0.9), {"total": 1})


def shadow_of(session: FakeSession, folder: Path) -> Shadow:
    """A second model that judges by the usual rules."""
    return Shadow(
        lambda: (session, Answerer(session, Rules())),
        model="m",
        digest="d",
        run="r",
        folder=folder,
    )


def test_other_rules_of_the_stream_hold_for_the_second_model_too(tmp_path):
    session = FakeSession()
    session.answer = np.array([[0.9, 0.1]], np.float32)
    shadow = shadow_of(session, tmp_path)
    with pytest.raises(InputError):
        shadow.change(Rules(pass_labels=("shiny",)))
    shadow.change(Rules(unsure_below=0.95))
    shadow.take(*verdict(0))
    shadow.close()
    assert shadow.account().comparison.changes == {"pass to unsure": 1}


def test_a_second_model_that_hangs_holds_nobody_up_and_drops_what_comes(tmp_path):
    entered, release = threading.Event(), threading.Event()

    def work(call: int) -> None:
        entered.set()
        assert release.wait(PATIENCE)

    session = FakeSession(work)
    shadow = shadow_of(session, tmp_path)
    shadow.take(*verdict(0))
    assert entered.wait(PATIENCE)
    for number in range(1, 6):
        shadow.take(*verdict(number))  # returns, though the model does not
    assert shadow.account().dropped == 4
    release.set()
    shadow.close()
    account = shadow.account()
    assert (account.comparison.frames, account.dropped) == (2, 4)
    assert not (tmp_path / FILE).exists()


def test_a_frame_that_the_second_model_cannot_answer_is_counted_and_the_next_is_answered(tmp_path):
    def work(call: int) -> None:
        if call == 0:
            raise RuntimeError("a kernel")

    session = FakeSession(work)
    session.answer = np.array([[0.2, 0.8]], np.float32)
    shadow = shadow_of(session, tmp_path)
    shadow.take(*verdict(0))
    until = time.monotonic() + PATIENCE
    while not shadow.account().failed and time.monotonic() < until:
        time.sleep(0.005)
    shadow.take(*verdict(1))
    shadow.close()
    account = shadow.account()
    assert (account.failed, "a kernel" in account.problem) == (1, True)
    assert account.comparison.changes == {"pass to reject": 1}
    assert json.loads((tmp_path / FILE).read_text())["id"] == "r/1"
    with pytest.raises(InputError, match="already exists"):
        Shadow(
            lambda: (session, Answerer(session, Rules())),
            model="m",
            digest="d",
            run="r",
            folder=tmp_path,
        )
