"""`edgecl study`: the smoke preset for real, broken off and gone on with, and bad input."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from edgecl.cli.shell import run
from edgecl.learning.run import run_directory, sources
from edgecl.study import execution
from edgecl.study.cells import cells
from edgecl.study.documents import StudySummary
from edgecl.study.execution import begin, is_done, work
from edgecl.study.grid import Study
from edgecl.study.outcomes import collect
from edgecl.study.processes import work_together
from edgecl.study.summary import summarise
from runtime.errors import EdgeclError, InputError
from runtime.files.document import read_document, to_text
from runtime.image.decode import read_image
from tests.made_once import MadeOnce
from tests.runtime.image.flat_fields import stored_flat


def silent(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def tiny_study(class_folders: Path) -> Study:
    return Study(
        data=str(class_folders),
        methods=("simclr",),
        arms=("in-domain",),
        folds=2,
        label_shares=(1.0,),
        image_size=(32, 32),
        pretrain_epochs=1,
        epochs=1,
        batch_size=16,
        autocast="off",
    )


@pytest.fixture(scope="module")
def finished(tiny_study: Study, made_once: MadeOnce) -> Path:
    def make(folder: Path) -> None:
        begin(tiny_study, folder)
        assert work(tiny_study, folder, silent) == []

    return made_once("studies/tiny", make)


def test_the_smoke_preset_makes_every_table(tmp_path, monkeypatch, capsys, check_page):
    monkeypatch.setattr(sources, "BUILTIN_COUNT", 140)
    out = tmp_path / "smoke"
    quick = ["--method", "nnclr", "--pretrain-epochs", "1", "--epochs", "1"]
    assert run(["study", "--preset", "smoke", *quick, "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["done"] == summary["total"] == 24
    assert summary == json.loads((out / "summary.json").read_text())
    page = check_page(out / "study.html")
    for title in (
        "Table 3",
        "Table 4",
        "Table 5",
        "Accuracy by number of labels",
        "Effect of leaks",
    ):
        assert title in page.text
    kinds = {entry["kind"] for entry in summary["comparisons"]}
    assert kinds == {"pretraining", "inflation"}
    for entry in summary["conditions"]:
        assert entry["images"] == 140
        assert entry["runs"] == entry["expected_runs"] == 2
        assert entry["published"] is None  # the paper's figures are of NEU, not of drawn surfaces
    assert json.loads(to_text(read_document(out / "summary.json", StudySummary))) == summary


def test_figures_are_those_of_the_runs(finished, tiny_study):
    everything = cells(tiny_study)
    outcome = collect(finished, everything)[0]
    runs = [finished / cell.name for cell in everything if cell.condition == outcome.condition]
    results = [run_directory.read_result(path) for path in runs]
    sizes = [result.counts["test"] for result in results]
    assert sum(sizes) == len(outcome.files) == 120
    expected = np.average([result.accuracy for result in results], weights=sizes)
    assert outcome.right.mean() == pytest.approx(expected)
    assert outcome.accuracy_per_repeat == {"seed 0": pytest.approx(expected)}


def test_a_study_goes_on_where_it_stood(tiny_study, finished, tmp_path):
    folder = tmp_path / "study"
    begin(tiny_study, folder)
    steps = 0

    class KilledError(Exception):
        pass

    def kill(stage: str, done: int, total: int, text: str) -> None:
        nonlocal steps
        steps += 1
        if done == 3 and "fine-tuning" in text:
            raise KilledError

    with pytest.raises(KilledError):
        work(tiny_study, folder, kill)
    done = [cell.name for cell in cells(tiny_study) if is_done(folder, cell)]
    assert len(done) == 3
    before = {name: (folder / name).stat().st_mtime_ns for name in done}
    assert work(tiny_study, folder, silent) == []
    assert {name: (folder / name).stat().st_mtime_ns for name in done} == before
    for cell in cells(tiny_study):
        if cell.condition:
            one, other = (root / cell.name / "predictions.csv" for root in (folder, finished))
            assert one.read_bytes() == other.read_bytes()


def test_two_processes_give_the_same(tiny_study, finished, tmp_path):
    folder = tmp_path / "study"
    begin(tiny_study, folder)
    assert work_together(tiny_study, folder, silent, processes=2) == []
    one, two = summarise(tiny_study, folder), summarise(tiny_study, finished)
    for mine, theirs in zip(one.conditions, two.conditions, strict=True):
        assert mine.runs == theirs.runs
        # Other thread counts sum in another order.
        assert mine.accuracy.value == pytest.approx(theirs.accuracy.value, abs=0.05)


def test_a_process_that_dies_ends_the_study_with_one_line_and_leaves_none_behind(
    tiny_study, tmp_path
):
    folder = tmp_path / "study"
    begin(tiny_study, folder)

    # Another test's processes may still be ending.
    others = {process.pid for process in multiprocessing.active_children()}

    def ours() -> list[BaseProcess]:
        children = multiprocessing.active_children()
        return [process for process in children if process.pid not in others]

    def shoot(*_: object) -> None:
        for process in ours()[:1]:
            process.kill()

    with pytest.raises(
        EdgeclError, match="a process of the study died; run the same command again"
    ):
        work_together(tiny_study, folder, shoot, processes=2)
    assert not ours()


def test_processes_end_with_the_one_that_started_them(tiny_study, tmp_path):
    folder = tmp_path / "study"
    begin(tiny_study, folder)
    arguments = [sys.executable, "-m", "edgecl", "study", "--out", str(folder), "--processes", "2"]
    first = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    locks = folder / execution.LOCKS
    while not (locks.exists() and any(locks.iterdir())):
        assert first.poll() is None
        time.sleep(0.1)
    first.kill()
    first.wait()
    # A lock is free as soon as the process that held it is gone.
    for path in locks.iterdir():
        with path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)


def test_a_run_that_another_process_is_at_is_left_alone(tiny_study, tmp_path, monkeypatch):
    folder = tmp_path / "study"
    study = replace(tiny_study, methods=())
    begin(study, folder)
    first = cells(study)[0]
    lock = folder / execution.LOCKS / first.name.replace("/", "_")
    lock.parent.mkdir(parents=True)

    class WaitedError(Exception):
        pass

    def waited(_: float) -> None:
        raise WaitedError

    monkeypatch.setattr(time, "sleep", waited)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(WaitedError):
            work(study, folder, silent)
    assert [cell for cell in cells(study) if not is_done(folder, cell)] == [first]


def test_what_fails_is_told_and_the_rest_is_done(tiny_study, tmp_path, capsys):
    folder = tmp_path / "study"
    study = replace(tiny_study, pretrain_lr=1e36)
    begin(study, folder)
    failures = work(study, folder, silent)
    assert {failure.cell.split("/")[0] for failure in failures} == {"pretraining", "runs"}
    assert "became non-finite" in failures[0].reason
    assert any("its pretraining" in failure.reason for failure in failures)
    assert all(is_done(folder, c) for c in cells(study) if c.config.method == "none")
    assert run(["study", "--out", str(folder)]) == 1
    captured = capsys.readouterr()
    assert "4 of 6 runs failed" in captured.err
    assert "became non-finite" in (folder / "study.html").read_text()


def test_other_choices_in_the_same_folder_are_refused(tiny_study, finished, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(finished, folder)
    with pytest.raises(InputError, match=r"was run with epochs 1, but the study now has 2"):
        begin(replace(tiny_study, epochs=2), folder)
    begin(replace(tiny_study, seeds=(0, 1)), folder)  # more of the same is fine
    begin(tiny_study, folder)
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(InputError, match="already exists and is not a study"):
        begin(tiny_study, tmp_path)


def test_a_study_of_corrected_regions_goes_on_and_is_not_one_of_whole_images(
    tiny_study, tmp_path, class_folders
):
    first = next(class_folders.glob("*/*.png"))
    stored_flat(tmp_path / "line.npz", size=read_image(first).shape)
    flat = str(tmp_path / "line.npz")
    study = replace(tiny_study, methods=(), roi="4,4,24,24", flat=flat)
    folder = tmp_path / "study"
    begin(study, folder)
    assert work(study, folder, silent) == []
    begin(study, folder)
    kept = run_directory.read_config(folder / cells(study)[0].name)
    assert kept.choices.roi == "4,4,24,24"
    with pytest.raises(InputError, match="was run with roi 4,4,24,24"):
        begin(replace(study, roi=""), folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no grid was chosen; start with --preset"),
        (["--preset", "neu-cpu"], "preset neu-cpu needs images; pass --data"),
        (["--preset", "smoke", "--arm", "clean"], "'clean' pretrains on unlabelled sets only"),
        (["--preset", "smoke", "--encoder", "alexnet"], "'alexnet' is not one of"),
        (["--preset", "smoke", "--roi", "0,0,9"], "is not a region of interest; use LEFT,TOP"),
        (["--preset", "smoke", "--data", ".", "--flat", "/none.npz"], "/none.npz"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, message):
    assert run(["study", "--out", str(tmp_path / "s"), *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not (tmp_path / "s").exists()


def test_damaged_files_of_a_study_are_named(tiny_study, finished, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    victim = next(c.name for c in cells(tiny_study) if c.condition)
    (folder / victim / "predictions.csv").write_bytes(b"\xff\xfe")
    assert run(["study", "--out", str(folder)]) == 2
    assert f"{victim}/predictions.csv cannot be read; delete" in capsys.readouterr().err
    (folder / "study.json").write_text("{")
    assert run(["study", "--out", str(folder)]) == 2
    assert "is not a study" in capsys.readouterr().err


def test_the_plan_lists_the_runs(finished, capsys):
    assert run(["study", "--out", str(finished), "--plan"]) == 0
    out = capsys.readouterr().out
    assert "done runs/shufflenet-none-grouped-s0-f0" in out
    assert "6 of 6 runs are done" in out


def test_a_preset_goes_without_its_baselines(tmp_path, capsys):
    command = ["study", "--preset", "smoke", "--out", str(tmp_path / "s"), "--plan", "--json"]
    assert run(command) == 0
    assert any("squeezenet" in cell["run"] for cell in json.loads(capsys.readouterr().out))
    assert run([*command, "--baseline", "none", "--channels", "3", "--patience", "7"]) == 0
    assert not any("squeezenet" in cell["run"] for cell in json.loads(capsys.readouterr().out))
