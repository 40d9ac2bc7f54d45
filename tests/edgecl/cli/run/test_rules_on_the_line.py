"""Rules, the fail-safe status and real-time terms of `edgecl run` on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from runtime.session.base import Session
from runtime.stream.capture.handover import Ticket
from runtime.stream.watchdog import Watchdog
from tests.edgecl.cli.run.judging import ARGUMENTS, judged, write_parts
from tests.novelty import add_novelty

LEVELS = (40, 215, 215, 40, 40, 128)


@pytest.fixture
def base(tmp_path: Path, monkeypatch, make_bundle) -> list[str]:
    """Arguments that judge six images: dark, bright, bright, dark, dark, middle."""
    add_novelty(make_bundle(tmp_path / "tiny.edgecl"), limits={"fp32": 9.0})
    write_parts(tmp_path / "parts", LEVELS)
    monkeypatch.chdir(tmp_path)
    return [*ARGUMENTS]


def test_labels_that_pass_and_thresholds_by_label(base, capsys):
    cv2.imwrite("parts/6.png", np.full((40, 60), 173, np.uint8))  # bright, if barely
    rules = ["--pass-label", "dark", "--pass-label", "middle", "--unsure-below", "bright=0.95"]
    summary, lines = judged(capsys, [*base, *rules])
    statuses = [line["status"] for line in lines]
    assert statuses == ["pass", "reject", "reject", "pass", "pass", "pass", "unsure"]
    assert summary["pass_labels"] == ["dark", "middle"]
    assert (summary["unsure_below"], summary["unsure_below_of"]) == (0.5, {"bright": 0.95})


def test_without_rules_the_summary_names_the_bundles(base, capsys):
    summary, lines = judged(capsys, base)
    assert summary["pass_labels"] == ["bright"]
    assert (summary["debounce"], summary["held_back"], summary["on_late"]) == (None, 0, "late")
    assert (summary["late"], summary["late_answers"], summary["realtime"]) == (0, {}, None)
    assert not any({"late", "answer"} & set(line) for line in lines)


def test_limits_of_the_health_checks(base, capsys):
    Path("line.toml").write_text("[camera.health-limit]\ndark-below = 0.2\n")
    summary, lines = judged(capsys, [*base, "--config", "line.toml"])
    assert [line["status"] == "fault" for line in lines] == [level == 40 for level in LEVELS]
    assert summary["health"]["dark"] == LEVELS.count(40)
    Path("o").rename("first")
    summary, _ = judged(capsys, [*base, "--config", "line.toml", "--health-limit", "dark-below=0"])
    assert summary["health"]["dark"] == 0


def test_wrong_limits_of_the_health_checks(base, capsys):
    Path("line.toml").write_text("[camera.health-limit]\ndark-below = 2\n")
    assert run([*base, "--config", "line.toml"]) == 2
    message = capsys.readouterr().err
    assert "line.toml:2: camera.health-limit.dark-below" in message
    assert "not a share from 0 to 1" in message
    assert run([*base, "--health", "off", "--health-limit", "dark-below=0.1"]) == 2
    assert "a health limit has no effect with --health off" in capsys.readouterr().err


def test_debounce(base, capsys):
    summary, lines = judged(capsys, [*base, "--debounce", "2/2"])
    sent = [(line["status"], line.get("answer")) for line in lines]
    passed, held, rejected = ("pass", None), ("pass", "reject"), ("reject", None)
    assert sent == [held, passed, passed, held, rejected, rejected]
    assert lines[0]["label"] == "dark"
    assert lines[0]["reason"] == "1 of the last 2 frames rejected; 2 needed"
    assert (summary["debounce"], summary["held_back"]) == ("2/2", 2)


def test_late_frames_get_the_fail_safe_status_and_their_answers_are_kept(base, capsys, monkeypatch):
    infer = Session.infer_timed
    watch = Watchdog.watch
    pending: list[Ticket] = []

    def noting(watchdog, ticket):
        pending.append(ticket)
        watch(watchdog, ticket)

    monkeypatch.setattr(Watchdog, "watch", noting)

    def slow(session, batch):
        while pending and not pending[-1].settled:  # until the watchdog has spoken
            os.sched_yield()
        return infer(session, batch)

    monkeypatch.setattr(Session, "infer_timed", slow)
    base.remove("--json")
    assert run([*base, "--budget", "total=30ms", "--on-late", "reject"]) == 0
    out = capsys.readouterr().out
    assert "late 6, sent as reject" in out
    lines = [json.loads(line) for line in Path("o/verdicts.jsonl").read_text().splitlines()]
    assert {(line["status"], line["late"]) for line in lines} == {("reject", True)}
    answers = [json.loads(line) for line in Path("o/late.jsonl").read_text().splitlines()]
    assert answers
    assert all(line["late"] and line["label"] for line in answers)
    summary = json.loads(Path("o/summary.json").read_text())
    assert (summary["on_late"], summary["late"], summary["budget_misses"]) == ("reject", 6, 6)
    assert sum(summary["late_answers"].values()) == len(answers)


def test_no_file_of_late_answers_where_there_are_none(base, capsys):
    judged(capsys, [*base, "--budget", "total=100s"])
    assert sorted(path.name for path in Path("o").iterdir()) == [
        "config.toml",
        "summary.json",
        "verdicts.jsonl",
    ]


def test_an_earlier_streams_file_is_refused_and_nothing_is_left_beside_it(base, capsys):
    Path("o").mkdir()
    for name in ("late.jsonl", "verdicts.jsonl"):
        Path("o", name).touch()
        assert run([*base, "--budget", "total=1s"]) == 2
        assert f"o/{name} already exists" in capsys.readouterr().err
        assert [path.name for path in Path("o").iterdir()] == [name]
        Path("o", name).unlink()


def test_late_parts_that_pass_are_a_note(base, capsys):
    summary, _ = judged(capsys, [*base, "--budget", "total=100s", "--on-late", "pass"])
    assert "note: --on-late pass lets parts go that were not judged in time" in summary["notes"]


def test_cores_are_in_the_summary(base, capsys):
    core = min(os.sched_getaffinity(0))
    summary, _ = judged(capsys, [*base, "--cpus", str(core)])
    assert summary["realtime"] == {"memory_locked": False, "scheduling": None, "cpus": [core]}
    assert summary["notes"] == []


def test_a_refused_core_is_a_note_and_the_stream_runs(base, capsys):
    summary, _ = judged(capsys, [*base, "--cpus", "4095"])
    assert summary["realtime"]["cpus"] is None
    assert summary["notes"] == ["note: --cpus 4095 was refused (this machine has no core 4095)"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--debounce", "3/2"], "--debounce '3/2' is not N of M frames"),
        (["--unsure-below", "2"], "--unsure-below '2' is not a number from 0 to 1"),
        (["--unsure-below", "0.1", "--unsure-below", "0.2"], "of all labels is given twice"),
        (["--unsure-below", "good=0.1"], "--unsure-below: the model has no label 'good'; choose"),
        (["--pass-label", "good"], "--pass-label: the model has no label 'good'; choose from dark"),
        (["--pass-label", ""], "--pass-label '' is empty"),
        (["--on-late", "reject"], "--on-late speaks at the deadline of a total budget, but none"),
        (["--on-late", "pass", "--budget", "infer=1ms"], "--on-late speaks at the deadline"),
        (["--on-late", "fault"], "'fault' is not one of"),
        (["--cpus", "x"], "--cpus 'x' is not a list of cores"),
        (["--sink", "jsonl:late.jsonl"], "the stream itself writes o/late.jsonl"),
        (["--sink", "jsonl:config.toml"], "the stream itself writes o/config.toml"),
    ],
)
def test_mistakes(base, capsys, arguments, told):
    base.remove("--json")
    assert run([*base, *arguments]) == 2
    assert told in capsys.readouterr().err.strip().splitlines()[-1]
    assert not Path("o").exists()
