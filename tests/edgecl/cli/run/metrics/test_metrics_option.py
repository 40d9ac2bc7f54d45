"""`edgecl run --metrics` on the command line and in the configuration."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecl.cli.shell import run
from runtime.stream.metrics.address import TOKEN
from tests.edgecl.cli.run.judging import ARGUMENTS, judged, write_parts
from tests.runtime.stream.remote.broker import free_port

pytest.importorskip("prometheus_client")

PATIENCE = 60.0


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    make_bundle(tmp_path / "tiny.edgecl")
    write_parts(tmp_path / "parts", [40, 200, 40, 200, 120])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(TOKEN, raising=False)
    return tmp_path


def scraped(port: int, until: Callable[[str], bool]) -> threading.Thread:
    """A thread that scrapes until it has seen what it wants; it is kept as `body`."""
    thread = threading.Thread(target=_scrape, args=(port, until), daemon=True)
    thread.body = ""  # type: ignore[attr-defined]
    thread.start()
    return thread


def _scrape(port: int, until: Callable[[str], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            address = f"http://127.0.0.1:{port}/metrics"
            with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                body = answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
            continue
        if until(body):
            threading.current_thread().body = body  # type: ignore[attr-defined]
            return


def refused(capsys, *more: str) -> str:
    assert run([*ARGUMENTS, *more]) == 2
    assert not Path("o").exists() or not list(Path("o").glob("*"))
    err: str = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def test_a_running_stream_is_scraped(workplace, capsys):
    port = free_port()
    reader = scraped(port, lambda body: 'edgecl_frames_total{status="pass"}' in body)
    summary, _ = judged(capsys, [*ARGUMENTS, "--fps", "4", "--metrics", str(port)])
    reader.join(PATIENCE)
    body = reader.body  # type: ignore[attr-defined]
    assert 'bundle="tiny.edgecl"' in body
    assert 'engine="onnxruntime"' in body
    assert 'edgecl_sink_lost_total{sink="verdicts"} 0.0' in body
    assert summary["captured"] == 5
    with socket.create_server(("127.0.0.1", port)):
        pass  # the port is free again


def test_several_cameras_are_told_apart(workplace, capsys):
    port = free_port()
    reader = scraped(port, lambda body: 'camera="right",status="pass"' in body)
    write_parts(Path("more"), [40, 200])
    cameras = ["--camera", "left=parts", "--camera", "right=more", "--fps", "4"]
    more = ["--sink", "jsonl:copy.jsonl", "--metrics", str(port), "--part-of", "trigger"]
    assert run(["run", *cameras, "--engine", "onnxruntime", "--out", "o", *more]) == 0
    reader.join(PATIENCE)
    body = reader.body  # type: ignore[attr-defined]
    assert 'edgecl_sink_lost_total{camera="left",sink="verdicts"}' in body
    assert 'edgecl_sink_lost_total{sink="jsonl"}' in body
    assert 'edgecl_parts_total{status="pass"}' in body
    assert 'edgecl_parts_without_camera_total{camera="right"}' in body


def test_a_port_in_use_ends_the_command_with_one_line(workplace, capsys):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        told = refused(capsys, "--metrics", f"127.0.0.1:{port}")
    assert f"--metrics: 127.0.0.1:{port} is in use by another program" in told


def test_a_network_without_a_token_is_refused(workplace, capsys):
    assert "no token is set; pass 0.0.0.0:0?token-file=FILE" in refused(
        capsys, "--metrics", "0.0.0.0:0"
    )


def test_a_token_of_the_environment_lets_the_network_in_and_is_not_shown(
    workplace, capsys, monkeypatch
):
    monkeypatch.setenv(TOKEN, "geheim")
    assert run([*ARGUMENTS, "--metrics", "0.0.0.0:0"]) == 0
    out, err = capsys.readouterr()
    assert "is not encrypted" in err
    assert "geheim" not in out + err + Path("o/config.toml").read_text()


def test_the_configuration_has_a_key_and_its_line_is_named(workplace, capsys):
    Path("line.toml").write_text('[camera]\ncamera = "parts"\n[output]\nmetrics = "box"\n')
    assert run(["run", "--config", "line.toml", "--out", "o"]) == 2
    err = capsys.readouterr().err
    assert "line.toml:4: output.metrics: --metrics: 'box' is no HOST:PORT" in err
    Path("line.toml").write_text('[output]\nmetrics = "0.0.0.0:0"\n')
    assert "line.toml:2: output.metrics: --metrics: 0.0.0.0 is reached" in refused(
        capsys, "--config", "line.toml"
    )


@pytest.mark.parametrize("given", [["--metrics"], ["--metrics", "9464"], []])
def test_the_address_is_optional(workplace, capsys, given):
    assert run(["run", "--camera", "demo", *given, "--print-config"]) == 0
    printed = capsys.readouterr().out
    wanted = {0: "# metrics is not set", 1: 'metrics = "127.0.0.1:9464"', 2: 'metrics = "9464"'}
    assert wanted[len(given)] in printed


def test_the_package_that_is_missing_is_named(workplace, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    told = refused(capsys, "--metrics")
    assert "pip install 'edgecl[metrics]'" in told
    assert "[package-missing]" in told
