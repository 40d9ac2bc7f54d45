"""`edgecl run --serve` on the command line: the page of a stream, and what is refused."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from edgecl.cli.shell import run
from runtime.serving import server
from runtime.serving.access import SERVE_TOKEN
from runtime.serving.address import ServeAddress, listen
from tests.edgecl.cli.run.judging import write_parts
from tests.edgecl.command import start
from tests.runtime.serving.lines import TOKEN, next_event

FREE = "127.0.0.1:0"


@pytest.fixture
def base(tmp_path: Path, monkeypatch, make_bundle) -> list[str]:
    """Arguments that judge two images."""
    make_bundle(tmp_path / "tiny.edgecl")
    write_parts(tmp_path / "parts", [40, 220])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SERVE_TOKEN, raising=False)
    return ["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o", "--json"]


def refused(capsys, arguments: list[str]) -> str:
    assert run(arguments) == 2
    assert not list(Path("o").glob("*")) if Path("o").exists() else True
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["exit_code"] == 2
    lines = [line for line in err.splitlines() if line.startswith("edgecl:")]
    assert len(lines) == 1
    return str(lines[0])


def test_a_stream_is_served_and_ends(base, capsys):
    assert run([*base, "--serve", FREE]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["captured"] == 2
    assert re.search(r"^page: http://127\.0\.0\.1:\d+/$", err, re.MULTILINE)


def test_without_a_value_it_is_the_usual_address(base, capsys):
    assert run([*base, "--serve", "--print-config"]) == 0
    assert 'serve = "127.0.0.1:8080"' in capsys.readouterr().out
    assert run([*base, "--print-config"]) == 0
    assert "# serve is not set" in capsys.readouterr().out


def test_a_port_in_use_is_one_line(base, capsys):
    with listen(ServeAddress("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        err = refused(capsys, [*base, "--serve", f"127.0.0.1:{port}"])
    assert f"another program has port {port}" in err


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_other_machines_need_a_token(base, capsys, address):
    assert "show the line to every machine" in refused(capsys, [*base, "--serve", address])


@pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1:99999", "http://localhost:80"])
def test_what_is_no_address_is_refused(base, capsys, address):
    assert "is not HOST:PORT" in refused(capsys, [*base, "--serve", address])


def test_options_without_effect_are_refused(base, capsys):
    for option in (["--serve-token", "t"], ["--serve-cert", "c"], ["--serve-name", "n"]):
        assert "is about a page, but none is served" in refused(capsys, [*base, *option])
    err = refused(capsys, [*base, "--serve", FREE, "--serve-key", "k"])
    assert "belongs to a certificate" in err


def test_a_missing_package_is_one_line(base, capsys, monkeypatch):
    monkeypatch.setattr(server, "_PACKAGES", ("no_such_package",))
    assert "pip install 'edgecl[serve]'" in refused(capsys, [*base, "--serve", FREE])


def test_a_lot_is_shown_without_a_sink(base, capsys):
    assert run([*base, "--serve", FREE, "--lot", "4711"]) == 0


def test_other_machines_with_a_token_get_a_warning_without_tls(base, capsys, monkeypatch):
    monkeypatch.setenv(SERVE_TOKEN, TOKEN)
    assert run([*base, "--serve", "0.0.0.0:0"]) == 0
    out, err = capsys.readouterr()
    notes = json.loads(out)["notes"]
    assert any("sends token and images unencrypted" in note for note in notes)
    assert TOKEN not in out + err


def test_the_token_is_nowhere_but_in_its_file(base, capsys):
    Path("secret").write_text(TOKEN)
    Path("secret").chmod(0o600)
    Path("line.toml").write_text(
        f'[output]\nserve = "{FREE}"\nserve-token = "secret"\nserve-name = ["line-3.plant"]\n'
    )
    config = ["--config", "line.toml"]
    assert run([*base, *config, "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert f'serve-token = "{Path("secret").absolute()}"' in printed
    assert 'serve-name = ["line-3.plant"]' in printed
    assert run([*base, *config]) == 0
    out, err = capsys.readouterr()
    kept = b"".join(path.read_bytes() for path in Path("o").rglob("*") if path.is_file())
    assert b"serve-token" in kept
    for text in (printed.encode(), out.encode(), err.encode(), kept):
        assert TOKEN.encode() not in text


def test_a_mistake_in_a_file_names_its_line(base, capsys):
    Path("short").write_text("short")
    Path("line.toml").write_text(f'[output]\nserve = "{FREE}"\nserve-token = "short"\n')
    err = refused(capsys, [*base, "--config", "line.toml"])
    assert "line.toml:3: output.serve-token: the token in" in err


def url_of(process: subprocess.Popen[str]) -> int:
    """The port of the page of a stream that has begun."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.match(r"page: http://127\.0\.0\.1:(\d+)/", line):
            return int(found[1])
    raise AssertionError("no page")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_with_viewers_at_the_page(base, number):
    cameras = ["--camera", "left=demo", "--camera", "right=demo"]
    arguments = [*cameras, "--fps", "20", "--engine", "onnxruntime", "--out", "o", "--serve", FREE]
    process = start("run", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    port = url_of(process)
    viewers = []
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/live/events")
        viewers.append(connection.getresponse())
    state = json.loads(next_event(viewers[0]))
    assert [camera["name"] for camera in state["cameras"]] == ["left", "right"]
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == 130
    last = viewers[0].read().decode()
    assert last.endswith("event: end\ndata: {}\n\n")
    summary = json.loads(Path("o/summary.json").read_text())
    final = json.loads(last.rpartition("event: state\ndata: ")[2].splitlines()[0])
    assert final["ended"]
    for camera in final["cameras"]:
        assert camera["captured"] == summary["cameras"][camera["name"]]["captured"]
    until = time.monotonic() + 60
    while _is_served(port):
        assert time.monotonic() < until
        time.sleep(0.1)


def _is_served(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
    except OSError:
        return False
    return True


def test_a_killed_stream_leaves_no_page_behind(base):
    arguments = ["--camera", "demo", "--fps", "20", "--engine", "onnxruntime", "--out", "o"]
    process = start("run", *arguments, "--serve", FREE, stderr=subprocess.PIPE)
    port = url_of(process)
    assert _is_served(port)
    process.kill()
    process.communicate(timeout=120)
    until = time.monotonic() + 60
    while _is_served(port):
        assert time.monotonic() < until
        time.sleep(0.1)
