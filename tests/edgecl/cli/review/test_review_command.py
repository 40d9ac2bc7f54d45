"""`edgecl review`: what it refuses in one line, and what its export prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from edgecl.cli.shell import run as edgecl
from tests.edgecl.command import finish, start
from tests.edgecl.review.desks import collect
from tests.edgecl.review.test_export import decide

pytest.importorskip("starlette", reason="needs pip install 'edgecl[serve]'")
pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(capfd, *arguments: object) -> str:
    assert edgecl(["review", *map(str, arguments)]) == 2
    captured = capfd.readouterr()
    assert captured.out == "" or "--json" in arguments
    line: str = [line for line in captured.err.splitlines() if line.startswith("edgecl: ")][-1]
    return line


def test_export_prints_what_it_wrote_and_how_to_train(capfd):
    folder = collect(Path("kept"), 3)
    decide(folder, "dent", "scratch", "")
    assert edgecl(["review", "kept", "--export", "data"]) == 0
    out = capfd.readouterr().out
    assert "2 reviewed images of 2 classes" in out
    assert "1 that nobody knows" in out
    assert "edgecl train --data data --groups data/groups.csv" in out
    assert edgecl(["review", "kept", "--export", "data", "--json"]) == 0
    summary = json.loads(capfd.readouterr().out)
    assert summary["images"] == {"dent": 1, "scratch": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "does not exist"),
        (("kept", "--serve", "8081:x"), "not HOST:PORT"),
        (("kept", "--serve", "0.0.0.0:0"), "show the images to every machine"),
        (("kept", "--label", "a/b"), "cannot be the name of a class folder"),
        (("kept", "--model", "nowhere.edgecl"), "no bundle found"),
        (("kept", "--labelled", "nowhere"), "nowhere"),
        (("kept", "--export", "data"), "nothing is decided"),
        (("kept", "--export", "data", "--model", "x"), "serves none"),
        (("kept", "--export", "data", "--labelled", "kept"), "serves none"),
        (("kept", "--export", "kept/data"), "must not contain each other"),
        (("kept", "--with-labelled"), "labelled already"),
        (("kept", "--json"), "a page is served"),
        (("kept", "--serve-key", "x"), "none is given"),
    ],
)
def test_mistakes_are_one_line(capfd, arguments, words):
    collect(Path("kept"), 1)
    assert words in refused(capfd, *arguments)


def test_a_damaged_journal_ends_it_before_anything_is_served(capfd):
    folder = collect(Path("kept"), 1)
    (folder / "review.jsonl").write_text("nonsense\n")
    assert "line 1" in refused(capfd, "kept", "--serve", "127.0.0.1:0")
    assert (folder / "review.jsonl").read_text() == "nonsense\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_said(capfd):
    folder = collect(Path("kept"), 1)
    folder.chmod(0o500)
    assert "cannot write" in refused(capfd, "kept", "--serve", "127.0.0.1:0")


def test_ctrl_c_ends_it_and_a_second_server_is_refused():
    collect(Path("kept"), 1)
    with start("review", "kept", "--serve", "127.0.0.1:0", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "review page:" in line:
                break
        code, _, err = finish("review", "kept", "--serve", "127.0.0.1:0")
        assert code == 2
        assert "another process reviews" in err
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 130
    assert "0 images decided" in rest
    assert "Traceback" not in rest


def test_what_a_stream_keeps_is_reviewed_and_exported(make_bundle, capfd):
    from edgecl.review.collected import find_collected
    from tests.edgecl.cli.tune.test_tune_command import fill

    make_bundle(Path("tiny.edgecl"))
    fill(Path("parts"), "dark", [60, 61, 62])
    sink = "images:/" + str(Path("kept").absolute()).lstrip("/") + "?cooldown=0s"
    arguments = ("--model", "tiny.edgecl", "--camera", "parts", "--sink", sink, "--out", "stream")
    assert edgecl(["run", *arguments]) == 0, capfd.readouterr().err
    records = [image.record for image in find_collected(Path("kept")).images]
    assert len(records) == 3
    for record in records:
        assert record is not None
        assert record.policy == "reject"
        assert record.verdict.label == "dark"
        assert record.id
        assert set(record.probabilities) == {"dark", "middle", "bright"}
    decide(Path("kept"), "dark", "dark", "dent")
    assert edgecl(["review", "kept", "--export", "data"]) == 0
