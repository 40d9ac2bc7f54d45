"""`edgecl run` with sinks that act on the machine."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run

BASE = ["run", "--engine", "onnxruntime", "--out", "o"]
GPIO = "gpio:file:lines.txt?out=REJECT,pulse=5ms&out=GATE,on=pass,pulse=5ms&watchdog=ALIVE"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """A bundle, and two folders of five parts: a reject and four that pass."""
    make_bundle(tmp_path / "tiny.edgecl")
    for folder in ("parts", "side"):
        (tmp_path / folder).mkdir()
        for number, level in enumerate((40, 215, 40, 40, 40)):
            image = np.full((40, 60), 40 if folder == "side" else level, np.uint8)
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), image)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judged(capsys, *arguments: str) -> dict[str, Any]:
    assert run([*BASE, *arguments, "--json"]) == 0
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


def refusal(capsys, *arguments: str) -> str:
    assert run([*BASE, *arguments]) == 2
    lines: list[str] = capsys.readouterr().err.strip().splitlines()
    return lines[-1]


def raised() -> list[str]:
    """Lines that went up, one after the other, without the watchdog's."""
    rows = [text.split() for text in Path("o/lines.txt").read_text().splitlines()]
    return [name for _, name, level in rows if level == "1" and name != "ALIVE"]


def test_outputs_answer_to_verdicts_and_the_summary_has_the_acts(workplace, capsys):
    budget = ["--budget", "total=100s,act=100s"]
    summary = judged(capsys, "--camera", "parts", "--sink", GPIO, *budget)
    statuses = summary["statuses"]
    rejects = statuses["reject"] + statuses["unsure"] + statuses["fault"] + statuses["unknown"]
    assert {"REJECT", "GATE"} >= set(raised())
    assert bool(rejects) == ("REJECT" in raised())
    assert bool(statuses["pass"]) == ("GATE" in raised())
    (account,) = summary["sinks"]
    assert (account["name"], account["acted"], account["lost"]) == ("gpio lines.txt", 5, 0)
    assert account["late_acts"] == 0
    assert summary["steps"]["act"]["count"] == summary["steps"]["total"]["count"] == 5
    assert summary["steps"]["total"]["min_ms"] > summary["steps"]["act"]["min_ms"]
    assert summary["budget_misses"] == 0
    assert not any("however late" in note for note in summary["notes"])


def test_every_pass_that_is_late_for_the_machine_opens_no_gate(workplace, capsys):
    summary = judged(capsys, "--camera", "parts", "--sink", GPIO, "--budget", "total=1us")
    assert "GATE" not in raised()
    assert summary["sinks"][0]["late_acts"] == 5
    assert summary["budget_misses"] == 5


def test_acts_without_a_deadline_are_told(workplace, capsys):
    summary = judged(capsys, "--camera", "parts", "--sink", GPIO)
    assert (
        "note: gpio lines.txt acts however late a verdict is; set --budget total=TIME"
        in (summary["notes"])
    )


def test_the_terminal_shows_acts(workplace, capsys):
    assert run([*BASE, "--camera", "parts", "--sink", GPIO, "--budget", "total=100s"]) == 0
    out = capsys.readouterr().out
    assert "sink gpio lines.txt: 5 acts" in out
    assert "\nact " in out


def test_a_budget_for_acts_needs_a_sink_that_acts(workplace, capsys):
    told = refusal(capsys, "--camera", "parts", "--budget", "total=1s,act=5ms")
    assert "budget 'act' has no effect: no sink acts on a machine; add one" in told
    (workplace / "line.toml").write_text('[budget]\nact = "5ms"\n')
    told = refusal(capsys, "--camera", "parts", "--config", "line.toml")
    assert "line.toml:1: budget" in told


def test_a_mistake_in_a_sink_is_told_before_the_model_is_opened(workplace, capsys):
    (workplace / "line.toml").write_text('[output]\nsink = ["gpio:file:l.txt?out=1,pluse=3ms"]\n')
    told = refusal(capsys, "--camera", "parts", "--config", "line.toml", "--model", "none.edgecl")
    assert "line.toml:2: output.sink: --sink gpio: 'pluse' is not a key of out" in told
    told = refusal(capsys, "--camera", "parts", "--sink", "modbus:0.0.0.0:502")
    assert "--sink modbus: 0.0.0.0 would answer on every network of this machine" in told


def test_a_port_in_use_is_one_line(workplace, capsys):
    pytest.importorskip("pymodbus", reason="needs pymodbus: pip install 'edgecl[modbus]'")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refusal(capsys, "--camera", "parts", "--sink", f"modbus:127.0.0.1:{port}")
    assert f"--sink modbus: 127.0.0.1:{port} cannot be had: Address already in use" in told
    assert not Path("o/verdicts.jsonl").exists()


TWO = ["--camera", "top=parts", "--camera", "side=side"]


def test_several_cameras_act_once_for_a_part(workplace, capsys):
    summary = judged(capsys, *TWO, "--part-of", "trigger", "--sink", GPIO)
    (account,) = summary["sinks"]
    assert (account["acted"], summary["parts"]["parts"]) == (5, 5)
    for camera in summary["cameras"].values():
        assert camera["steps"]["act"]["count"] == camera["steps"]["total"]["count"] == 5


def test_several_cameras_each_act_on_outputs(workplace, capsys):
    summary = judged(capsys, *TWO, "--sink", GPIO)
    assert summary["sinks"][0]["acted"] == 10


def test_a_plc_takes_several_cameras_by_their_parts_alone(workplace, capsys):
    pytest.importorskip("pymodbus", reason="needs pymodbus: pip install 'edgecl[modbus]'")
    told = refusal(capsys, *TWO, "--sink", "modbus:127.0.0.1:0")
    assert "takes one verdict on a part, but each camera has its own; join the cameras" in told


def test_a_stream_without_a_plc_judges_all_the_same(workplace, capsys):
    pytest.importorskip("pymodbus", reason="needs pymodbus: pip install 'edgecl[modbus]'")
    summary = judged(capsys, "--camera", "parts", "--sink", "modbus:127.0.0.1:0?frames=every")
    (account,) = summary["sinks"]
    assert (summary["judged"], account["lost"], account["problem"]) == (5, 5, "no PLC is there")
    assert summary["budget_misses"] == 5
    assert summary["misses_by_step"] == {"act": 5}
