"""The soak made short: what a camera of its own sent is what `edgecl run` counted."""

from __future__ import annotations

import re

import pytest

from benchmarks import soak, soak_camera


def test_faults_that_were_sent_are_those_that_are_counted(
    tmp_path, make_bundle, monkeypatch, capfd
):
    make_bundle(tmp_path / "tiny.edgecl")
    monkeypatch.setattr(soak, "EVERY_S", 0.2)
    arguments = ["--model", str(tmp_path / "tiny.edgecl"), "--minutes", "0.14", "--fps", "50"]
    monkeypatch.setattr("sys.argv", ["soak.py", *arguments, "--budget-ms", "2000"])
    soak.main()
    printed = capfd.readouterr().out
    found = re.search(r"sent 420 frames, captured (\d+) = .* faulty; (\d+) passed over", printed)
    assert found
    assert int(found[1]) + int(found[2]) == 420
    counts = dict(_counts(printed))
    assert set(counts) == set(soak.FAULTS)
    # A busy machine passes frames over, and with them faults.
    broken = [counts[kind] for kind in soak_camera.KINDS]
    assert all(counted <= sent for sent, counted in broken), printed
    assert sum(counted for _, counted in broken) > 0
    assert sum(sent for sent, _ in broken) == 12
    assert f"{found[1]} verdicts, 0 frames have more than one" in printed


def _counts(printed: str) -> list[tuple[str, tuple[int, int]]]:
    found = re.findall(r"^(\S+): sent (\d+), counted (\d+)$", printed, re.MULTILINE)
    return [(kind, (int(sent), int(counted))) for kind, sent, counted in found]


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_camera_plans_its_faults_alone_between_good_frames(share, monkeypatch):
    monkeypatch.setattr(soak_camera, "DRAWN", 40)
    monkeypatch.setattr(soak_camera, "LEAD", 0)
    camera = soak_camera.FailingCamera(100, 1e9, share)
    sent: list[bytes] = []
    camera.stream(sent.append)
    counts = camera.sent()["counts"]
    assert len(sent) == sum(counts.values()) == 100
    faults = {kind: count for kind, count in counts.items() if kind != "good"}
    assert faults.keys() == (set(soak_camera.KINDS) if share else set())
    assert sum(faults.values()) == 9 * bool(share)
