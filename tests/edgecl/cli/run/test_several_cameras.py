"""`edgecl run` with several cameras as a user calls it."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from tests.edgecl.cli.test_run_command import command, lines, write_avi
from tests.runtime.camera.network.raw_server import HEAD, misbehaving, part

BASE = ["--engine", "onnxruntime", "--out", "o"]
LEVELS = {"dark": 40, "middle": 128, "bright": 215}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """A bundle, a video, and two class folders of images."""
    make_bundle(tmp_path / "tiny.edgecl")
    for folder, count in (("top", 4), ("side", 2)):
        for label, level in LEVELS.items():
            (tmp_path / folder / label).mkdir(parents=True)
            for number in range(count):
                path = tmp_path / folder / label / f"{number}.png"
                cv2.imwrite(str(path), np.full((40 + number, 60), level, np.uint8))
    write_avi(tmp_path / "line.avi", frames=15)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_json(capsys, *arguments: str, code: int = 0) -> dict[str, Any]:
    assert run(["run", *arguments, *BASE, "--json"]) == code
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


def refusal(capsys, *arguments: str) -> str:
    assert run(["run", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    line: str = err.strip().splitlines()[-1]
    return line.removeprefix("edgecl: ")


def write(text: str) -> str:
    Path("line.toml").write_text(text, encoding="utf-8")
    return "line.toml"


def test_each_camera_has_its_own_verdicts_and_section_of_the_summary(workplace, capsys):
    cameras = ["--camera", "top=top", "--camera", "side=side", "--camera", "video=line.avi"]
    summary = run_json(capsys, *cameras, "--budget", "total=100s")
    assert summary["balanced"] is True
    captured = {name: section["captured"] for name, section in summary["cameras"].items()}
    assert captured == {"top": 12, "side": 6, "video": 15}
    for name, section in summary["cameras"].items():
        assert section["judged"] == section["captured"]
        assert section["verdicts"]["file"] == f"o/{name}/verdicts.jsonl"
        assert "turn" in section["steps"]
        verdicts = lines(Path(f"o/{name}/verdicts.jsonl"))
        assert [line["frame"] for line in verdicts] == list(range(section["captured"]))
        assert not Path(f"o/{name}/late.jsonl").exists()
    assert summary["cameras"]["top"]["accuracy"]["right"] == 12
    assert json.loads(Path("o/summary.json").read_text()) == summary
    assert not Path("o/verdicts.jsonl").exists()


def test_sinks_get_the_verdicts_of_all_with_their_names(workplace, capsys):
    cameras = ["--camera", "top=top", "--camera", "side=side"]
    summary = run_json(capsys, *cameras, "--sink", "jsonl:all.jsonl")
    verdicts = lines(Path("o/all.jsonl"))
    assert [line["frame"] for line in verdicts if line["camera"] == "side"] == list(range(6))
    assert len(verdicts) == 18
    (account,) = summary["sinks"]
    assert (account["name"], account["lost"], account["problem"]) == ("jsonl", 0, None)
    assert summary["cameras"]["top"]["sinks"] == []


def test_a_summary_for_people_names_every_camera(workplace, capsys):
    assert run(["run", "--camera", "top=top", "--camera", "side=side", *BASE]) == 0
    out, err = capsys.readouterr()
    assert "camera top" in out
    assert "captured 6 = judged 6 + dropped 0 + faulty 0" in out
    assert "side: " in err


def test_one_camera_may_have_a_name_and_a_file_may_look_like_one(workplace, capsys):
    assert list(run_json(capsys, "--camera", "top=top")["cameras"]) == ["top"]
    Path("line.avi").rename("a=b.avi")
    assert run(["run", "--camera", "a=b.avi", "--engine", "onnxruntime", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["captured"] == 15


@pytest.mark.parametrize(
    ("cameras", "named"),
    [
        (["top", "side"], "--camera 'top' has no name, but there are 2 cameras"),
        (["a=top", "side"], "--camera 'side' has no name, but there are 2 cameras"),
        (["a=top", "A=side"], "two cameras are named 'A'"),
        (["a=top", "b=top"], "cameras 'a' and 'b' have the same source 'top'"),
        (["a=top", "b=side/../top/"], "cameras 'a' and 'b' have the same source 'side/../top/'"),
        (["a=top", "b=gone.avi"], "camera b: camera 'gone.avi': no such file"),
        (["a=top", "b="], "camera b: --camera is empty"),
    ],
)
def test_cameras_that_do_not_fit_together_are_one_line(workplace, capsys, cameras, named):
    given = [word for text in cameras for word in ("--camera", text)]
    assert named in refusal(capsys, *given)
    assert not Path("streams").exists()


def test_a_folder_of_an_earlier_stream_is_refused_and_left_as_it_was(workplace, capsys):
    (workplace / "o" / "side").mkdir(parents=True)
    Path("o/side/verdicts.jsonl").write_text("{}")
    given = ["--camera", "top=top", "--camera", "side=side", *BASE]
    assert "o/side/verdicts.jsonl already exists" in refusal(capsys, *given)
    assert [path.name for path in Path("o").iterdir()] == ["side"]
    Path("o/side/verdicts.jsonl").unlink()
    assert run(["run", *given]) == 0


FILE = """
[camera]
health = "off"
frames = 5
[model]
engine = "onnxruntime"
[output]
out = "o"
json = true

[[cameras]]
name = "top"
source = "top"

[[cameras]]
name = "video"
source = "line.avi"
fps = 200
frames = 7
every-frame = true
health = "on"
"""


def test_cameras_from_a_file_with_keys_of_their_own(workplace, capsys):
    assert run(["run", "--config", write(FILE)]) == 0
    cameras = json.loads(capsys.readouterr().out)["cameras"]
    assert {name: section["captured"] for name, section in cameras.items()} == {
        "top": 5,
        "video": 7,
    }
    assert cameras["top"]["health"] == {}
    assert "dark" in cameras["video"]["health"]
    assert cameras["video"]["camera"].endswith("at 200 frames/s")


def test_the_command_line_goes_before_the_file(workplace, capsys):
    assert run(["run", "--config", write(FILE), "--frames", "3"]) == 0
    cameras = json.loads(capsys.readouterr().out)["cameras"]
    assert [section["captured"] for section in cameras.values()] == [3, 3]
    arguments = ["--config", "line.toml", "--camera", "video=line.avi", "--out", "p"]
    assert run(["run", *arguments]) == 0
    cameras = json.loads(capsys.readouterr().out)["cameras"]
    assert [section["captured"] for section in cameras.values()] == [5]  # its own keys are gone


def test_what_is_printed_is_taken_back_as_the_same(workplace, capsys):
    def printed(*arguments: str) -> str:
        assert run(["run", *arguments, "--print-config"]) == 0
        text: str = capsys.readouterr().out
        return text

    text = printed("--config", write(FILE))
    assert "# camera is not set" in text
    assert text.count("[[cameras]]") == 2
    assert printed("--config", write(text)) == text
    without = printed("--config", "line.toml", "--frames", "3")
    assert without.count("frames = 3") == 1
    assert "frames = 7" not in without


def test_each_camera_has_its_own_region_and_it_is_printed_and_taken_back(workplace, capsys):
    text = """
[model]
engine = "onnxruntime"
[[cameras]]
name = "top"
source = "top"
roi = "0,0,30,20"
[[cameras]]
name = "side"
source = "side"
[output]
out = "o"
json = true
"""
    assert run(["run", "--config", write(text)]) == 0
    out, err = capsys.readouterr()
    cameras = json.loads(out)["cameras"]
    assert {name: section["roi"] for name, section in cameras.items()} == {
        "top": "0,0,30,20",
        "side": None,
    }
    assert "top: frames are cut to the ROI 0,0,30,20" in err
    assert run(["run", "--config", "line.toml", "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert printed.count('roi = "0,0,30,20"') == 1
    assert run(["run", "--config", write(printed), "--print-config"]) == 0
    assert capsys.readouterr().out == printed


def test_settings_of_one_camera_are_a_table_of_its_own(workplace, capsys):
    text = """
[[cameras]]
name = "top"
source = "top"
[[cameras]]
name = "side"
source = "side"
[cameras.set]
ExposureTime = 500
"""
    named = "line.toml:5: cameras[2]: camera side takes no settings"
    assert named in refusal(capsys, "--config", write(text)).replace(f"{workplace}/", "")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            '[[cameras]]\nname = "a"\nsource = "top"\nset = 3',
            "line.toml:4: cameras[1].set is 3, not a table",
        ),
        (
            '[[cameras]]\nname = "a"\nsource = "top"\n[cameras.set]\nGain = [1]',
            "line.toml:5: cameras[1].set.Gain is a list, not a number or a text",
        ),
        (
            '[[cameras]]\nname = "a"\nsource = "top"\nflat = "gone.flat"',
            "line.toml:1: cameras[1]: ",
        ),
        ("cameras = []", "line.toml:1: cameras is empty; write [[cameras]]"),
        ("cameras = 3", "line.toml:1: cameras is not a list of tables"),
        ('cameras = ["0"]', "line.toml:1: cameras is not a list of tables"),
        ('[[cameras]]\nsource = "top"', "line.toml:1: cameras[1] has no name"),
        ('\n[[cameras]]\nname = "a"', "line.toml:2: cameras[1] has no source"),
        (
            '[[cameras]]\nname = "a b"\nsource = "top"',
            "line.toml:2: cameras[1].name: 'a b' is not a name for a camera",
        ),
        (
            '[[cameras]]\nname = "a"\nsource = "top"\n[[cameras]]\nname = "a"\nsource = "side"',
            "line.toml:4: cameras[2]: two cameras are named 'a'",
        ),
        (
            '[[cameras]]\nname = "a"\nsource = "top"\n[[cameras]]\nname = "b"\nsource = "top"',
            "line.toml:4: cameras[2]: cameras 'a' and 'b' have the same source",
        ),
        (
            '[camera]\ncamera = "top"\n[[cameras]]\nname = "a"\nsource = "top"',
            "line.toml:2: camera.camera stands beside [[cameras]]; keep one of the two",
        ),
        (
            '[[cameras]]\nname = "a"\nsource = "top"\nfps = "fast"',
            "line.toml:4: cameras[1].fps is the text 'fast', not a number",
        ),
        (
            '[[cameras]]\nname = "a"\nsource = "top"\nbudget = 3',
            "line.toml:4: cameras[1].budget is not a key of a camera; the keys are name",
        ),
        (
            '[[cameras]]\nname = "a"\nsource = "top"\n[[cameras]]\nname = "b"\nsource = "gone"',
            "line.toml:4: cameras[2]: camera 'gone': no such file",
        ),
        ('[camerass]\nname = "a"', "did you mean camera"),
        ('[[cameras]]\nname = "a"\nname = "b"', "line.toml:3: cameras[1].name is there twice"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_its_place(workplace, capsys, text, named):
    line = refusal(capsys, "--config", write(text)).replace(f"{workplace}/", "")
    assert named in line


def test_a_file_that_breaks_off_ends_its_camera_alone_and_the_code_says_so(workplace, capsys):
    data = Path("line.avi").read_bytes()
    Path("line.avi").write_bytes(data[: len(data) // 2])
    arguments = ["--camera", "video=line.avi", "--camera", "top=top"]
    assert run(["run", *arguments, *BASE, "--json"]) == 2
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert summary["cameras"]["top"]["judged"] == 12
    assert list(summary["errors"]) == ["video"]
    assert err.strip().splitlines()[-1].startswith("edgecl: video: line.avi ended in the middle")


def jpeg(level: int) -> bytes:
    return cv2.imencode(".jpg", np.full((40, 60), level, np.uint8))[1].tobytes()


def three_frames(link: socket.socket) -> None:
    link.sendall(HEAD + part(jpeg(215)) * 3)


def busy(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")


def many_frames(link: socket.socket) -> None:
    link.sendall(HEAD)
    for _ in range(20_000):  # more than are judged until the other camera is given up
        link.sendall(part(jpeg(200)) + part(jpeg(215)))


def test_a_camera_that_is_given_up_by_its_own_key_ends_alone(workplace, capsys):
    with misbehaving(three_frames, busy) as server:
        text = f"""
            [[cameras]]
            name = "net"
            source = "http://admin:geheim@{server.at}/stream"
            every-frame = true
            give-up-after = 0.3
            [[cameras]]
            name = "demo"
            source = "demo"
            fps = 100
            every-frame = true
            frames = 60
            """
        assert run(["run", "--config", write(text), *BASE, "--json"]) == 3
    out, err = capsys.readouterr()
    assert err.strip().splitlines()[-1].startswith("edgecl: net: camera http://admin:***@")
    assert "[camera-lost]" in err
    assert "geheim" not in out + err
    summary = json.loads(out)
    assert summary["cameras"]["net"]["captured"] == 3
    assert summary["cameras"]["demo"]["captured"] == 60
    assert summary["balanced"] is True


def test_a_camera_that_is_given_up_by_the_option_for_all_ends_all(workplace, capsys):
    with misbehaving(three_frames, busy) as server, misbehaving(many_frames) as other:
        cameras = [f"--camera=net=http://{server.at}/", f"--camera=other=http://{other.at}/"]
        given = [*cameras, "--every-frame", "--give-up-after", "0.3", *BASE, "--json"]
        assert run(["run", *given]) == 3
    out, err = capsys.readouterr()
    assert "[camera-lost]" in err
    summary = json.loads(out)
    assert list(summary["errors"]) == ["net"]
    assert summary["cameras"]["net"]["captured"] == 3
    assert 0 < summary["cameras"]["other"]["captured"] < 40_000
    assert summary["balanced"] is True


def test_interrupted_ends_all_cameras_with_130_and_the_whole_summary(workplace):
    given = ["--camera", "a=demo", "--camera", "b=demo", "--fps", "100", "--out", "o", "--json"]
    process = command(*given, cwd=workplace)
    paths = [workplace / "o" / name / "verdicts.jsonl" for name in "ab"]
    while process.poll() is None and not all(p.exists() and p.stat().st_size for p in paths):
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    summary = json.loads(out)
    assert summary["interrupted"] is True
    assert summary["balanced"] is True
    for path, section in zip(paths, summary["cameras"].values(), strict=True):
        assert len(lines(path)) == section["judged"] + section["faulty"]
    assert "Traceback" not in err
