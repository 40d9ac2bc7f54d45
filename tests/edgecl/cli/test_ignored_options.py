"""Options without an effect are refused, in one line that names them; those with one are not."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import click
import pytest

from edgecl.cli import ignored_options
from edgecl.cli.ignored_options import inference
from edgecl.cli.shell import VERBS
from edgecl.cli.shell import run as edgecl
from edgecl.cli.verb import Verb
from runtime.artifact.bundle import PRECISIONS
from runtime.errors import InputError


def refusal(capfd, *arguments: str) -> str:
    assert edgecl(list(arguments)) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    line: str = captured.err.strip()
    assert line.startswith("edgecl: --")
    return line.removeprefix("edgecl: ")


def command_of(verb: str) -> click.Command:
    command: click.Command = importlib.import_module(f"edgecl.cli.{verb}.command").command
    return command


def test_every_verb_looks_at_its_options():
    assert all(isinstance(command_of(verb), Verb) for verb in VERBS)


def test_the_tables_name_parameters_that_there_are():
    tables = [*ignored_options.REFUSALS.items(), *ignored_options.NOTES.items()]
    for verb, rules in [*tables, ("study", ignored_options.STUDY_GRID)]:
        known = {parameter.name for parameter in command_of(verb).params}
        assert {name for rule in rules for name in rule.names} <= known
    assert set(inference.PRECISIONS) == {"auto", *PRECISIONS}


@pytest.fixture
def workplace(make_bundle, tmp_path, monkeypatch):
    """A bundle, and beside it what only looks like a lone model."""
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "tiny.edgecl")
    (tmp_path / "lone.onnx").write_bytes(b"")
    (tmp_path / "built.engine").write_bytes(b"")
    (tmp_path / "groups.csv").write_text("file,group\n")
    (tmp_path / "set").mkdir()
    return tmp_path


FROZEN = ("--encoder", "resnet101-svm", "--method", "none")
LEVEL = ("--builder-level", "2")
RUN = ("run", "--camera", "demo", "--model")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ((*RUN, "lone.onnx", "--precision", "quatsch"), "--precision quatsch"),
        ((*RUN, "tiny.edgecl", "--precision", "fp3"), "--precision fp3"),
        ((*RUN, "lone.onnx", "--precision", "fp32"), "--precision"),
        ((*RUN, "built.engine", "--precision", "int8"), "--precision"),
        ((*RUN, "built.engine", "--engine", "openvino"), "--engine openvino"),
        ((*RUN, "built.engine", "--engine", "abacus"), "--engine abacus"),
        ((*RUN, "built.engine", "--threads", "2"), "--threads"),
        ((*RUN, "tiny.edgecl", "--device", "gpu", "--threads", "2"), "--threads"),
        ((*RUN, "tiny.edgecl", "--max-misses", "0.1"), "--max-misses"),
        ((*RUN, "tiny.edgecl", "--spool", "kept"), "--spool"),
        ((*RUN, "tiny.edgecl", "--device", "cpu", "--workspace", "64"), "--workspace"),
        (
            (*RUN, "tiny.edgecl", "--engine", "onnxruntime", "--builder-level", "2"),
            "--builder-level",
        ),
        ((*RUN, "lone.onnx", "--builder-level", "2"), "--builder-level"),
        (
            ("bench", "tiny.edgecl", "--engine", "onnxruntime", "--builder-level", "1"),
            "--builder-level",
        ),
        (("bench", "tiny.edgecl", "--device", "cpu", "--workspace", "9"), "--workspace"),
        (("bench", "tiny.edgecl", "--device", "gpu", "--threads", "1"), "--threads"),
        (("bench", "tiny.edgecl", "--engine", "tensorrt", "--threads", "1"), "--threads"),
        (("export", "--calibration-of", "tiny.edgecl"), "--calibration-of"),
        (("export", "--fp16", "--keep-fp16", "head"), "--keep-fp16"),
        (("export", "--max-batch", "4"), "--max-batch"),
        (
            ("export", "--int8", "--calibration-of", "a", "--calibration-images", "9"),
            "--calibration-images",
        ),
        (("train", "--groups", "groups.csv"), "--groups"),
        (("train", "--data", "set", "--groups", "groups.csv", "--split", "paper"), "--groups"),
        (("train", "--strict"), "--strict"),
        (("train", "--fold", "0"), "--fold"),
        (("train", "--label-draw", "1"), "--label-draw"),
        (("train", "--label-draw", "1", "--label-share", "1.0"), "--label-draw"),
        (("train", "--allow-leak"), "--allow-leak"),
        (("train", "--method", "nnclr", "--negatives", "all"), "--negatives"),
        (("train", "--queue-size", "10"), "--queue-size"),
        (("train", "--pretrained", "set", "--pretrain-epochs", "3"), "--pretrain-epochs"),
        (("train", "--pretrained", "set", "--unlabelled", "set"), "--unlabelled"),
        (("train", "--pretrained", "set", "--weights", "groups.csv"), "--weights"),
        (("train", "--pretrain-only", "--epochs", "3"), "--epochs"),
        (("train", "--pretrain-only", "--patience", "3"), "--patience"),
        (("train", *FROZEN, "--lr", "0.1"), "--lr"),
        (("train", *FROZEN, "--autocast", "bf16"), "--autocast"),
        (("train", *FROZEN, "--batch-size", "8"), "--batch-size"),
        (("demo", "--groups", "groups.csv"), "--groups"),
        (("study", "--preset", "smoke", "--plan", "--processes", "2"), "--processes"),
        (
            ("study", "--preset", "smoke", "--baseline", "none", "--baseline", "vgg19"),
            "--baseline",
        ),
        (("study", "--preset", "smoke", "--arm", "in-domain", "--leaky", "set"), "--leaky"),
        (("study", "--preset", "smoke", "--label-share", "1", "--draws", "2"), "--draws"),
        (("study", "--preset", "smoke", "--groups", "groups.csv"), "--groups"),
        (("study", "--preset", "smoke", "--roi", "0,0,9,9"), "--roi"),
        (("study", "--preset", "smoke", "--flat", "line.npz"), "--flat"),
        (
            ("study", "--preset", "smoke", "--encoder", "resnet101-svm", "--method", "nnclr"),
            "--method",
        ),
        ((*RUN, "tiny.edgecl", "--budget", "total=1s", "--max-misses", "nan"), "--max-misses nan"),
        ((*RUN, "tiny.edgecl", "--unsure-below", "nan"), "--unsure-below 'nan'"),
        ((*RUN, "tiny.edgecl", "--fps", "inf"), "--fps inf"),
        (("train", "--lr", "nan"), "--lr nan"),
        (("train", "--temperature", "inf"), "--temperature inf"),
        (("audit", "set", "--threshold", "nan"), "--threshold nan"),
        (("study", "--preset", "smoke", "--label-share", "nan"), "--label-share nan"),
    ],
)
def test_it_is_refused_before_the_work(workplace, capfd, arguments, option):
    before = sorted(workplace.iterdir())
    assert refusal(capfd, *arguments).startswith(f"{option} ")
    assert sorted(workplace.iterdir()) == before


def test_what_no_engine_is_built_with_is_refused_where_none_can_be(workplace, capfd, monkeypatch):
    broken = InputError("no NVIDIA device found")
    monkeypatch.setattr("runtime.session.built.why_no_gpu", lambda: broken)
    for verb in ((*RUN, "tiny.edgecl"), ("bench", "tiny.edgecl")):
        assert "TensorRT does not work here" in refusal(capfd, *verb, "--builder-level", "1")
    context = SimpleNamespace(params={"device": "auto", "engine": "auto", "model": None})
    monkeypatch.setattr("runtime.session.built.why_no_gpu", lambda: None)
    assert not any(
        rule.idle(context.params) for rule in inference.RUN if "builder_level" in rule.names
    )


def test_options_of_pretraining_are_noted_without_one(class_folders, tmp_path, capfd):
    quick = ["--image-size", "32x32", "--epochs", "1", "--batch-size", "16", "--autocast", "off"]
    command = ["train", "--data", str(class_folders), *quick, "--method", "none"]
    pretraining = ["--pretrain-epochs", "1", "--queue-size", "9", "--pretrain-on", "all"]
    assert edgecl([*command, *pretraining, "--out", str(tmp_path / "run")]) == 0
    notes = [line for line in capfd.readouterr().err.splitlines() if line.startswith("note: ")]
    assert notes[0] == (
        "note: --pretrain-epochs, --queue-size, --pretrain-on: no effect, because --method none "
        "does not pretrain"
    )


def test_defaults_are_no_options_and_a_resumed_run_may_repeat_its_own(trained_run, capfd):
    assert edgecl(["train", "--resume", "--out", str(trained_run), "--fold", "0"]) == 0
    assert edgecl(["run", "--camera", "demo", "--model", "nowhere.edgecl"]) == 2
    assert "no bundle" in capfd.readouterr().err
