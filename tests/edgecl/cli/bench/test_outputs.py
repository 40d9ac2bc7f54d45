"""What `edgecl bench` measures and writes beside its times."""

from __future__ import annotations

import json
import os

import pytest

from edgecl.cli.bench.default_bundles import MARK, bundles_or_demo
from edgecl.cli.shell import run as edgecl
from runtime.errors import InputError

FEW = ["--frames", "6", "--warmup", "1", "--frame-size", "40x60", "--engine", "onnxruntime"]


def test_layers_conditions_and_times_for_trtexecs_readers(make_bundle, tmp_path, capfd):
    bundle = make_bundle()
    out, times = tmp_path / "out", tmp_path / "times.json"
    arguments = ["bench", str(bundle), "--out", str(out), *FEW, "--layers"]
    assert edgecl([*arguments, "--export-times", str(times)]) == 0
    report = json.loads((out / "latency.json").read_text())
    layers = report["sides"][0]["layers"]
    assert layers["rows"]
    assert layers["profiler"] == "onnxruntime's profiling file"
    assert sum(row["share"] for row in layers["rows"]) == pytest.approx(1, abs=0.01)
    assert report["peaks"]["copy_gb_s"] == 10
    assert report["conditions"]["affinity"] == sorted(os.sched_getaffinity(0))
    assert report["command"].startswith(f"edgecl bench {bundle}")
    assert len(json.loads(times.read_text())) == 6
    told = capfd.readouterr().out
    assert "layers of tiny fp32 onnxruntime" in told
    assert "a profiler takes time itself" in told
    assert str(times) in told
    page = (out / "latency.html").read_text()
    assert "Repeat it" in page
    assert "layers take" in page


def test_markdown_alone_is_on_standard_output(make_bundle, tmp_path, capfd):
    arguments = ["bench", str(make_bundle()), "--out", str(tmp_path / "o"), *FEW]
    assert edgecl([*arguments, "--markdown"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("**INVALID**: ")
    assert lines[2].startswith("| side | p50 ms | p99 ms |")
    assert lines[4].startswith("| tiny fp32 onnxruntime (INVALID) | ")
    assert lines[-1].startswith("Repeat: `edgecl bench ")


def test_two_forms_of_one_output_are_refused(make_bundle, tmp_path, capfd):
    arguments = ["bench", str(make_bundle()), "--out", str(tmp_path / "o"), *FEW]
    assert edgecl([*arguments, "--markdown", "--json"]) == 2
    assert "two forms of one output" in capfd.readouterr().err
    assert not (tmp_path / "o").exists()


def test_times_that_cannot_be_written_lose_no_report(make_bundle, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    out = tmp_path / "o"
    arguments = ["bench", str(make_bundle()), "--out", str(out), *FEW]
    assert edgecl([*arguments, "--export-times", str(tmp_path / "file" / "t.json")]) == 2
    assert "cannot write" in capfd.readouterr().err
    assert (out / "latency.html").is_file()


def make_demo(folder, *, age=0, names=("convnet", "shufflenet")):
    folder.mkdir()
    for name in names:
        (folder / f"{name}.edgecl").mkdir()
    (folder / MARK).write_text("")
    os.utime(folder / MARK, (1000 - age, 1000 - age))


def test_without_bundles_the_newest_demos_are_compared(tmp_path):
    make_demo(tmp_path / "demo", age=5)
    make_demo(tmp_path / "demo-new")
    make_demo(tmp_path / "demo-broken", age=-5, names=("convnet",))
    found = bundles_or_demo((), tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "demo-new/convnet.edgecl",
        "demo-new/shufflenet.edgecl",
    ]
    assert bundles_or_demo([tmp_path], tmp_path) == (tmp_path,)


@pytest.mark.parametrize("names", [None, (), ("shufflenet",)])
def test_without_bundles_and_demo_one_line_says_what_to_do(tmp_path, names):
    if names is not None:
        make_demo(tmp_path / "demo", names=names)
    with pytest.raises(InputError, match="no bundle given") as caught:
        bundles_or_demo((), tmp_path)
    assert "edgecl demo" in str(caught.value.hint)


def test_the_command_says_so_too(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert edgecl(["bench"]) == 2
    error = capfd.readouterr().err
    assert "no bundle given" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
