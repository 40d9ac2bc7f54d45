"""`edgecl train` as a user meets it: a mistake is one line, exit code 2, nothing half-made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from msgspec import structs

from edgecl.cli.shell import run as edgecl
from edgecl.cli.train.command import worst_shift_line
from edgecl.learning.findings import ShiftFacts, ShiftReport


def arguments(data, out, *more: str) -> list[str]:
    quick = ["--image-size", "32x32", "--pretrain-epochs", "1", "--epochs", "1"]
    quick += ["--batch-size", "16", "--autocast", "off"]
    return ["train", "--data", str(data), "--out", str(out), *quick, *more]


def one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("edgecl: ")]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


def test_a_run_prints_its_result(class_folders, tmp_path, capfd):
    assert edgecl(arguments(class_folders, tmp_path / "run", "--json")) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["run"] == str(tmp_path / "run")
    assert 0 <= result["accuracy"] <= 1
    assert any("without --groups" in note for note in [result["protocol_note"]])


def test_the_worst_camera_shift_is_one_line():
    shifts = tuple(
        ShiftFacts(name=name, kind="blur", amount=1, accuracy=accuracy, escapes=escapes)
        for name, accuracy, escapes in (("a", 0.7, 0.1), ("b", 0.5, 0.1), ("c", 0.5, 0.25))
    )
    report = ShiftReport(
        images=300,
        of=412,
        shifted="images at the model's size",
        accuracy=0.9,
        escapes=0.02,
        shifts=shifts,
    )
    line = worst_shift_line(report)
    assert "\n" not in line
    for text in ("c, accuracy 50.0%", "90.0%", "300 of 412", "25.0% of the defects", "2.0%"):
        assert text in line
    assert "defects" not in worst_shift_line(structs.replace(report, escapes=None))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--image-size", "big"], "128x800"),
        (["--image-size", "8x8"], "at least 16x16"),
        (["--batch-size", "500"], "fewer than one batch"),
        (["--groups", "/nowhere/groups.csv"], "groups.csv"),
        (["--encoder", "resnet9000"], "convnet"),
        (["--unlabelled", "/nowhere"], "does not exist"),
        (["--roi", "0,0,20x20"], "use LEFT,TOP,WIDTH,HEIGHT in pixels"),
        (["--roi", "0,0,900,20"], "too small for the ROI 0,0,900,20"),
        (["--flat", "/nowhere/f.npz"], "the flat-field /nowhere/f.npz cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(class_folders, tmp_path, capfd, more, expected):
    out = tmp_path / "run"
    assert edgecl(arguments(class_folders, out, *more)) == 2
    assert expected in one_line(capfd.readouterr().err)
    assert not out.exists()


def test_a_missing_data_folder_is_named(tmp_path, capfd):
    assert edgecl(arguments(tmp_path / "nowhere", tmp_path / "run")) == 2
    assert "nowhere does not exist" in one_line(capfd.readouterr().err)


def test_an_output_that_cannot_be_written_is_named(class_folders, tmp_path, capfd):
    (tmp_path / "file").write_text("in the way")
    assert edgecl(arguments(class_folders, tmp_path / "file" / "run")) == 2
    assert "cannot write" in one_line(capfd.readouterr().err)


def test_an_existing_run_is_not_overwritten(trained_run, class_folders, capfd):
    before = (trained_run / "result.json").read_bytes()
    assert edgecl(arguments(class_folders, trained_run)) == 2
    assert "already exists" in one_line(capfd.readouterr().err)
    assert (trained_run / "result.json").read_bytes() == before


def test_resuming_with_another_option_is_refused(trained_run, capfd):
    code = edgecl(["train", "--resume", "--out", str(trained_run), "--epochs", "99"])
    assert code == 2
    assert "--epochs 99 differs from the 8" in one_line(capfd.readouterr().err)


def test_resuming_what_is_finished_prints_it_again(trained_run, capfd):
    assert edgecl(["train", "--resume", "--out", str(trained_run), "--json"]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["labels"] == ["bars", "blob", "posts"]
    assert "finished already" in captured.err


def test_nothing_to_resume(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert edgecl(["train", "--resume"]) == 2
    assert "no unfinished run" in one_line(capfd.readouterr().err)


def test_ctrl_c_ends_with_130_and_the_run_goes_on(class_folders, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "edgecl", *arguments(class_folders, run)]
    command[command.index("--epochs") + 1] = "500"
    command += ["--patience", "500", "--method", "none"]
    # A suite that was started in the background hands an ignored SIGINT down to its children.
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # Long waits: they end a hang, and a crowded machine may take minutes to get here.
    deadline = time.monotonic() + 400
    while not (run / "checkpoint.pt").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 130
    assert "interrupted" in one_line(errors)
    assert not list(run.glob(".*")), "a temporary file was left behind"
    assert not (run / "result.json").exists()
