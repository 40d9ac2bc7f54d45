"""`edgecl bench --engine oip`: a server beside the engines of this machine."""

from __future__ import annotations

import json

import pytest

from edgecl.cli.shell import run as edgecl
from tests.runtime.session.oip.server_double import MODEL, HttpDouble

SMALL = ("--frames", "6", "--warmup", "1", "--frame-size", "40x60", "--seed", "1")


@pytest.fixture
def server():
    with HttpDouble() as double:
        yield double


@pytest.fixture
def bundle(make_bundle, tmp_path, monkeypatch) -> str:
    monkeypatch.delenv("EDGECL_SERVER_TOKEN", raising=False)
    return str(make_bundle(tmp_path / "tiny.edgecl", precisions=("fp32", "int8")))


def test_a_server_is_a_side_in_the_precisions_that_it_has(bundle, server, tmp_path):
    out = tmp_path / "out"
    both = ("--engine", "onnxruntime", "--engine", "oip", "--url", server.url)
    assert edgecl(["bench", bundle, "--out", str(out), *SMALL, *both, "--layers"]) == 0
    report = json.loads((out / "latency.json").read_text())
    sides = {side["label"]: side for side in report["sides"]}
    assert list(sides) == ["tiny fp32 onnxruntime", "tiny fp32 oip", "tiny int8 onnxruntime"]
    assert sides["tiny fp32 oip"]["device"] == f"{MODEL} at {server.url}"
    assert sides["tiny fp32 oip"]["engine_version"] == "double 2"
    assert "layers" not in sides["tiny fp32 oip"]  # no profiler reaches there
    assert sides["tiny fp32 onnxruntime"]["layers"]["rows"]
    (skipped,) = report["left_out"]
    assert skipped["label"] == "tiny int8 oip"
    assert "does not serve tiny_int8" in skipped["reason"]
    assert server.inferred >= 6


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--precision", "int8", "--engine", "oip", "--url", "URL"), "does not serve tiny_int8"),
        (("--engine", "oip", "--url", "http://127.0.0.1:1"), "[server-unavailable]"),
        (("--engine", "oip"), "needs the address of a server"),
        (("--url", "URL"), "--engine oip does not stand beside it"),
        (("--engine", "oip", "--url", "URL", "--threads", "2"), "but a server infers"),
    ],
)
def test_what_cannot_be_measured_is_one_line(bundle, server, tmp_path, capfd, options, problem):
    given = [server.url if text == "URL" else text for text in options]
    assert edgecl(["bench", bundle, "--out", str(tmp_path / "o"), *SMALL, *given]) == 2
    error = capfd.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


def test_a_server_that_is_lost_ends_the_measurement_and_one_error_spoils_it(
    bundle, server, tmp_path, capfd
):
    out = tmp_path / "o"
    only = ("--engine", "oip", "--url", server.url, "--precision", "fp32", "--frames", "60")
    server.moods = {30: "error", 31: "well"}
    assert edgecl(["bench", bundle, "--out", str(out), *SMALL, *only]) == 0
    (side,) = json.loads((out / "latency.json").read_text())["sides"]
    assert side["answers"]["faults"] == 1
    assert "no_answer" in {finding["code"] for finding in side["findings"]}
    (out / "latency.json").unlink()
    capfd.readouterr()
    server.moods = {server.inferred + 30: "drop"}
    assert edgecl(["bench", bundle, "--out", str(out), *SMALL, *only]) == 3
    error = capfd.readouterr().err
    assert "tiny fp32 oip: http://" in error
    assert "was lost" in error
    assert "Traceback" not in error
    assert not (out / "latency.json").exists()
