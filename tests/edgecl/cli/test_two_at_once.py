"""Commands that start in the same second, and places that cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.cli.train.command import place_of_run
from edgecl.learning.config import TrainConfig
from runtime.files.output_folder import own_folder
from tests.edgecl.command import start

FEW = ["--frames", "6", "--warmup", "1", "--frame-size", "40x60", "--engine", "onnxruntime"]


@pytest.fixture
def workplace(make_bundle, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "tiny.edgecl")
    return tmp_path


def at_once(count: int, *arguments: object) -> list[tuple[int, str]]:
    processes = [
        start(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(count)
    ]
    ended = [(process.communicate(timeout=300)[1], process) for process in processes]
    return [(process.returncode, err) for err, process in ended]


def test_streams_that_start_at_once_each_have_their_files(workplace):
    command = ["run", "--camera", "demo", "--fps", "300", "--frames", "9", "--every-frame"]
    assert [code for code, _ in at_once(3, *command, "--engine", "onnxruntime")] == [0, 0, 0]
    folders = list(Path("streams").iterdir())
    assert len(folders) == 3
    for folder in folders:
        assert len((folder / "verdicts.jsonl").read_text().splitlines()) == 9
        assert json.loads((folder / "summary.json").read_text())["judged"] == 9


def test_benches_have_a_folder_each_and_replace_nothing(workplace):
    assert [code for code, _ in at_once(2, "bench", "tiny.edgecl", *FEW)] == [0, 0]
    assert len(list(Path("bench").glob("*/latency.json"))) == 2
    assert len(list(Path("bench").glob("*/latency.html"))) == 2


@pytest.mark.usefixtures("page_left_out")
def test_a_bench_by_its_own_name_is_replaced(workplace):
    for frames in ("6", "7"):
        command = ["bench", "tiny.edgecl", *FEW, "--frames", frames, "--out", "mine"]
        assert edgecl(command) == 0
    assert json.loads(Path("mine/latency.json").read_text())["scenario"]["frames"] == 7


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--camera", "demo"],
        ["bench", "tiny.edgecl"],
        ["train", "--method", "none"],
        ["demo"],
    ],
)
def test_a_folder_that_another_process_writes_is_refused_before_the_work(workplace, capfd, command):
    with own_folder(Path("busy")):
        assert edgecl([*command, "--out", "busy"]) == 2
    err = capfd.readouterr().err
    assert err == (
        "edgecl: another process is writing busy; "
        "choose another --out, or wait until it has finished [input]\n"
    )
    assert not Path("busy").exists()


def test_a_run_that_goes_on_elsewhere_is_not_resumed(trained_run, tmp_path, capfd):
    unfinished = tmp_path / "run"
    unfinished.mkdir()
    for name in ("config.json", "checkpoint.pt"):
        (unfinished / name).write_bytes((trained_run / name).read_bytes())
    with own_folder(unfinished):
        assert edgecl(["train", "--resume", "--out", str(unfinished)]) == 2
    assert "another process is writing" in capfd.readouterr().err


def test_two_trainings_of_one_name_are_one_training_that_goes_on_without_its_streams(
    class_folders, tmp_path
):
    quick = ["--image-size", "32x32", "--method", "none", "--epochs", "1", "--batch-size", "16"]
    out = tmp_path / "run"
    command = ["train", "--data", class_folders, *quick, "--autocast", "off", "--out", out]
    with open("/dev/full", "w") as full:
        both = [start(*command, stdout=full, stderr=subprocess.PIPE) for _ in range(2)]
    while all(process.poll() is None for process in both):
        time.sleep(0.05)
    # On a crowded machine the second may come when the first has finished.
    refused, other = sorted(both, key=lambda process: process.poll() != 2)
    assert other.stderr is not None
    if other.poll() is None:
        other.stderr.close()  # its reader goes away in the middle of the work
    lines = refused.communicate(timeout=300)[1].splitlines()
    told = [line for line in lines if line.startswith("edgecl: ")]
    assert len(told) == 1
    assert "another process is writing" in told[0] or "already exists" in told[0]
    assert (refused.wait(timeout=300), other.wait(timeout=300)) == (2, 0)
    assert (out / "result.json").is_file()
    assert (out / "report.html").is_file()


def test_trainings_without_a_name_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with place_of_run(TrainConfig(), None) as one, place_of_run(TrainConfig(), None) as other:
        assert sorted(Path("runs").iterdir()) == sorted((one, other))
        assert one != other


@pytest.fixture
def images(workplace) -> str:
    Path("set").mkdir()
    for number in range(3):
        image = np.random.default_rng(number).integers(0, 256, (60, 60), np.uint8)
        cv2.imwrite(f"set/{number}.png", image)
    return "set"


def test_an_audit_replaces_groups_only_where_they_were_named(images, capsys):
    Path("groups.csv").write_text("by hand")
    assert edgecl(["audit", images]) == 2
    err = capsys.readouterr().err
    assert err == (
        "edgecl: groups.csv already exists; "
        "pass it with --out to replace it, or choose another file [input]\n"
    )
    assert Path("groups.csv").read_text() == "by hand"
    assert edgecl(["audit", images, "--out", "groups.csv"]) == 0
    assert Path("groups.csv").read_text().startswith("file,group")


def test_an_audit_that_fails_leaves_no_table(workplace):
    Path("empty").mkdir()
    assert edgecl(["audit", "empty"]) == 2
    assert not Path("groups.csv").exists()


def test_a_place_that_cannot_be_written_is_found_before_the_work(images, monkeypatch, capsys):
    def worked(*_: object, **__: object) -> None:
        raise AssertionError("it was measured all the same")

    monkeypatch.setattr("runtime.benchmark.run_benchmark", worked)
    monkeypatch.setattr("edgecl.data.audit.sets.read_sets", worked)
    monkeypatch.setattr("edgecl.learning.runner.train_run", worked)
    Path("file").write_text("in the way")
    assert edgecl(["bench", "tiny.edgecl", "--out", "file/o"]) == 2
    assert edgecl(["audit", images, "--out", "file/groups.csv"]) == 2
    assert edgecl(["audit", images, "--out", os.devnull]) == 2
    assert edgecl(["train", "--out", "file/run"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" file")[0] for line in lines] == [
        "edgecl: cannot write",
        "edgecl: cannot write",
        "edgecl: /dev/null is not a",
        "edgecl: cannot write",
    ]
