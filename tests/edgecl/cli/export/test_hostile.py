"""`edgecl export` against wrong paths, damaged runs, odd names, and who ends it half-way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from edgecl.cli.shell import run as edgecl
from export import pipeline
from export.bundle import manifest
from export.stages import graphs
from runtime.artifact.bundle import load_bundle
from runtime.files.document import write_document
from runtime.files.user_cache import user_cache

pytestmark = pytest.mark.usefixtures("graphs_made_once")


def mistake(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must end with 2 and exactly one line."""
    capfd.readouterr()
    assert edgecl([str(argument) for argument in arguments]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("edgecl: ")]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    return lines[0]


@pytest.fixture
def no_work(monkeypatch):
    """Fail where an export goes as far as reading images."""

    def reached(*_: object) -> None:
        raise AssertionError("the mistake was found out after the work had begun")

    monkeypatch.setattr("edgecl.exporting.job.prepare", reached)


@pytest.fixture
def copied(trained_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    return run


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("out", [".", "..", "/"])
def test_a_place_that_names_no_bundle(trained_run, capfd, out):
    assert "is not a bundle name" in mistake(capfd, "export", trained_run, "--out", out)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("out", ["b", "b.edgecl"])
def test_a_file_is_not_replaced_by_a_bundle(trained_run, tmp_path, capfd, out):
    (tmp_path / "b.edgecl").write_text("a thesis")
    assert "is a file" in mistake(capfd, "export", trained_run, "--out", tmp_path / out)
    assert (tmp_path / "b.edgecl").read_text() == "a thesis"


@pytest.mark.usefixtures("no_work")
def test_a_folder_with_other_things_is_not_replaced(trained_run, tmp_path, capfd):
    thesis = tmp_path / "b.edgecl" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years")
    assert "would be lost" in mistake(capfd, "export", trained_run, "--out", thesis.parent)
    assert thesis.read_text() == "years"


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("out", ["file/b", "x" * 300])
def test_a_place_that_cannot_be_written_to(trained_run, tmp_path, capfd, out):
    (tmp_path / "file").write_text("")
    assert "cannot write" in mistake(capfd, "export", trained_run, "--out", tmp_path / out)


@pytest.mark.usefixtures("no_work")
def test_a_folder_that_is_read_only(trained_run, tmp_path, capfd, monkeypatch):
    # Root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    line = mistake(capfd, "export", trained_run, "--out", tmp_path / "b")
    assert "is not writable" in line


def test_a_run_that_is_a_file(tmp_path, capfd):
    (tmp_path / "run").write_text("")
    assert "is a file" in mistake(capfd, "export", tmp_path / "run")


def test_a_run_from_inside_its_own_folder_keeps_its_name(copied, monkeypatch):
    monkeypatch.chdir(copied)
    assert edgecl(["export", "."]) == 0
    bundle = load_bundle(copied / "run.edgecl")
    assert bundle.manifest.origin.run == "run"
    # With the bundle inside, it is a run as before, and the bundle is replaced.
    assert edgecl(["export", "."]) == 0


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "option",
    [
        ("--calibration", "mse"),
        ("--calibration-choice", "random"),
        ("--calibration-images", "64"),
        ("--calibration-data", "."),
        ("--calibration-curve",),
        ("--sensitivity",),
        ("--keep-fp16", "head"),
        ("--keep-fp16", "auto"),
    ],
)
def test_what_concerns_int8_is_not_passed_over_without_it(trained_run, capfd, option):
    line = mistake(capfd, "export", trained_run, "--fp16", *option)
    assert f"{option[0]} only affects INT8" in line


def _without(*names: str):
    return lambda whole: {key: value for key, value in whole.items() if key not in names}


def _with(**changes: object):
    return lambda whole: whole | changes


DAMAGES = {
    "result.json": [
        lambda _: {},
        lambda _: [],
        _without("parameters"),
        _without("accuracy_interval"),
    ],
    "config.json": [
        lambda _: {},
        lambda _: [],
        lambda _: None,
        _with(schema="1"),
        _with(schema=99),
        _with(choices="x"),
        _with(labels="abc"),
        _without("labels"),
        _without("data_digest"),
        lambda whole: whole | {"choices": whole["choices"] | {"image_size": "big"}},
        lambda whole: whole | {"choices": whole["choices"] | {"image_size": [64]}},
        lambda whole: whole | {"choices": whole["choices"] | {"encoder": "resnet9000"}},
        lambda whole: whole | {"choices": whole["choices"] | {"unheard": 1}},
        lambda whole: whole | {"labels": whole["labels"][:2]},
    ],
}


@pytest.mark.parametrize(
    ("file", "number"),
    [(file, n) for file, damages in DAMAGES.items() for n in range(len(damages))],
)
def test_a_damaged_run_is_one_line(copied, tmp_path, capfd, file, number):
    whole = json.loads((copied / file).read_text())
    (copied / file).write_text(json.dumps(DAMAGES[file][number](whole)))
    mistake(capfd, "export", copied, "--out", tmp_path / "b")
    assert not (tmp_path / "b.edgecl").exists()


@pytest.mark.parametrize("name", ["config.json", "result.json"])
@pytest.mark.parametrize("data", [b"", b"\xff\xfe{", b"{", b"[" * 100_000])
def test_a_run_whose_files_were_cut_short(copied, tmp_path, capfd, name, data):
    (copied / name).write_bytes(data)
    assert name in mistake(capfd, "export", copied, "--out", tmp_path / "b")


@pytest.mark.parametrize("name", ["encoder.safetensors", "classifier.safetensors"])
def test_weights_that_are_gone_or_empty(copied, tmp_path, capfd, name):
    (copied / name).write_bytes(b"")
    assert name in mistake(capfd, "export", copied, "--out", tmp_path / "b")
    (copied / name).unlink()
    assert name in mistake(capfd, "export", copied, "--out", tmp_path / "b")


@pytest.mark.parametrize("precisions", [(), ("--fp16", "--int8")])
def test_a_network_that_answers_no_numbers_is_never_shipped(copied, tmp_path, capfd, precisions):
    weights = load_file(copied / "classifier.safetensors")
    weights["weight"][:] = float("nan")
    save_file(weights, copied / "classifier.safetensors")
    line = mistake(capfd, "export", copied, "--out", tmp_path / "b", *precisions)
    assert "NaN or infinite values" in line
    assert not (tmp_path / "b.edgecl").exists()


@pytest.mark.parametrize("name", [os.fsdecode(b"line\xff"), "[red]b", "nan, ü"])
def test_an_odd_name_of_a_bundle(trained_run, tmp_path, name, capfd):
    assert edgecl(["export", str(trained_run), "--out", str(tmp_path / name)]) == 0
    capfd.readouterr()
    path = tmp_path / f"{name}.edgecl"
    assert load_bundle(path).name == name
    assert edgecl(["inspect", str(path)]) == 0
    assert edgecl(["inspect", str(path), "--json"]) == 0


def test_brackets_in_a_folders_name_do_not_break_the_bars(monkeypatch):
    from rich.console import Console

    from edgecl.cli.progress import reporting

    console = Console(force_terminal=True, width=200, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with reporting(console) as report:
        report("data", 1, 2, "reading [/dim]images[/]")
    assert "[/dim]images[/]" in console.export_text()


def test_without_a_home_nothing_is_cached(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", _no_home)
    assert user_cache("calibration") is None


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_two_exports_to_one_place_at_once_leave_one_whole_bundle(trained_run, tmp_path, capfd):
    out = tmp_path / "b.edgecl"
    codes: list[int] = []
    exports = [
        threading.Thread(
            target=lambda: codes.append(edgecl(["export", str(trained_run), "--out", str(out)]))
        )
        for _ in range(2)
    ]
    edgecl(["export", str(trained_run), "--out", str(out)])
    # Serial up to the last step, which is where they meet: torch exports one graph at a time.
    gate, write = threading.Barrier(2), write_document

    def together(path: Path, value: Any) -> None:
        write(path, value)
        if path.name == "manifest.json":
            gate.wait(60)

    lock, make = threading.Lock(), graphs.fp32_graph

    def one_by_one(*arguments: Any) -> graphs.NetworkGraph:
        with lock:
            return make(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "write_document", together)
        patch.setattr(pipeline, "fp32_graph", one_by_one)
        for thread in exports:
            thread.start()
        for thread in exports:
            thread.join()
    assert codes == [0, 0]
    assert load_bundle(out).precisions
    assert [path.name for path in tmp_path.iterdir()] == ["b.edgecl"]


ENDED = """
import os, sys
from pathlib import Path
import {module}
from edgecl.cli.shell import run
from export.stages import graphs
from tests.made_once import graph_maker, maker
graphs.to_onnx = graph_maker(maker(Path({made!r})))
inner = {module}.{function}
def ended(*arguments, **options):
    os.kill(os.getpid(), {number})
    return inner(*arguments, **options)
{module}.{function} = ended
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("module", "function", "number"),
    [
        ("export.stages.graphs", "to_onnx", signal.SIGTERM),
        ("export.stages.artefact", "prove", signal.SIGHUP),
        ("export.bundle.manifest", "file_digest", signal.SIGINT),
    ],
)
def test_a_signal_leaves_the_old_bundle_and_no_litter(
    trained_run, made_folder, make_bundle, tmp_path, module, function, number
):
    out, scratch = make_bundle(tmp_path / "b.edgecl"), tmp_path / "tmp"
    scratch.mkdir()
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    code = ENDED.format(module=module, function=function, number=int(number), made=str(made_folder))
    ended = subprocess.run(
        [sys.executable, "-c", code, "export", str(trained_run), "--out", str(out)],
        env={**os.environ, "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        preexec_fn=_usual_signals,
    )
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr.rstrip().endswith("edgecl: interrupted")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.edgecl", "tmp"]
    assert not [path for path in scratch.iterdir() if path.name.startswith("edgecl-export")]


def _usual_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == 2 else signal.SIG_DFL)


def test_classes_of_odd_names(copied, class_folders, tmp_path, capfd):
    data, label = tmp_path / "data", "[red]a, b"
    shutil.copytree(class_folders, data)
    (data / "posts").rename(data / "nan")
    (data / "bars").rename(data / label)
    (data / "nothing in it").mkdir()
    _read_classes_anew(copied, data)
    out = tmp_path / "b.edgecl"
    options = ("--pass-label", label, "--fp16", "--out", str(out))
    assert edgecl(["export", str(copied), "--data", str(data), *options]) == 0
    contract = load_bundle(out).contract
    assert {label, "nan"} < set(contract.labels)
    assert contract.pass_labels == (label,)
    assert np.isfinite(load_bundle(out).precisions["fp16"].accuracy)
    assert edgecl(["inspect", str(out)]) == 0
    shown = capfd.readouterr().out
    assert label in shown
    assert "nan" in shown


def _read_classes_anew(run: Path, data: Path) -> None:
    """Make `run` one that was trained with the classes that `data` has now."""
    from msgspec.structs import replace

    from edgecl.data.reading import read_labelled
    from edgecl.learning.run.run_directory import read_config
    from runtime.artifact.contract import InputContract
    from runtime.files.document import write_document

    config = read_config(run)
    choices = config.choices
    dataset = read_labelled(data, InputContract(*choices.image_size, choices.interpolation))
    renamed = replace(config, labels=dataset.labels, data_digest=dataset.digest())
    write_document(run / "config.json", renamed)
