"""`--tensorboard`: what stands in the event file, read back by TensorBoard's own reader."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.learning.documents import EpochMeasures
from edgecl.learning.run.tensorboard_log import FOLDER, TensorBoardLog, open_log
from edgecl.learning.runner import train_run
from runtime.errors import InputError

HISTORY = [
    EpochMeasures(stage="pretrain", epoch=1, loss=3.5, seconds=2.0),
    EpochMeasures(stage="pretrain", epoch=2, loss=2.5, probe_accuracy=0.5, seconds=4.0),
    EpochMeasures(stage="finetune", epoch=1, val_loss=0.5, lr=1e-3, seconds=1.0),
]


def read(run):
    """Tag to (step, value, wall time) of every point, as they stand in the folder's only file."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (path,) = (run / FOLDER).iterdir()
    found: dict[str, list[tuple[int, float, float]]] = {}
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            point = (event.step, value.tensor.float_val[0], event.wall_time)
            found.setdefault(value.tag, []).append(point)
    return found


def points(run):
    return {tag: [point[:2] for point in line] for tag, line in read(run).items()}


def test_every_measure_of_both_stages_is_a_line_over_its_epochs(tmp_path):
    log = TensorBoardLog(tmp_path, clock=lambda: 1000.0)
    for count in range(1, 4):
        log(HISTORY[:count])
    assert points(tmp_path) == {
        "pretrain/loss": [(1, 3.5), (2, 2.5)],
        "pretrain/probe_accuracy": [(2, 0.5)],
        "pretrain/seconds": [(1, 2.0), (2, 4.0)],
        "finetune/val_loss": [(1, 0.5)],
        "finetune/lr": [(1, pytest.approx(1e-3))],
        "finetune/seconds": [(1, 1.0)],
    }
    assert [time for _, _, time in read(tmp_path)["pretrain/loss"]] == [1000.0, 1004.0]


def test_a_second_process_has_every_step_once_and_in_order(tmp_path):
    first = TensorBoardLog(tmp_path, clock=lambda: 1000.0)
    first(HISTORY[:1])
    first(HISTORY[:2])
    (old,) = (tmp_path / FOLDER).iterdir()
    with open(old, "ab") as stream:
        stream.write(b"half a reco")  # killed while it wrote
    second = TensorBoardLog(tmp_path, clock=lambda: 2000.0)
    second(HISTORY[:1])  # the second epoch was not in the checkpoint
    second(HISTORY[:1])  # nothing new, as at the change of stage
    assert not old.exists()
    second(HISTORY)
    assert points(tmp_path)["pretrain/loss"] == [(1, 3.5), (2, 2.5)]
    assert [time for _, _, time in read(tmp_path)["pretrain/loss"]] == [2000.0, 2004.0]


class KilledError(Exception):
    pass


def test_a_resumed_run_is_logged_whole_and_as_in_metrics(tiny_config, tmp_path, capfd):
    config = replace(tiny_config, epochs=3)
    seen = 0

    def kill(stage: str, *_: object) -> None:
        nonlocal seen
        seen += stage == "fine-tuning"
        if seen == 8:  # of five steps per epoch: in the second
            raise KilledError

    with pytest.raises(KilledError):
        train_run(config, tmp_path, report=kill, log=TensorBoardLog(tmp_path))
    assert edgecl(["train", "--resume", "--out", str(tmp_path)]) == 0  # it has a log: goes on
    capfd.readouterr()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    expected: dict[str, list[tuple[int, Any]]] = {}
    for line in lines:
        for name, value in line.items():
            if name not in ("schema", "stage", "epoch") and value is not None:
                point = (line["epoch"], pytest.approx(value, rel=1e-6))
                expected.setdefault(f"{line['stage']}/{name}", []).append(point)
    assert points(tmp_path) == expected
    assert [step for step, _ in points(tmp_path)["finetune/train_loss"]] == [1, 2, 3]
    assert {"pretrain/loss", "pretrain/lr", "finetune/val_accuracy"} <= set(expected)


def arguments(data, run, *more: str) -> list[str]:
    quick = ["--image-size", "32x32", "--method", "none", "--epochs", "1", "--batch-size", "16"]
    return ["train", "--data", str(data), "--out", str(run), "--autocast", "off", *quick, *more]


def test_the_log_is_written_where_asked_for_and_only_there(class_folders, tmp_path, capfd):
    assert edgecl(arguments(class_folders, tmp_path / "with", "--tensorboard")) == 0
    assert set(points(tmp_path / "with")) >= {"finetune/val_loss", "finetune/train_accuracy"}
    assert open_log(tmp_path / "without", asked_for=False) is None
    assert not (tmp_path / "without").exists()
    capfd.readouterr()


def test_without_the_package_one_line_says_so_before_any_work(
    class_folders, tmp_path, monkeypatch, capfd
):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    run = tmp_path / "run"
    assert edgecl(arguments(class_folders, run, "--tensorboard")) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("edgecl: ")]
    assert len(lines) == 1
    assert "pip install 'edgecl[tensorboard]'" in lines[0]
    assert not run.exists()
    with pytest.raises(InputError, match="needs TensorBoard, which cannot be imported"):
        TensorBoardLog(run)


def test_nothing_of_tensorboard_is_loaded_without_the_option():
    code = (
        "import sys; import edgecl.learning.runner, edgecl.learning.run.tensorboard_log, "
        "edgecl.cli.train.command; sys.exit('tensorboard' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
