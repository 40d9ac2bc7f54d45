"""Unknown frames of `edgecl run` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecl.cli.shell import run
from runtime.novelty import NOVELTY
from tests.edgecl.cli.run.judging import ARGUMENTS, judged, write_parts
from tests.novelty import add_novelty

LEVELS = (40, 85, 128, 170, 215)
NOTE = (
    "note: the model has no limit for unknown frames, so none is called unknown; export it again "
    "for one"
)


@pytest.fixture
def base(tmp_path: Path, monkeypatch, make_bundle) -> list[str]:
    """Arguments that judge five images: every second one is between two classes."""
    add_novelty(make_bundle(tmp_path / "tiny.edgecl"))
    write_parts(tmp_path / "parts", LEVELS)
    monkeypatch.chdir(tmp_path)
    return [*ARGUMENTS]


def test_frames_beyond_the_limit_are_unknown(base, capsys):
    summary, lines = judged(capsys, base)
    statuses = [line["status"] for line in lines]
    assert statuses == ["reject", "unknown", "reject", "unknown", "pass"]
    assert (summary["statuses"]["unknown"], summary["unknown_above"]) == (2, 1.0)
    assert all(line["distance"] > 1 for line in lines[1::2])
    assert all(line["distance"] < 0.2 for line in lines[::2])
    assert summary["health"]["unfamiliar"] == 0
    assert summary["notes"] == []


def test_another_limit_and_none(base, capsys):
    summary, lines = judged(capsys, [*base, "--unknown-above", "2"])
    assert (summary["statuses"]["unknown"], summary["unknown_above"]) == (0, 2.0)
    assert lines[1]["distance"] > 1
    base[base.index("o")] = "off"
    assert run([*base, "--unknown", "off"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["statuses"]["unknown"], summary["unknown_above"]) == (0, None)
    assert "distance" not in Path("off/verdicts.jsonl").read_text()
    assert "unfamiliar" not in summary["health"]
    assert summary["notes"] == []


def test_no_pass_label_lets_an_unknown_frame_pass(base, capsys):
    labels = ("dark", "middle", "bright")
    passing = [word for label in labels for word in ("--pass-label", label)]
    _, lines = judged(capsys, [*base, *passing])
    assert [line["status"] for line in lines] == ["pass", "unknown", "pass", "unknown", "pass"]


def test_the_terminal_counts_them(base, capsys):
    base.remove("--json")
    assert run(base) == 0
    assert "unknown 2" in capsys.readouterr().out


def test_a_configuration_file_has_its_keys(base, capsys):
    Path("line.toml").write_text(
        '[camera]\ncamera = "parts"\n[rules]\nunknown = "on"\nunknown-above = 2.5\n'
    )
    arguments = [*base, "--config", "line.toml"]
    summary, _ = judged(capsys, arguments)
    assert summary["unknown_above"] == 2.5
    assert "unknown-above = 2.5" in Path("o/config.toml").read_text()


def test_a_bundle_of_an_earlier_version_is_a_note(base, capsys, make_bundle, tmp_path):
    make_bundle(tmp_path / "old.edgecl")
    summary, lines = judged(capsys, [*base, "--model", "old.edgecl"])
    assert summary["notes"] == [NOTE]
    assert (summary["statuses"]["unknown"], summary["unknown_above"]) == (0, None)
    assert "distance" not in lines[0]


def test_a_lone_file_of_a_bundle_knows_its_limit(base, capsys):
    summary, _ = judged(capsys, [*base, "--model", "tiny.edgecl/model.fp32.onnx"])
    assert summary["statuses"]["unknown"] == 2


def test_a_damaged_file_ends_the_command_in_one_line(base, capsys, tmp_path):
    add_novelty(tmp_path / "tiny.edgecl", data=b"no arrays")
    base.remove("--json")
    assert run(base) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"tiny.edgecl/{NOVELTY} cannot be read" in line
    assert "export the model again" in line
    assert not Path("o").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--unknown", "maybe"], "'maybe' is not one of"),
        (["--unknown-above", "0"], "0.0 is not in the range x>0"),
        (["--unknown-above", "nan"], "nan is not a finite number"),
        (["--unknown-above", "far"], "'far' is not a valid float"),
        (["--unknown", "off", "--unknown-above", "2"], "but --unknown off calls none unknown"),
    ],
)
def test_mistakes(base, capsys, arguments, told):
    base.remove("--json")
    assert run([*base, *arguments]) == 2
    assert told in capsys.readouterr().err.strip().splitlines()[-1]
    assert not Path("o").exists()
