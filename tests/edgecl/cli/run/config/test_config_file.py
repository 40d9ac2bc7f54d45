"""`edgecl run --config` and `--print-config` as a user calls them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import edgecl
from edgecl.cli.run.command import command
from edgecl.cli.shell import run

FILE = """
[camera]
camera = "parts"
[model]
model = "../tiny.edgecl"
engine = "onnxruntime"
[budget]
total = "20s"
infer = "8s"
[rules]
max-misses = 0.5
on-late = "reject"
pass-label = ["dark", "middle"]
debounce = "1/3"
[rules.unsure-below]
"*" = 0.1
bright = 0.2
[output]
sink = ["jsonl:copy.jsonl"]
out = "o"
json = true
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """A bundle, and a folder with a configuration and images of all three labels beside it."""
    make_bundle(tmp_path / "tiny.edgecl")
    for label, level in {"dark": 40, "middle": 128, "bright": 215}.items():
        (tmp_path / "line" / "parts" / label).mkdir(parents=True)
        path = tmp_path / "line" / "parts" / label / "0.png"
        cv2.imwrite(str(path), np.full((40, 60), level, np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, path: str = "line/line.toml") -> str:
    Path(path).write_text(text, encoding="utf-8")
    return path


def printed(capsys, *arguments: str) -> str:
    assert run(["run", *arguments, "--print-config"]) == 0
    text: str = capsys.readouterr().out
    return text


def refusal(capsys, *arguments: str) -> str:
    assert run(["run", *arguments]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    line: str = err.strip().splitlines()[-1]
    return line.removeprefix("edgecl: ")


def params(*arguments: str) -> dict[str, object]:
    context = command.make_context("run", list(arguments))
    return {name: value for name, value in context.params.items() if name != "print_config"}


def test_a_stream_from_a_file_alone(workplace, capsys):
    assert run(["run", "--config", write(FILE)]) == 0
    summary = json.loads(capsys.readouterr().out)
    none = dict.fromkeys(("unsure", "unknown", "late", "fault"), 0)
    assert summary["statuses"] == {"pass": 2, "reject": 1, **none}
    assert summary["pass_labels"] == ["dark", "middle"]
    assert (summary["unsure_below"], summary["unsure_below_of"]) == (0.1, {"bright": 0.2})
    assert (summary["on_late"], summary["debounce"]) == ("reject", "1/3")
    assert summary["budget_ms"] == {"total": 20000.0, "infer": 8000.0}
    assert Path(summary["model"]).samefile("tiny.edgecl")
    # Relative paths belong to the file's folder; a sink's, to the stream's.
    assert Path("line/o/copy.jsonl").exists()
    assert not Path("o").exists()


def test_the_command_line_goes_before_the_file(workplace, capsys):
    arguments = ["--config", write(FILE), "--pass-label", "bright", "--out", "here"]
    assert run(["run", *arguments, "--unsure-below", "0"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["pass_labels"] == ["bright"]
    assert (summary["unsure_below"], summary["unsure_below_of"]) == (0.0, {})
    assert Path("here/verdicts.jsonl").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--camera", "demo"],
        ["--camera", "rtsp://host/x%22?a=1", "--latest", "--give-up-after", "9"],
        ["--camera", "videotestsrc ! appsink", "--every-frame", "--frames", "3", "--fps", "2.5"],
        ["--camera", "line/parts", "--model", "tiny.edgecl", "--precision", "fp32"],
        ["--camera", "demo", "--budget", "total=20ms,infer=8us", "--on-late", "pass"],
        ["--camera", "demo", "--budget", "infer=1s", "--max-misses", "0.00001"],
        ["--camera", "demo", "--pass-label", "a b", "--pass-label", 'quo"te\\\x7f\n'],
        ["--camera", "demo", "--unsure-below", "0.7", "--unsure-below", "lä=uft=0.25"],
        ["--camera", "demo", "--unsure-below", "x=0", "--debounce", "2/3", "--json"],
        ["--camera", "demo", "--sink", "jsonl:a.jsonl", "--sink", "jsonl:b", "--out", "o"],
        ["--camera", "demo", "--realtime", "--cpus", "0-3", "--threads", "2", "--device", "cpu"],
    ],
)
def test_what_is_printed_is_taken_back_as_the_same(workplace, capsys, arguments):
    text = printed(capsys, *arguments)
    Path("elsewhere").mkdir()
    path = write(text, "elsewhere/line.toml")
    assert printed(capsys, "--config", path) == text
    given, taken = params(*arguments), params("--config", path)
    for name in ("model", "verify_key", "out"):
        assert (given[name] is None) == (taken[name] is None)
        if given[name] is not None:
            assert Path(str(given.pop(name))).absolute() == taken.pop(name)
    if given["source"] == ("line/parts",):
        given["source"] = (str(Path("line/parts").absolute()),)
    if taken["unsure_below"] != given["unsure_below"]:  # 0.5 is its default, 0.0 the same as 0
        assert given["unsure_below"] == ("x=0",)
        assert taken["unsure_below"] == ("x=0.0",)
        del given["unsure_below"], taken["unsure_below"]
    assert taken == given


def test_the_streams_folder_keeps_the_configuration_for_its_owner_alone(workplace, capsys):
    assert run(["run", "--config", write(FILE)]) == 0
    capsys.readouterr()
    kept = Path("line/o/config.toml")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    whole = printed(capsys, "--config", "line/line.toml").splitlines()
    without = ["# out is not set" if line.startswith("out = ") else line for line in whole]
    assert without != whole
    assert kept.read_text().splitlines() == without
    assert run(["run", "--config", str(kept)]) == 0
    assert json.loads(capsys.readouterr().out)["statuses"]["pass"] == 2


def test_the_model_that_was_found_is_kept(workplace, capsys):
    assert run(["run", "--camera", "line/parts", "--engine", "onnxruntime", "--out", "o"]) == 0
    assert f'model = "{workplace / "tiny.edgecl"}"' in Path("o/config.toml").read_text()


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("[model]\nthraeds = 2\n", 2, "model.thraeds is not a key; did you mean model.threads?"),
        ("[camera]\n\nthreads = 2\n", 3, "camera.threads is not a key; did you mean model.thr"),
        ("[check]\nparts = 'p'\n", 2, "check.parts is not a key; did you mean check.check-parts?"),
        ("[modle]\nthreads = 2\n", 1, "modle is not a key; did you mean model?"),
        ("[camera]\nzzz = 2\n", 2, "the keys of [camera] are camera, fps,"),
        ("zzzz = 2\n", 1, "zzzz is not a key; the tables are camera, model, engine, budget,"),
        ("model = 2\n", 1, "model is 2, not a table; write [model], and below it model = 2"),
        ('[model]\nthreads = "2"\n', 2, "model.threads is the text '2', not an integer"),
        ("[model]\nthreads = true\n", 2, "model.threads is true, not an integer"),
        ("[model]\nthreads = 2.5\n", 2, "model.threads is 2.5, not an integer"),
        ("[model]\nthreads = 0\n", 2, "model.threads: 0 is not in the range 1<=x<=1024"),
        ("[model]\ndevice = 'gpuu'\n", 2, "model.device: 'gpuu' is not one of 'auto'"),
        ("[model]\ndevice = 1979-05-27\n", 2, "model.device is the date 1979-05-27, not a text"),
        ("[model]\nengine = ['a']\n", 2, "model.engine is a list, not a text"),
        ('[camera]\nflat = "\\u0000"\n', 2, "camera.flat has the character 0 in it"),
        ('[output]\nsink = ["a", "\\u0000"]\n', 2, "output.sink has the character 0 in it"),
        ('[budget]\n"\\u0000" = "1ms"\n', 1, "budget has the character 0 in it"),
        ("[camera]\nfps = nan\n", 2, "camera.fps is nan, not a number"),
        ("[camera]\nevery-frame = 1\n", 2, "camera.every-frame is 1, not true or false"),
        ("[rules]\nmax-misses = 2\n", 2, "rules.max-misses: 2.0 is not in the range"),
        ("[rules]\npass-label = 'a'\n", 2, "rules.pass-label is the text 'a', not a list of"),
        ("[rules]\npass-label = ['']\n", 2, "rules.pass-label: '' is empty"),
        ("[rules]\nunsure-below = 1.5\n", 2, "unsure-below: '1.5' is not a number from 0 to 1"),
        ("[rules]\nunsure-below = 'a'\n", 2, "unsure-below is the text 'a', neither a number nor"),
        ("[rules.unsure-below]\n'*'=0.5\na = 2\n", 3, "rules.unsure-below.a: 'a=2' is not a num"),
        ("[rules]\ndebounce = '3/2'\n", 2, "rules.debounce: '3/2' is not N of M frames"),
        ("[rules]\ndebounce = '2'\n", 2, "rules.debounce: '2' is not N/M"),
        ("[rules]\non-late = 'reject'\n", 2, "rules.on-late speaks at the deadline of a total"),
        ("[rules]\nmax-misses = 0.5\n", 2, "rules.max-misses limits budget misses, but no"),
        ("[budget]\ntotal = 20\n", 2, 'budget.total is 20, not a text; write total = "20ms"'),
        ("[budget]\ntotal='1s'\ninfer = '20'\n", 3, "budget.infer: budget 'infer=20': the unit"),
        ("[budget]\ntotl = '20ms'\n", 2, "budget.totl: budget 'totl=20ms': unknown step 'totl'"),
        (
            "budget = 3\n",
            1,
            'budget is 3, not a table; write [budget], and below it total = "20ms"',
        ),
        ("budget = '20ms'\n", 1, "budget is the text '20ms', not a table; write [budget], and"),
        ("[[budget]]\ntotal = '20ms'\n", 1, "not a table; write [budget], in single brackets"),
        ("engine = 'openvino'\n", 1, 'write [model], and below it engine = "openvino"'),
        ("camera = 0\n", 1, "camera is 0, not a table; write [camera], and below it camera = 0"),
        ("check = 'x'\n", 1, 'write [check], and below it check-parts = "samples"'),
        ("machine = true\n", 1, "write [machine], and below it realtime = true"),
        ("[camera]\nhealth-limit = 3\n", 2, "not a table; write [camera.health-limit], and below"),
        ("[[cameras]]\nname='a'\nsource='0'\nset=3\n", 4, "write [cameras.set], and below it Exp"),
        ("[recipes]\n7 = 'a.edgecl'\n", 2, 'write [recipes.7] with model = "a.edgecl"'),
        ("[recipes.7]\nmodel='x'\nunsure-below='a'\n", 3, "or [recipes.7.unsure-below], and below"),
        (
            "[output]\nsink = 'mqtt:x'\n",
            2,
            "output.sink is the text 'mqtt:x', not a list of texts; write sink = [\"mqtt:x\"]",
        ),
        ("[machine]\ncpus = 'x'\n", 2, "machine.cpus: 'x' is not a list of cores"),
        ("[model]\nthreads = 2\nthreads = 3\n", 3, "model.threads is there twice (first on line"),
        ("[model]\n[rules]\n[model]\n", 3, "model is there twice (first on line 1)"),
        ("[model]\nengine = onnx\n", 2, "not valid TOML (Invalid value)"),
        ("[model]\nengine = 'a\n", 2, "not valid TOML ("),
        ("[model]\n\nengine = ", 3, "not valid TOML ("),
    ],
)
def test_a_mistake_is_told_with_key_and_line(workplace, capsys, text, line, told):
    told_all = refusal(capsys, "--config", write(text), "--camera", "demo")
    assert told_all.startswith(f"line/line.toml:{line}: ")
    assert told in told_all
    assert told_all.endswith("[input]")
    assert not Path("streams").exists()


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (
            "[rules]\n\npass-label = ['good']\n",
            3,
            "rules.pass-label: the model has no label 'good'",
        ),
        ("[rules.unsure-below]\ndark=0.1\nx=0.2\n", 3, "rules.unsure-below.x: the model has no l"),
        ("[camera]\ncamera = 'parst'\n", 2, "camera.camera: camera 'line/parst': no such file"),
        ("[model]\nmodel = 'gone.edgecl'\n", 2, "model.model: no bundle found at line/gone.edge"),
        ("[model]\nengine = 'abacus'\n", 2, "model.engine: unknown engine 'abacus'"),
        ("[model]\nprecision = 'fp3'\n", 2, "model.precision fp3 is not a precision"),
        ("[output]\nsink = ['mqqt:x']\n", 2, "output.sink: unknown sink 'mqqt'"),
        ("[output]\nout = '/proc/none'\n", 2, "output.out: cannot write /proc/none"),
        ("[model]\nthreads=2\ndevice = 'gpu'\n", 2, "model.threads only affects CPU inference"),
    ],
)
def test_what_shows_later_is_told_with_key_and_line_too(workplace, capsys, text, line, told):
    given = [] if "camera]" in text else ["--camera", "line/parts"]
    told_all = refusal(capsys, "--config", write(text), *given)
    assert told_all.startswith(f"line/line.toml:{line}: {told}")


def test_an_option_on_the_command_line_is_told_as_one(workplace, capsys):
    write("[rules]\npass-label = ['dark']\n")
    base = ["--config", "line/line.toml", "--camera", "line/parts"]
    assert refusal(capsys, *base, "--pass-label", "good").startswith("--pass-label: the model has")
    assert refusal(capsys, *base, "--debounce", "x").startswith("--debounce 'x' is not N/M")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("gone.toml", "--config gone.toml cannot be read: No such file"),
        ("line", "--config line cannot be read: Is a directory"),
        ("latin.toml", "latin.toml:2: not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read(workplace, capsys, path, told):
    Path("latin.toml").write_bytes(b"[model]\nengine = '\xe4'\n")
    assert refusal(capsys, "--config", path, "--camera", "demo").startswith(told)


def test_windows_lines_and_an_index_without_quotes(workplace, capsys):
    path = write("[camera]\r\ncamera = 97\r\nfps = 'x'\r\n")
    assert refusal(capsys, "--config", path).startswith("line/line.toml:3: camera.fps")
    assert params("--config", write("[camera]\r\ncamera = 97\r\n"))["source"] == ("97",)


def test_a_mark_at_the_start_as_editors_on_windows_write_it(workplace):
    assert params("--config", write("\ufeff[camera]\ncamera = 'demo'\n"))["source"] == ("demo",)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("parts", "line/parts"),
        ("./parts", "line/parts"),
        ("gone.avi", "line/gone.avi"),
        ("/dev/video0", "/dev/video0"),
        ("0", "0"),
        ("demo", "demo"),
        ("", ""),
        ("http://h/p", "http://h/p"),
        ("numpy:frames.npy", "numpy:frames.npy"),
        ("a:b.png", "line/a:b.png"),
        ("videotestsrc ! appsink", "videotestsrc ! appsink"),
    ],
)
def test_a_camera_that_is_a_file_belongs_to_the_files_folder(workplace, text, taken):
    for name in ("0", "demo", "a:b.png"):
        Path("line", name).touch()
    assert params("--config", write(f"[camera]\ncamera = '{text}'\n"))["source"] == (taken,)


def test_rules_are_checked_before_they_are_printed(workplace, capsys):
    twice = ["--unsure-below", "0.1", "--unsure-below", "0.2"]
    assert "given twice" in refusal(capsys, "--camera", "demo", *twice, "--print-config")


def test_a_name_that_is_not_utf_8_is_refused_in_print(workplace, capsys):
    told = refusal(capsys, "--camera", "demo", "--out", "o\udcff", "--print-config")
    assert "not UTF-8" in told


def test_no_password_in_a_message(workplace, capsys):
    path = write("[camera]\ncamera = 'rtsp://user:hunter2@host:port/x'\n")
    told = refusal(capsys, "--config", path)
    assert told.startswith("line/line.toml:2: camera.camera: ")
    assert "hunter2" not in told


def test_a_file_asks_for_json_errors_too(workplace, capsys):
    path = write("[output]\njson = true\n[camera]\ncamera = 'gone.avi'\n")
    assert run(["run", "--config", path]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"].startswith("line/line.toml:4: camera.camera: camera ")


def test_what_a_process_prints_is_taken_back_but_for_passwords(workplace):
    source = "rtsp://admin:geheim@192.0.2.1/1"
    command = [sys.executable, "-m", "edgecl", "run", "--camera", source, "--print-config"]
    command += ["--login-file", "camera.login"]
    environment = {**os.environ, "PYTHONPATH": str(Path(edgecl.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "geheim" not in done.stdout
    assert 'camera = "rtsp://admin:***@192.0.2.1/1"' in done.stdout
    assert f'login-file = "{Path("camera.login").absolute()}"' in done.stdout
    assert "pass-label = []" in done.stdout
    path = write(done.stdout)
    assert run(["run", "--config", path, "--print-config"]) == 0
