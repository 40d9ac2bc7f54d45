"""`edgecl run --engine oip` as a user calls it, with a server that misbehaves in service."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from edgecl.cli.shell import run
from tests.edgecl.cli.run.judging import write_parts
from tests.runtime.session.oip.server_double import MODEL, HttpDouble

LEVELS = [40, 128, 215] * 4


@pytest.fixture
def server():
    with HttpDouble() as double:
        yield double


@pytest.fixture
def line(tmp_path, monkeypatch, make_bundle) -> Path:
    """The bundle and a folder of images, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGECL_SERVER_TOKEN", raising=False)
    make_bundle(tmp_path / "tiny.edgecl")
    write_parts(tmp_path / "parts", LEVELS)
    return Path(tmp_path)


@pytest.fixture
def few(monkeypatch) -> None:
    """Fewer failures in a row than in earnest end the stream."""
    monkeypatch.setattr("runtime.stream.judge.FAILURES_IN_A_ROW", 5)


def judged(
    capsys, url: str, *more: str, code: int = 0, camera: str = "parts"
) -> tuple[dict[str, Any], list[Any], str]:
    """The summary of a stream, its verdicts, and what was said."""
    arguments = ["--model", "tiny.edgecl", "--camera", camera, "--health", "off", "--json"]
    arguments = [*arguments, "--unknown", "off", "--engine", "oip", "--url", url, "--out", "o"]
    assert run(["run", *arguments, *more]) == code
    out, err = capsys.readouterr()
    assert not [thread for thread in threading.enumerate() if thread.name == "server"]
    lines = Path("o/verdicts.jsonl")
    verdicts = [json.loads(text) for text in lines.read_text().splitlines()]
    summary = json.loads(Path("o/summary.json").read_text())
    assert summary["balanced"]
    assert summary["judged"] + summary["dropped"] + summary["faulty"] == summary["captured"]
    return summary, verdicts, out + err


def refused(capsys, *arguments: str) -> str:
    assert run(["run", "--model", "tiny.edgecl", "--camera", "parts", *arguments]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return " ".join(err.split())


def test_the_server_infers(line, server, capsys):
    summary, verdicts, said = judged(capsys, server.url)
    assert [verdict["label"] for verdict in verdicts] == ["dark", "middle", "bright"] * 4
    assert (summary["engine"], summary["precision"]) == ("oip", "fp32")
    assert f"fp32 on oip double 2, {MODEL} at {server.url}" in said


def test_a_server_that_hangs_makes_frames_late(line, server, capsys):
    server.moods = {4: "hang"}
    summary, verdicts, _ = judged(capsys, server.url, "--budget", "total=300ms")
    assert summary["captured"] == len(LEVELS)
    assert verdicts[3]["status"] == "late"
    assert {verdict["status"] for verdict in verdicts[4:]} <= {"late", "fault"}


def test_what_is_no_answer_is_a_fault_and_the_stream_goes_on(line, server, capsys):
    server.moods = {3: "nan", 4: "shape", 5: "error", 6: "well"}
    _, verdicts, _ = judged(capsys, server.url)
    assert [verdict["status"] for verdict in verdicts[1:4]] == ["fault"] * 3
    assert "NaN" in verdicts[1]["reason"]
    assert "its probabilities are 1×2 for 1 images" in verdicts[2]["reason"]
    assert "HTTP 500" in verdicts[3]["reason"]
    assert [verdict["label"] for verdict in verdicts[4:6]] == ["middle", "bright"]


def test_a_server_that_is_gone_costs_every_frame_and_ends_nothing(line, server, capsys, few):
    server.moods = {3: "drop"}
    _, verdicts, said = judged(capsys, server.url)
    assert len(verdicts) == len(LEVELS)
    assert verdicts[0]["status"] != "fault"
    assert {verdict["status"] for verdict in verdicts[1:]} == {"fault"}
    assert "was lost: it closed the connection" in said


def test_a_server_that_is_given_up_ends_with_3(line, server, capsys, tmp_path):
    write_parts(tmp_path / "more", [128] * 40)
    server.moods = {3: "drop"}
    more = ["--fps", "50", "--server-give-up-after", "0.05"]
    _, verdicts, said = judged(capsys, server.url, *more, code=3, camera="more")
    assert "is not back after 0.05 s" in said
    assert "session-lost" in said
    assert verdicts[-1]["status"] == "fault"


def test_a_server_that_fails_on_and_on_ends_with_3(line, server, capsys, few):
    server.moods = {3: "error"}
    _, _, said = judged(capsys, server.url, code=3)
    assert "the model failed on 5 frames in a row" in said
    assert "model-failing" in said


def test_what_cannot_be_used_ends_with_2(line, server, capsys):
    oip = ["--engine", "oip"]
    url = ["--url", server.url]
    said = refused(capsys, *oip, *url, "--server-model", "nothing")
    assert "does not serve nothing: HTTP 404" in said
    assert "has no int8" in refused(capsys, *oip, *url, "--precision", "int8")
    assert "needs the address of a server" in refused(capsys, *oip)
    assert "add --engine oip" in refused(capsys, *url)
    assert "password must not" in refused(capsys, *oip, "--url", "http://me:s3cret@host")
    assert "a server infers" in refused(capsys, *oip, *url, "--threads", "2")
    assert "does not run on the gpu" in refused(capsys, *oip, *url, "--device", "gpu")
    assert "cannot be read" in refused(capsys, *oip, *url, "--server-token", "none")
    server.stop()
    said = refused(capsys, *oip, *url)
    assert "does not answer: Connection refused" in said
    assert "[server-unavailable]" in said


def test_the_configuration_has_a_table_for_the_server(line, server, capsys):
    (line / "secret").write_text("s3cret")
    (line / "line.toml").write_text(
        '[camera]\ncamera = "parts"\n[model]\nmodel = "tiny.edgecl"\nengine = "oip"\n'
        f'[engine]\nurl = "{server.url}"\nserver-token = "secret"\n[output]\nout = "o"\n'
    )
    assert run(["run", "--config", "line.toml"]) == 0
    asked = [headers["Authorization"] for _, headers in server.asked]
    assert set(asked) == {"Bearer s3cret"}
    out, err = capsys.readouterr()
    kept = "".join(path.read_text() for path in Path("o").iterdir() if path.is_file())
    assert "s3cret" not in out + err + kept
    assert f'url = "{server.url}"' in kept
    (line / "line.toml").write_text('[engine]\nurl = "triton"\n[camera]\ncamera = "parts"\n')
    assert run(["run", "--config", "line.toml"]) == 2
    assert "line.toml:2: engine.url: 'triton' is no address" in " ".join(
        capsys.readouterr().err.split()
    )
