"""The soak made short: what a camera of its own sent is what `edgecl run` counted."""

from __future__ import annotations

import fcntl
import re
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import soak, soak_camera
from benchmarks.soak_plan import (
    FROZEN,
    FROZEN_FRAMES,
    HELD,
    HELD_FRAMES,
    KINDS,
    PASSED_OVER,
    ROUND,
    STILL,
    plan,
)
from tests.runtime.camera.genicam.test_aravis import why_not


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(soak, "EVERY_S", 0.2)
    monkeypatch.setattr("sys.argv", ["soak.py", *arguments, "--budget-ms", "2000"])
    soak.main()


def test_faults_that_were_sent_are_those_that_are_counted(
    tmp_path, make_bundle, monkeypatch, capfd
):
    make_bundle(tmp_path / "tiny.edgecl")
    run(monkeypatch, "--model", str(tmp_path / "tiny.edgecl"), "--frames", "420", "--fps", "50")
    printed = capfd.readouterr().out
    found = re.search(r"sent 420 frames, captured (\d+) = .* faulty; (\d+) passed over", printed)
    assert found
    assert int(found[1]) + int(found[2]) == 420
    counts = _counts(printed)
    assert set(counts) == set(KINDS)
    # A busy machine passes frames over, and with them faults.
    assert all(counted <= sent for sent, counted in counts.values()), printed
    assert sum(counted for _, counted in counts.values()) > 0
    assert sum(sent for sent, _ in counts.values()) == 47
    assert f"{found[1]} verdicts, 0 frames have more than one" in printed


def test_a_gige_camera_misses_triggers_and_its_clock_jumps(
    tmp_path, make_bundle, monkeypatch, capfd
):
    if why_not():
        pytest.skip(why_not())
    make_bundle(tmp_path / "tiny.edgecl")
    with open(Path(tempfile.gettempdir()) / "edgecl-fake-camera.lock", "w") as port:
        fcntl.flock(port, fcntl.LOCK_EX)  # a GigE camera's port is fixed
        arguments = ("--model", str(tmp_path / "tiny.edgecl"), "--frames", "250", "--fps", "25")
        run(monkeypatch, "--gige", *arguments)
    printed = capfd.readouterr().out
    assert re.search(r"sent 250 frames, captured 250 = .* faulty; 0 passed over", printed), printed
    counts = _counts(printed)
    assert {"missed-trigger", "clock", "damaged", "repeated"} < set(counts)
    for kind in ("missed-trigger", "clock"):
        sent, counted = counts[kind]
        assert sent == counted > 2, printed


def _counts(printed: str) -> dict[str, tuple[int, int]]:
    found = re.findall(r"^(\S+): sent (\d+), counted (\d+) ", printed, re.MULTILINE)
    return {kind: (int(sent), int(counted)) for kind, sent, counted in found}


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_camera_sends_what_is_planned(share, monkeypatch):
    monkeypatch.setattr(soak_camera, "DRAWN", 40)
    asked: list[str] = []
    camera = soak_camera.FailingCamera(100, 1e9, share, ask=asked.append)
    sent: list[bytes] = []
    camera.stream(sent.append)
    assert asked == ["begin"]
    assert camera.sent()["frames"] == len(sent) == 100
    counts = camera.sent()["counts"]
    assert counts == {kind: n for kind, n in Counter(plan(100, share)).items() if kind in KINDS}
    assert set(counts) == (set(KINDS) if share else set())


def test_faults_stand_alone_between_good_frames_and_are_as_many_as_asked_for():
    kinds = plan(10 * ROUND, 0.1)
    counts = Counter(kinds)
    assert counts[FROZEN] == 10 * FROZEN_FRAMES
    held = counts[HELD] // HELD_FRAMES * PASSED_OVER
    assert sum(counts[kind] for kind in KINDS) + counts[FROZEN] + held == pytest.approx(1000, 0.02)
    for kind in KINDS:
        assert counts[kind] == counts[KINDS[0]] > 50
    broken = {*KINDS, STILL, FROZEN, HELD}
    alone = [row for row, kind in enumerate(kinds) if kind in KINDS]
    assert not [row for row in alone if broken & {kinds[row - 1], kinds[row + 1]}]
