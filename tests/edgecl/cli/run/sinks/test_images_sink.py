"""`edgecl run --sink images:FOLDER` on the command line and in the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from edgecl.cli.shell import run
from runtime.stream.sinks.images.record import ImageRecord, read_image_record
from tests.edgecl.cli.run.judging import ARGUMENTS, judged, write_parts

# The pass label is bright; dark and middle are rejects.
LEVELS = [40, 230, 230, 120, 230, 40]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    make_bundle(tmp_path / "tiny.edgecl")
    write_parts(tmp_path / "parts", LEVELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(folder: str) -> list[ImageRecord]:
    return [read_image_record(path) for path in sorted(Path(folder).glob("*/*.json"))]


def refused(capsys, *more: str) -> str:
    assert run([*ARGUMENTS, *more]) == 2
    assert not Path("o").exists() or not list(Path("o").glob("*"))
    err: str = capsys.readouterr().err
    assert [line[:7] for line in err.splitlines() if not line.startswith("note:")] == ["edgecl:"]
    return err


def test_rejects_and_a_sample_of_passes_are_kept(workplace, capsys):
    text = "images:kept?sample=2&cooldown=0s"
    summary, lines = judged(capsys, [*ARGUMENTS, "--sink", text, "--unsure-below", "0.3"])
    found = records("o/kept")
    assert {r.verdict.frame: r.policy for r in found} == {
        frame: "sample" if LEVELS[frame] == 230 else "reject" for frame in (0, 1, 3, 4, 5)
    }
    for record in found:
        line = lines[record.verdict.frame]
        verdict = json.loads(json.dumps(line))
        assert record.verdict.captured_at == verdict["captured_at"]
        assert record.verdict.label == verdict["label"]
        assert max(record.probabilities, key=record.probabilities.__getitem__) == verdict["label"]
        (path,) = Path("o/kept").glob(f"*/{record.file}")
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.shape == (40, 60)
        assert image[0, 0] == LEVELS[record.verdict.frame]
    (account,) = summary["sinks"]
    assert (account["name"], account["lost"], account["problem"]) == ("images", 0, None)
    assert account["counts"]["written"] == account["counts"]["kept"] == 5


def test_a_folder_outlives_the_stream_and_ids_stay_apart(workplace, capsys):
    keeping = [*ARGUMENTS[:-3], "--sink", f"images:{workplace}/kept?cooldown=0s&sample=0"]
    assert run([*keeping, "--out", "o1"]) == 0
    out = capsys.readouterr().out
    assert "sink images: written 3 · kept 3" in out
    assert run([*keeping, "--out", "o2"]) == 0
    assert "sink images: written 3 · kept 6" in capsys.readouterr().out
    assert len({record.id for record in records("kept")}) == 6


@pytest.mark.parametrize("more", [[], ["--part-of", "trigger"]])
def test_several_cameras_keep_their_frames_in_one_folder(workplace, capsys, more):
    write_parts(Path("others"), [230, 40])
    sink = ["--sink", "images:kept?sample=0&cooldown=0s", "--sink", "jsonl:copy.jsonl"]
    cameras = ["--camera", "left=parts", "--camera", "right=others"]
    engine = ["--engine", "onnxruntime", "--out", "o", "--json"]
    assert run(["run", *cameras, *engine, *sink, *more]) == 0
    found = records("o/kept")
    assert {record.id.partition("/")[2] for record in found} == {
        *("left/0", "left/3", "left/5", "right/1")
    }
    assert {record.verdict.camera for record in found} == {"left", "right"}
    summary = json.loads(capsys.readouterr().out)
    assert summary["sinks"][0]["counts"]["written"] == 4
    # The other sink gets what it got before: a verdict per part, or per frame.
    copied = Path("o/copy.jsonl").read_text().splitlines()
    assert len(copied) == (6 if more else 8)


def test_ids_are_those_of_the_archive(workplace, capsys):
    import sqlite3

    sinks = ["--sink", "images:kept?sample=0&cooldown=0s", "--sink", "sqlite:line.sqlite"]
    judged(capsys, [*ARGUMENTS, *sinks])
    with sqlite3.connect("o/line.sqlite") as archive:
        rejected = archive.execute("select id from records where status = 'reject'").fetchall()
    assert {record.id for record in records("o/kept")} == {row[0] for row in rejected}


def test_what_is_wrong_is_one_line(workplace, capsys):
    assert "'colour' is none of its options" in refused(capsys, "--sink", "images:kept?colour=red")
    assert "the model has no label 'rust'" in refused(capsys, "--sink", "images:kept?label=rust")
    assert "the stream itself writes" in refused(capsys, "--sink", "images:verdicts.jsonl")
    Path("file").write_text("")
    assert "Not a directory" in refused(capsys, "--sink", f"images:{workplace}/file")


def test_the_line_of_the_configuration_is_named(workplace, capsys):
    Path("line.toml").write_text('[output]\nsink = ["images:kept?sample=x"]\n')
    told = refused(capsys, "--config", "line.toml")
    assert "line.toml:2: output.sink: --sink images: sample 'x' is not a number" in told
    Path("line.toml").write_text('[output]\nsink = ["images:kept?label=rust"]\n')
    assert "line.toml:2: output.sink: --sink images: the model has no label" in refused(
        capsys, "--config", "line.toml"
    )
