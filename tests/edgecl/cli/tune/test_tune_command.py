"""`edgecl tune`: from images to a threshold in line.toml, and what it refuses in one line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.review.decisions.journal import ReviewJournal
from edgecl.review.decisions.standing import DecisionLine
from tests.edgecl.page import check
from tests.edgecl.review.desks import decision, digests

pytest.importorskip("tomlkit", reason="needs pip install 'edgecl[tune]'")

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LINE = '# line 3\n[model]\nmodel = "tiny.edgecl"\n\n[rules]\nunsure-below = 0.4 # all\n'


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def fill(folder: Path, label: str, levels: list[int], *, seed: int = 0) -> Path:
    """Images whose mean is a level: the tiny bundle calls 212 bright, 127 middle, 42 dark."""
    rng = np.random.default_rng([seed, *label.encode()])
    (folder / label).mkdir(parents=True, exist_ok=True)
    for number, level in enumerate(levels):
        noise = rng.integers(-9, 10, (32, 48))
        image = np.clip(level + noise - noise.mean(), 0, 255).astype(np.uint8)
        assert cv2.imwrite(str(folder / label / f"{label}_{number}.png"), image)
    return folder


@pytest.fixture
def set_of_70(make_bundle) -> Path:
    """60 defects, of which 4 look almost bright, and 40 good parts."""
    make_bundle(Path("tiny.edgecl"))
    fill(Path("data"), "dark", [60] * 56 + [172, 174, 176, 178])
    return fill(Path("data"), "bright", [200] * 30 + [180] * 10)


def tuned(capfd, *arguments: object) -> dict[str, Any]:
    assert edgecl(["tune", *map(str, arguments), "--json"]) == 0, capfd.readouterr().err
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def refused(capfd, *arguments: object) -> str:
    assert edgecl(["tune", *map(str, arguments)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    line: str = [line for line in captured.err.splitlines() if line.startswith("edgecl: ")][-1]
    return line


def test_the_chosen_threshold_is_written_and_edgecl_run_takes_it(capfd, set_of_70):
    Path("line.toml").write_text(LINE)
    rule = ("--max-escapes", "10%", "--config", "line.toml")
    found = tuned(capfd, "--data", set_of_70, *rule)
    chosen = found["chosen"]
    assert found["pass_labels"] == ["bright"]
    assert found["now"]["escapes"]["found"] == 4
    assert chosen["escapes"]["found"] < 4
    text = Path("line.toml").read_text()
    assert text.startswith("# line 3\n")
    assert tomllib.loads(text)["rules"]["unsure-below"] == {"*": 0.4, "bright": chosen["threshold"]}
    assert edgecl(["run", "--config", "line.toml", "--camera", "data", "--print-config"]) == 0
    assert f"bright = {chosen['threshold']}" in capfd.readouterr().out


def test_the_line_then_lets_exactly_the_counted_escapes_through(capfd, set_of_70):
    Path("line.toml").write_text(LINE)
    rule = ("--max-escapes", "10%", "--config", "line.toml")
    chosen = tuned(capfd, "--data", set_of_70, *rule)["chosen"]
    assert edgecl(["run", "--config", "line.toml", "--camera", "data", "--out", "stream"]) == 0
    lines = [json.loads(line) for line in Path("stream/verdicts.jsonl").read_text().splitlines()]
    escaped = sum(line["status"] == "pass" and line["truth"] == "dark" for line in lines)
    held = sum(line["status"] != "pass" and line["truth"] == "bright" for line in lines)
    assert (escaped, held) == (chosen["escapes"]["found"], chosen["false_rejects"]["found"])


def test_the_page_is_one_file_that_fetches_nothing(capfd, set_of_70):
    tuned(capfd, "--data", set_of_70, "--max-escapes", "10%")
    page = check(Path("tuning.html"))
    text = Path("tuning.html").read_text(encoding="utf-8")
    assert "fewest false rejects with at most 10 % escapes" in text
    assert page is not None


def test_without_a_rule_nothing_is_chosen_or_written(capfd, set_of_70):
    Path("line.toml").write_text(LINE)
    found = tuned(capfd, "--data", set_of_70, "--config", "line.toml")
    assert found["chosen"] is None
    assert found["config"] is None
    assert Path("line.toml").read_text() == LINE
    assert "nothing is chosen" in Path("tuning.html").read_text(encoding="utf-8")


def test_reviewed_images_count_and_those_of_one_event_once(capfd, make_bundle):
    make_bundle(Path("tiny.edgecl"))
    fill(Path("kept"), "a", [60, 61, 62, 200, 201, 202])
    journal = ReviewJournal(Path("kept"))
    labels = ["dark", "dark", "dark", "bright", "bright", "bright"]
    for number, (image, label) in enumerate(zip(digests(Path("kept")), labels, strict=True)):
        sent = decision(image, label, number=number)
        journal.add(DecisionLine(**sent, at="2026-11-27T10:00:00Z", file="x.png"))
    journal.close()
    for number in (0, 1):
        record = {"id": f"run/{number}", "event": "run/0" if number else ""}
        Path(f"kept/a/a_{number}.json").write_text(json.dumps(record))
    found = tuned(capfd, "--model", "tiny.edgecl", "--reviewed", "kept")
    assert found["images"] == {"kept": 6}
    assert found["groups"] == 5
    assert any("kept for their verdicts" in note for note in found["notes"])


def test_groups_count_once(capfd, set_of_70):
    rows = [
        f"{path.relative_to('data')},{path.parent.name}" for path in Path("data").rglob("*.png")
    ]
    Path("groups.csv").write_text("\n".join(["file,group", *rows]))
    found = tuned(capfd, "--data", "data", "--groups", "groups.csv")
    assert found["groups"] == 2
    assert found["now"]["escapes"]["count"] == 1


def test_a_page_that_is_there_is_replaced_only_if_it_is_named(capfd, set_of_70):
    Path("tuning.html").write_text("mine")
    assert "already exists" in refused(capfd, "--data", "data")
    assert Path("tuning.html").read_text() == "mine"
    tuned(capfd, "--data", "data", "--out", "tuning.html")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no images to tune on"),
        (("--data", "nowhere"), "nowhere"),
        (("--data", "data", "--max-escapes", "0.5%"), "60 defects are too few"),
        (("--data", "data", "--max-escapes", "0"), "not a share"),
        (("--data", "data", "--max-escapes", "1%", "--max-escapes", "2%"), "given twice"),
        (("--data", "data", "--max-escapes", "1%", "--max-false-rejects", "2%"), "two rules"),
        (("--data", "data", "--max-false-rejects", "dark=2%"), "all good parts together"),
        (("--data", "data", "--max-escapes", "bright=9%"), "is not a defect"),
        (("--data", "data", "--pass-label", "fine"), "the model has no label 'fine'"),
        (("--data", "data", "--pass-label", "bright", "--pass-label", "dark"), "shows defects"),
        (("--data", "data", "--model", "nowhere.edgecl"), "no bundle found"),
        (("--data", "data", "--config", "nowhere.toml"), "cannot be read"),
        (("--data", "data", "--config", "bad.toml"), "bad.toml:1"),
        (("--data", "data", "--config", "unknown.toml"), "is not a key"),
        (("--reviewed", "data"), "nothing is decided"),
        (("--reviewed", "data", "--groups", "g.csv"), "none is given"),
        (("--run", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(capfd, set_of_70, arguments, words):
    Path("bad.toml").write_text("[rules\n")
    Path("unknown.toml").write_text("[rules]\nunsure = 1\n")
    assert words in refused(capfd, *arguments)
    assert not Path("tuning.html").exists()


def test_one_image_with_two_truths_is_refused(capfd, set_of_70):
    fill(Path("other"), "dark", [60])
    fill(Path("other"), "middle", [127])
    first = Path("data/bright/bright_0.png")
    (Path("other") / "dark" / "same.png").write_bytes(first.read_bytes())
    line = refused(capfd, "--data", "data", "--data", "other")
    assert "one image has two labels" in line


def test_images_that_calibrated_the_model_are_refused(capfd, make_bundle):
    from runtime.artifact.bundle import MANIFEST, file_digest, manifest_digest

    bundle = make_bundle(Path("tiny.edgecl"))
    fill(Path("data"), "dark", [60] * 3)
    fill(Path("data"), "bright", [200] * 3)
    learnt = file_digest(Path("data/dark/dark_1.png"))
    record = bundle / "calibration.json"
    record.write_text(json.dumps({"images": [{"file": "x", "sha256": learnt}]}))
    manifest = json.loads((bundle / MANIFEST).read_text())
    entry = {"sha256": file_digest(record), "bytes": record.stat().st_size}
    manifest["files"]["calibration.json"] = entry
    manifest["digest"] = manifest_digest({k: v for k, v in manifest.items() if k != "digest"})
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    assert "taught this model" in refused(capfd, "--data", "data")


def test_a_truncated_image_is_left_out_with_a_note(capfd, set_of_70):
    path = Path("data/dark/dark_0.png")
    path.write_bytes(path.read_bytes()[:60])
    found = tuned(capfd, "--data", "data")
    assert found["images"] == {"data": 99}
    assert any("dark_0.png" in note for note in found["notes"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_configuration_that_cannot_be_written_is_said(capfd, set_of_70):
    Path("sealed").mkdir()
    Path("sealed/line.toml").write_text(LINE.replace("tiny", "../tiny"))
    Path("sealed").chmod(0o500)
    rule = ("--max-escapes", "10%", "--config", "sealed/line.toml")
    assert "cannot write" in refused(capfd, "--data", "data", *rule)
