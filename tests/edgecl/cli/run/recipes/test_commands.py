"""Commands to a running stream, from whoever sends what."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecl.cli.run.recipes.commands import LineCommands
from runtime.errors import InputError
from runtime.stream.checking.report import CheckReport
from runtime.stream.control.socket import NAME, ControlServer, ask, is_listening
from runtime.stream.recipes.outcome import RecipeOutcome

Ask = Callable[[bytes], dict[str, Any]]


def no_check() -> CheckReport:
    raise InputError("another check is under way", hint="wait", code="check-busy")


def echo(given) -> RecipeOutcome:
    return RecipeOutcome(ok=True, recipe=str(given.get("recipe")), digest="d")


def broken(given) -> RecipeOutcome:
    raise ZeroDivisionError("a bug")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    opened = ControlServer(tmp_path, {"echo": echo, "broken": broken})
    yield opened
    opened.close()


@pytest.fixture
def send(server) -> Ask:
    """Send bytes as they are; the answer."""

    def raw(data: bytes) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(server.path))
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            heard = b""
            while part := connection.recv(65536):
                heard += part
        return json.loads(heard) if heard else {}

    return raw


def test_a_command_gets_its_answer_on_one_line(server, tmp_path):
    assert ask(tmp_path, "echo", recipe="7")["recipe"] == "7"
    assert server.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\n", "no JSON object"),
        (b"{\n", "no JSON object"),
        (b"[1]\n", "no JSON object"),
        (b'{"command": 3}\n', "no JSON object"),
        (b"[" * 60_000 + b"\n", "no JSON object"),
        (b"\xff\xfe\n", "no JSON object"),
        (b'{"command": "stop"}\n', "there is no command 'stop'"),
        (b'{"command": "broken"}\n', "ZeroDivisionError: a bug"),
    ],
)
def test_what_is_no_command_is_told_and_the_next_one_is_heard(send, tmp_path, data, told):
    assert told in send(data)["error"]["message"]
    assert ask(tmp_path, "echo", recipe=1)["recipe"] == "1"


@pytest.mark.parametrize("data", [b"", b'{"command": "echo"', b" " * 70_000 + b"\n"])
def test_half_a_command_and_one_without_an_end_get_no_answer(send, tmp_path, data):
    with contextlib.suppress(OSError):  # the rest is not taken any more
        assert send(data) == {}
    assert ask(tmp_path, "echo", recipe=1)["ok"]


def test_a_folder_with_a_long_name_has_its_socket(tmp_path):
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    server = ControlServer(folder, {"echo": echo})
    assert ask(folder, "echo", recipe=1)["ok"]
    server.close()
    assert not is_listening(folder)
    assert not list(folder.iterdir())


def test_what_is_no_socket_is_left_alone(tmp_path):
    (tmp_path / NAME).write_text("mine")
    with pytest.raises(InputError, match="is no socket"):
        ControlServer(tmp_path, {})
    assert (tmp_path / NAME).read_text() == "mine"


def test_a_controller_hears_why_its_number_was_refused(tmp_path):
    class Changer:
        def change(self, recipe: str) -> RecipeOutcome:
            ok = recipe == "7"
            code = "" if ok else "recipe-unknown"
            return RecipeOutcome(ok=ok, code=code, message="no such", recipe="7", digest="d")

    commands = LineCommands(Changer(), no_check)  # type: ignore[arg-type]
    commands.require_recipe(7)
    with pytest.raises(InputError, match="no such") as refused:
        commands.require_recipe(8)
    assert refused.value.code == "recipe-unknown"
    with pytest.raises(InputError, match="has no recipe"):
        commands.handlers()["recipe"]({"recipe": None})
