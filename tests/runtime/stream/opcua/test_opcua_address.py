"""What `--sink opcua:` takes, and what it refuses before anything listens."""

from __future__ import annotations

import signal
import subprocess

import pytest

from runtime.errors import InputError
from runtime.stream.opcua.address import OpcuaAddress, parse_opcua
from runtime.stream.opcua.opening import open_opcua
from runtime.stream.sinks import SinkRequest


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", OpcuaAddress()),
        ("4841", OpcuaAddress(port=4841)),
        ("localhost:0", OpcuaAddress("localhost", 0)),
        ("[::1]:4840", OpcuaAddress("::1")),
        ("0.0.0.0:4840?users=u", OpcuaAddress("0.0.0.0", users="u", anonymous=False)),
        ("0.0.0.0:4840?users=u&anonymous=read", OpcuaAddress("0.0.0.0", users="u")),
        ("?users=u&anonymous=no", OpcuaAddress(users="u", anonymous=False)),
        ("?certificate=c&key=k&nodeset=n", OpcuaAddress(certificate="c", key="k", nodeset="n")),
    ],
)
def test_addresses(text, address):
    assert parse_opcua(text) == address


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("opc.tcp://127.0.0.1:4840", "is not HOST:PORT"),
        ("127.0.0.1:66666", "is not HOST:PORT"),
        ("::1:4840", "is not HOST:PORT"),
        (":4840", "is not HOST:PORT"),
        ("?user=u", "'user' is no option"),
        ("?users=", "users has no value"),
        ("?users=a&users=b", "each name once"),
        ("?nonsense", "'nonsense' is no option"),
        ("?anonymous=write", "neither read nor no"),
        ("?anonymous=no", "nobody could connect"),
        ("?certificate=c", "belong together"),
        ("?key=k", "belong together"),
    ],
)
def test_mistakes_are_one_line(text, problem):
    with pytest.raises(InputError, match=problem) as raised:
        parse_opcua(text)
    assert raised.value.hint
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_who_reaches_an_address(host, local):
    assert OpcuaAddress(host).is_local is local


def opened(tmp_path, text):
    return open_opcua(SinkRequest("opcua", text, tmp_path))


def test_another_address_needs_users(tmp_path):
    with pytest.raises(InputError, match="would serve every machine"):
        opened(tmp_path, "0.0.0.0:0")


def test_a_host_that_nobody_knows(tmp_path):
    with pytest.raises(InputError, match="the host is not known"):
        opened(tmp_path, "no-such-host.invalid:0")


def test_a_node_set_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nodeset gone\.xml is not there"):
        opened(tmp_path, "127.0.0.1:0?nodeset=gone.xml")


def test_without_asyncua_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="asyncua, which is not installed") as raised:
        opened(tmp_path, "")
    assert raised.value.code == "package-missing"
    assert "edgecl[opcua]" in raised.value.hint


def test_ctrl_c_while_the_process_begins_leaves_none_behind(tmp_path, monkeypatch):
    pytest.importorskip("asyncua", reason="needs pip install 'edgecl[opcua]'")
    started: list[subprocess.Popen[bytes]] = []

    class Started(subprocess.Popen[bytes]):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    def interrupted(link: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runtime.stream.opcua.sink.subprocess.Popen", Started)
    monkeypatch.setattr("runtime.stream.opcua.sink.receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path, "127.0.0.1:0")
    assert started[-1].returncode == -signal.SIGKILL
