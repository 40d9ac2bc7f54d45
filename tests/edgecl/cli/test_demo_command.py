"""`edgecl demo`: the whole road once, made small."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgecl.cli.demo import command as demo
from edgecl.cli.shell import run as edgecl
from edgecl.learning.run import sources
from export import pipeline
from export.job import Job
from runtime.artifact.bundle import load_bundle
from tests.edgecl.exporting.conftest import exported

__all__ = ["exported"]


@pytest.fixture
def small(monkeypatch):
    for module, values in (
        (
            demo,
            {
                "TILE": (32, 32),
                "FRAME_SHAPE": (64, 64),
                "PRETRAIN_EPOCHS": 1,
                "EPOCHS": {"convnet": 1, "shufflenet": 1},
                "MAX_DROP": 100.0,
                "MAX_ESCAPES": 100.0,
                "FRAMES": 30,
                "FRAMES_PER_SECOND": 200,
                "BENCH_FRAMES": 10,
                "WARM_UP_SECONDS": 0.0,
            },
        ),
        (sources, {"BUILTIN_COUNT": 140, "BUILTIN_SHAPE": (64, 64)}),
    ):
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("graphs_made_once")
def test_the_whole_road(small, tmp_path, capfd):
    out = tmp_path / "demo"
    assert edgecl(["demo", "--out", str(out)]) == 0
    captured = capfd.readouterr()
    for encoder in ("convnet", "shufflenet"):
        assert list(load_bundle(out / f"{encoder}.edgecl").precisions) == ["fp32", "fp16", "int8"]
        assert (out / "runs" / encoder / "report.html").is_file()
    summary = json.loads((out / "stream" / "summary.json").read_text())
    assert summary["captured"] == 30 == summary["judged"]
    assert summary["accuracy"]["known"] == 30
    pages = [line.strip() for line in captured.out.splitlines() if line.strip().endswith(".html")]
    assert len(pages) == 5
    assert all(Path(page).is_file() for page in pages)

    (out / "old").write_text("from the demo before")
    (out / ".edgecl-demo").unlink()
    assert edgecl(["demo", "--out", str(out)]) == 2
    assert "already exists and was not made by" in capfd.readouterr().err
    assert (out / "old").exists()


def test_the_road_on_images_of_ones_own(small, class_folders, exported, tmp_path, monkeypatch):
    """The way of the images into training, export and stream; the export itself is a copy."""
    jobs: list[Job] = []

    def export(job: Job, bundle: Path, *_: object, **__: object) -> SimpleNamespace:
        jobs.append(job)
        shutil.copytree(exported.bundle, bundle)
        return SimpleNamespace(refused={})

    monkeypatch.setattr(pipeline, "export_bundle", export)
    monkeypatch.setattr(demo, "ENCODERS", (demo.STREAMED,))
    out = tmp_path / "demo"
    assert edgecl(["demo", "--out", str(out), "--data", str(class_folders)]) == 0
    (job,) = jobs
    assert job.contract.labels == ("bars", "blob", "posts")
    summary = json.loads((out / "stream" / "summary.json").read_text())
    assert summary["labels"] == ["bars", "blob", "posts"]
    assert summary["captured"] == 30 == summary["judged"]
