"""`edgecl run` as a user calls it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from runtime.artifact.bundle import manifest_digest
from runtime.stream.sinks import Sink
from runtime.stream.verdict import Verdict
from tests.runtime.camera.network.raw_server import HEAD, misbehaving, part

LEVELS = {"dark": 40, "middle": 128, "bright": 215}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """A folder with one bundle and a class folder of images per label."""
    make_bundle(tmp_path / "tiny.edgecl")
    for label, level in LEVELS.items():
        (tmp_path / "parts" / label).mkdir(parents=True)
        for number in range(4):
            path = tmp_path / "parts" / label / f"{number}.png"
            cv2.imwrite(str(path), np.full((40 + number, 60), level, np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_avi(path: Path, frames: int = 30) -> Path:
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, codec, 30.0, (64, 48))
    for number in range(frames):
        grain = np.random.default_rng(number).integers(180, 256, (48, 64, 3), np.uint8)
        writer.write(grain)
    writer.release()
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def command(*arguments: str, **options) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "edgecl", "run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def test_a_folder_judged_with_the_newest_bundle(workplace, capsys):
    code = run(["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o", "--json"])
    assert code == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert summary["captured"] == summary["judged"] == 12
    assert (summary["dropped"], summary["faulty"], summary["budget_misses"]) == (0, 0, 0)
    assert summary["balanced"] is True
    assert summary["accuracy"] == {"right": 12, "known": 12, "share": 1.0}
    none = dict.fromkeys(("unsure", "unknown", "late", "fault"), 0)
    assert summary["statuses"] == {"pass": 4, "reject": 8, **none}
    assert (summary["precision"], summary["engine"]) == ("fp32", "onnxruntime")
    for step in ("capture", "queue", "preprocess", "infer", "decide", "emit", "total"):
        times = summary["steps"][step]
        assert times["p50_ms"] <= times["p90_ms"] <= times["p99_ms"] <= times["p99_9_ms"]
    assert json.loads(Path("o/summary.json").read_text()) == summary
    verdicts = lines(Path("o/verdicts.jsonl"))
    assert [line["frame"] for line in verdicts] == list(range(12))
    assert {line["truth"] for line in verdicts if line["label"] == "dark"} == {"dark"}
    assert "fp32 on onnxruntime" in err


def test_a_readable_summary_without_json(workplace, capsys):
    code = run(["run", "--camera", "parts", "--engine", "onnxruntime", "--budget", "infer=9s"])
    assert code == 0
    out = capsys.readouterr().out
    assert "captured 12 = judged 12 + dropped 0 + faulty 0" in out
    assert "pass 4 · reject 8" in out
    assert "p99.9" in out
    assert len(list(Path("streams").glob("*/verdicts.jsonl"))) == 1


def test_the_fastest_candidate_is_named_with_what_was_measured(workplace, make_bundle, capsys):
    make_bundle(Path("two.edgecl"), precisions=("fp32", "int8"))
    code = run(["run", "--camera", "parts", "--engine", "onnxruntime", "--json"])
    assert code == 0
    out, err = capsys.readouterr()
    assert "two.edgecl" in err  # the newer of the two
    assert "the fastest here" in err
    assert {c["precision"] for c in json.loads(out)["candidates"]} == {"fp32", "int8"}


def test_a_truncated_video_ends_with_2_and_the_summary(workplace, capsys):
    path = write_avi(Path("clip.avi"))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    code = run(["run", "--camera", "clip.avi", "--engine", "onnxruntime", "--json"])
    assert code == 2
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert summary["judged"] > 5
    assert summary["faulty"] == 1
    assert summary["balanced"] is True
    assert "clip.avi ended in the middle of frame" in summary["error"]
    assert err.strip().splitlines()[-1].startswith("edgecl: clip.avi ended in the middle of frame")


def test_a_text_file_named_png_and_a_truncated_jpeg_are_faults(workplace, capsys):
    Path("parts/notes.png").write_text("no image")
    ok, encoded = cv2.imencode(".jpg", np.full((50, 50), 99, np.uint8))
    assert ok
    Path("parts/half.jpg").write_bytes(encoded.tobytes()[:-30])
    assert run(["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o"]) == 0
    faults = [line for line in lines(Path("o/verdicts.jsonl")) if line["status"] == "fault"]
    assert {line["name"] for line in faults} == {"notes.png", "half.jpg"}
    assert all(line["reason"] for line in faults)
    assert "judged 12 + dropped 0 + faulty 2" in capsys.readouterr().out


def test_a_dark_image_is_a_fault_with_a_name_and_is_judged_without_health(workplace, capsys):
    cv2.imwrite("parts/dark/off.png", np.zeros((40, 60), np.uint8))
    base = ["run", "--camera", "parts", "--engine", "onnxruntime"]
    assert run([*base, "--out", "on"]) == 0
    told = capsys.readouterr().out
    assert "judged 12 + dropped 0 + faulty 1" in told
    assert "health: dark 1" in told
    (fault,) = [line for line in lines(Path("on/verdicts.jsonl")) if line["status"] == "fault"]
    assert fault["name"] == "dark/off.png"
    assert fault["reason"] == "dark: mean brightness 0.0%, 100.0% of the pixels black"
    assert "health" in fault["steps_ns"]
    health = json.loads(Path("on/summary.json").read_text())["health"]
    assert {name: count for name, count in health.items() if count} == {"dark": 1}
    assert run([*base, "--health", "off", "--out", "off", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["judged"], summary["faulty"], summary["health"]) == (13, 0, {})


def test_dark_is_relative_to_what_the_bundle_was_trained_on(workplace, capsys):
    teach(Path("tiny.edgecl/manifest.json"), level=0.6)
    assert run(["run", "--camera", "parts", "--engine", "onnxruntime", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["health"]["dark"] == 0  # 40 of 255 is more than a quarter of 0.6
    teach(Path("tiny.edgecl/manifest.json"), level=0.7)
    assert run(["run", "--camera", "parts", "--engine", "onnxruntime", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["health"]["dark"] == summary["faulty"] == 4


def teach(path: Path, *, level: float) -> None:
    """Write into a manifest that all training images had this mean brightness."""
    manifest = json.loads(path.read_text())
    spread = dict.fromkeys(("q01", "q50", "q99"), level)
    scene = {"images": 9, "level": spread, "sharpness": spread, "black": 0.0, "saturated": 0.0}
    manifest["scene"] = scene
    manifest["digest"] = manifest_digest(manifest)
    path.write_text(json.dumps(manifest))


def test_nothing_but_broken_images_is_the_users_mistake(workplace, capsys):
    Path("broken").mkdir()
    Path("broken/notes.png").write_text("no image")
    assert run(["run", "--camera", "broken", "--engine", "onnxruntime"]) == 2
    assert "none of 1 frame could be judged" in capsys.readouterr().err


def test_a_camera_that_is_not_back_in_time_ends_with_3_and_the_summary(workplace, capsys):
    jpeg = cv2.imencode(".jpg", np.full((40, 60), 215, np.uint8))[1].tobytes()
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    with misbehaving(
        lambda link: link.sendall(HEAD + part(jpeg) * 3), lambda link: link.sendall(busy)
    ) as server:
        camera = f"http://admin:geheim@{server.at}/stream"
        options = ["--every-frame", "--give-up-after", "0.3", "--engine", "onnxruntime"]
        code = run(["run", "--camera", camera, *options, "--out", "o", "--json"])
    assert code == 3
    out, err = capsys.readouterr()
    assert "did not recover within 0.3 s" in err
    assert "[camera-lost]" in err
    assert "geheim" not in out + err
    summary = json.loads(Path("o/summary.json").read_text())
    assert summary["captured"] == 3
    assert summary["balanced"] is True
    assert "is still away: 127.0.0.1 is busy (503)" in summary["camera_outages"][1]
    assert (summary["health"]["lost"], summary["health"]["stalled"]) == (1, 0)


def test_misses_beyond_the_limit_end_with_1(workplace, capsys):
    base = ["run", "--camera", "parts", "--engine", "onnxruntime"]
    budget = ["--budget", "decide=1us,age=1s"]
    assert run([*base, *budget, "--max-misses", "0.5"]) == 1
    out, err = capsys.readouterr()
    assert "12 of 12 frames missed the budget" in err
    assert "budget 'age' was not held: no frame had that step" in out
    assert run([*base, *budget, "--out", "b"]) == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--camera", "parts", "--budget", "infer=8parsecs"], "'parsecs' is not a unit"),
        (["--camera", "parts", "--budget", ""], "is not STEP=TIME"),
        (["--camera", "nothing.avi"], "no such file, folder or device"),
        (["--camera", "empty"], "no images in empty"),
        (["--camera", "parts", "--precision", "int8"], "has no int8"),
        (["--camera", "parts", "--engine", "abacus"], "unknown engine 'abacus'"),
        (["--camera", "parts", "--model", "gone.edgecl"], "no bundle found at gone.edgecl"),
        (["--camera", "parts", "--give-up-after", "5"], "is never opened again"),
        (["--camera", "0", "--give-up-after", "0"], "--give-up-after"),
        (["--camera", "parts", "--out", "tiny.edgecl/manifest.json/x"], "cannot write"),
        (["--camera", "parts", "--out", "/proc/edgecl"], "cannot write /proc/edgecl"),
        ([], "Missing option '--camera'"),
    ],
)
def test_mistakes_are_one_line_and_2(workplace, capsys, arguments, named):
    Path("empty").mkdir()
    assert run(["run", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = err.strip().splitlines()[-1]
    assert last.startswith("edgecl: ")
    assert named in last
    assert not Path("streams").exists()


def test_no_bundle_names_the_command_that_makes_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["run", "--camera", "demo"]) == 2
    assert "edgecl export" in capsys.readouterr().err


def test_a_bundle_in_runs_is_found(tmp_path, monkeypatch, make_bundle, capsys):
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "runs" / "steel.edgecl")
    arguments = ["--camera", "demo", "--fps", "1000", "--frames", "3", "--every-frame"]
    assert run(["run", *arguments, "--engine", "onnxruntime", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["model"].endswith("steel.edgecl")
    assert (summary["captured"], summary["policy"]) == (3, "every-frame")


@pytest.mark.skipif(Path("/dev/video97").exists(), reason="this machine has that camera")
def test_a_missing_camera_is_one_line_on_a_real_terminals_streams(workplace):
    process = command("--camera", "97", cwd=workplace)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("edgecl: camera 97: ")
    assert "video file" in err
    assert "--camera demo" in err


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_interrupted_ends_with_130_and_the_whole_summary(workplace, number):
    process = command("--camera", "demo", "--fps", "200", "--out", "o", "--json", cwd=workplace)
    verdicts = workplace / "o" / "verdicts.jsonl"
    assert process.stderr is not None
    process.stderr.readline()  # the model that was chosen: the stream starts
    while process.poll() is None and not (verdicts.exists() and verdicts.stat().st_size):
        os.sched_yield()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    summary = json.loads(out)
    assert summary["interrupted"] is True
    assert summary["balanced"] is True
    written = [line["frame"] for line in lines(verdicts)]
    assert len(written) == summary["judged"] + summary["faulty"] == summary["verdicts"]["written"]
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("sink", "named"),
    [
        ("mqqt:broker", "unknown sink 'mqqt'; choose from jsonl"),
        ("jsonl", "has no target; pass a file name, as in jsonl:copy.jsonl"),
        ("jsonl:.", "--sink jsonl: o is a folder; pass a file name"),
        ("jsonl:/proc/none/a.jsonl", "cannot write /proc/none/a.jsonl: No such file"),
        ("jsonl:verdicts.jsonl", "the stream itself writes o/verdicts.jsonl"),
        ("jsonl:../o/summary.json", "the stream itself writes o/../o/summary.json"),
    ],
)
def test_a_sink_that_cannot_be_opened_is_one_line_and_leaves_no_folder(
    workplace, capsys, sink, named
):
    base = ["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o"]
    assert run([*base, "--sink", sink]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert named in last
    assert last.endswith("[input]")
    assert not Path("o").exists()


def test_after_a_sink_that_could_not_be_opened_the_next_try_works(workplace, capsys):
    base = ["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o"]
    assert run([*base, "--sink", "jsonl:verdicts.jsonl"]) == 2
    assert run([*base, "--sink", "jsonl:copy.jsonl"]) == 0
    assert lines(Path("o/copy.jsonl")) == lines(Path("o/verdicts.jsonl"))


class _FullSink(Sink):
    name = "full"

    def emit(self, verdict: Verdict) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_another_sink_loses_is_said(workplace, capsys, monkeypatch):
    monkeypatch.setattr("runtime.stream.sinks.opening.SINKS", {"full": lambda _: _FullSink()})
    base = ["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o"]
    assert run([*base, "--sink", "full"]) == 0
    assert "sink full: 12 LOST (OSError: [Errno 28] No space" in capsys.readouterr().out


def test_nothing_of_it_imports_torch(workplace):
    code = (
        "import sys; from edgecl.cli.shell import run; "
        "code = run(['run', '--camera', 'parts']); "
        "loaded = {'torch', 'onnx', 'sklearn', 'matplotlib'} & set(sys.modules); "
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=workplace, check=True, timeout=60)
