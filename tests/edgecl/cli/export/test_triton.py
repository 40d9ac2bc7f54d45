"""`edgecl export --triton`: the model repository beside the bundle."""

from __future__ import annotations

import shutil

import pytest

from edgecl.cli.shell import run as edgecl
from runtime.artifact.bundle import load_bundle

pytestmark = pytest.mark.usefixtures("graphs_made_once")


def export(run, out, models, *options):
    return edgecl(["export", str(run), "--out", str(out), "--triton", str(models), *options])


@pytest.fixture
def no_work(monkeypatch):
    def reached(*_: object) -> None:
        raise AssertionError("the folder was looked at after the work had begun")

    monkeypatch.setattr("edgecl.exporting.job.job_of_run", reached)


def test_the_repository_holds_what_the_bundle_ships(trained_run, tmp_path):
    out, models = tmp_path / "line 3.edgecl", tmp_path / "models"
    for _ in range(2):  # the next export takes its place
        assert export(trained_run, out, models, "--fp16") == 0
    assert sorted(path.name for path in models.iterdir()) == ["line_3_fp16", "line_3_fp32"]
    for precision in load_bundle(out).precisions:
        model = models / f"line_3_{precision}"
        assert (model / "1" / "model.onnx").read_bytes() == (
            out / f"model.{precision}.onnx"
        ).read_bytes()
        assert (model / "labels.txt").read_text().split() == ["bars", "blob", "posts"]
        assert "dims: [ 1, 32, 32 ]" in (model / "config.pbtxt").read_text()


@pytest.mark.usefixtures("no_work")
def test_a_folder_of_others_is_refused_before_the_work(trained_run, tmp_path, capfd):
    models = tmp_path / "models"
    (models / "theirs").mkdir(parents=True)
    assert export(trained_run, tmp_path / "b", models) == 2
    assert "contains theirs, which edgecl did not write" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("models", ["b.edgecl", "b.edgecl/models", "."])
def test_bundle_and_repository_one_in_the_other_are_refused(
    trained_run, tmp_path, capfd, monkeypatch, models
):
    monkeypatch.chdir(tmp_path)
    assert export(trained_run, "b.edgecl", models) == 2
    assert "must not contain each other" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 3)]
)
def test_a_repository_that_breaks_off_leaves_the_old_one(
    trained_run, tmp_path, monkeypatch, error, code
):
    out, models = tmp_path / "b.edgecl", tmp_path / "models"
    assert export(trained_run, out, models) == 0
    before = {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(shutil, "copyfile", broken)
    assert export(trained_run, out, models) == code
    assert {path: path.read_bytes() for path in models.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.edgecl", "models"]
    load_bundle(out)
