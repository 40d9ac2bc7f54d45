"""`edgecl run` with a receiver that is down, then back, and passwords that never show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from tests.runtime.stream.remote.broker import free_port
from tests.runtime.stream.remote.receivers import frames
from tests.runtime.stream.remote.web_server import WebServer

BASE = ["run", "--camera", "parts", "--engine", "onnxruntime"]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """A bundle, and five images."""
    make_bundle(tmp_path / "tiny.edgecl")
    (tmp_path / "parts").mkdir()
    for number in range(5):
        cv2.imwrite(str(tmp_path / "parts" / f"{number}.png"), np.full((40, 60), 40, np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def later(port) -> Iterator[list[WebServer]]:
    """Servers that a test starts, and that end with it."""
    servers: list[WebServer] = []
    yield servers
    for server in servers:
        server.close()


def test_verdicts_wait_for_a_receiver_that_is_down_until_the_next_start(
    workplace, capsys, port, later
):
    sink = ["--sink", f"webhook:http://127.0.0.1:{port}/verdicts"]
    assert run([*BASE, *sink]) == 0
    out, err = capsys.readouterr()
    assert "5 wait for the next start (Connection refused)" in out
    assert "Connection refused; verdicts wait in streams/spool/webhook-" in err
    later.append(WebServer(port=port))
    assert run([*BASE, *sink, "--json"]) == 0
    out, err = capsys.readouterr()
    (account,) = json.loads(out)["sinks"]
    assert account == {
        "name": f"webhook 127.0.0.1:{port}",
        "lost": 0,
        "waiting": 0,
        "problem": None,
        "counts": {},
        "acted": 0,
        "late_acts": 0,
    }
    assert "5 verdicts of an earlier stream wait in streams/spool/webhook-" in err
    bodies = [json.loads(body) for body in later[0].bodies]
    assert [body["frame"] for body in bodies] == [*range(5), *range(5)]
    assert len({body["id"] for body in bodies}) == 10
    assert len({body["run"] for body in bodies}) == 2
    assert {(body["bundle"], body["camera"]) for body in bodies} == {
        ("tiny.edgecl", bodies[0]["camera"])
    }
    assert "parts" in bodies[0]["camera"]


def test_the_folder_of_the_spool_can_be_chosen_in_the_configuration(workplace, capsys, port):
    Path("line.toml").write_text(
        f'[output]\nspool = "kept"\nsink = ["webhook:http://127.0.0.1:{port}/v"]\n'
    )
    assert run([*BASE, "--config", "line.toml"]) == 0
    assert len(list(Path("kept").glob("webhook-*.sqlite"))) == 1
    assert not Path("streams/spool").exists()


def test_two_streams_that_share_a_spool_are_told_apart(workplace, capsys, port):
    from runtime.stream.sinks import open_sink

    text = f"webhook:http://127.0.0.1:{port}/verdicts"
    other = open_sink(text, Path(), spool=Path("streams/spool"))
    try:
        assert run([*BASE, "--sink", text]) == 2
    finally:
        other.close()
    assert "in use by another stream; give each stream a folder" in capsys.readouterr().err


@pytest.mark.parametrize("printing", [[], ["--print-config"]])
@pytest.mark.parametrize("where", ["option", "file"])
def test_a_password_in_the_address_of_a_sink_ends_the_command_and_is_not_shown(
    workplace, capsys, printing, where
):
    text = "mqtt:mqtt://me:geheim@broker/line"
    Path("line.toml").write_text(f'[output]\nsink = ["{text}"]\n')
    chosen = ["--sink", text] if where == "option" else ["--config", "line.toml"]
    assert run([*BASE, *chosen, *printing]) == 2
    out, err = capsys.readouterr()
    assert "geheim" not in out + err
    assert "must not stand in the address" in err
    if where == "file":
        assert "line.toml:2: output.sink: --sink mqtt:" in err
    assert not Path("streams").exists()


def test_frames_arrive_in_their_order(workplace, port, later):
    later.append(WebServer(port=port))
    assert run([*BASE, "--sink", f"webhook:http://127.0.0.1:{port}/v", "--spool", "kept"]) == 0
    assert frames(later[0].bodies) == list(range(5))
