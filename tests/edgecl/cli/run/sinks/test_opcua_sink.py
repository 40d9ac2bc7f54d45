"""`edgecl run --sink opcua:`: recipes by a client, Ctrl-C with clients, and what is refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from edgecl.cli.shell import run
from tests.edgecl.cli.run.recipes.running import ended, running
from tests.runtime.stream.opcua.serving import (
    PASSWORD,
    USER,
    SeenLine,
    patient_client,
    until,
)
from tests.runtime.stream.remote.broker import free_port

pytest.importorskip("asyncua", reason="needs asyncua: pip install 'edgecl[opcua]'")

NEWEST = "VisionSystem/ResultManagement/Results/Newest"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    for name in ("bolt", "nut"):
        make_bundle(tmp_path / f"{name}.edgecl")
    (tmp_path / "users").write_text(f"{USER}:{PASSWORD}\n")
    (tmp_path / "users").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_client_changes_the_recipe_of_a_stream_that_ctrl_c_ends_under_it(workplace):
    port = free_port()
    sink = f"opcua:127.0.0.1:{port}?users=users"
    with running(
        "--recipe", "7=bolt.edgecl", "--recipe", "8=nut.edgecl", "--sink", sink
    ) as process:
        code, said = asyncio.run(_changed_then_ended(port, process))
    assert code == 130
    assert f"OPC UA: opc.tcp://127.0.0.1:{port}/edgecl" in said
    assert "recipe 8 judges now" in said
    (account,) = json.loads(Path("o/summary.json").read_text())["sinks"]
    assert (account["name"], account["lost"], account["problem"]) == ("opcua", 0, None)


async def _changed_then_ended(port: int, process: Any) -> tuple[int, str]:
    """Change the recipe, then end the stream while two clients are connected; what it said."""
    import asyncua.ua as types

    url = f"opc.tcp://127.0.0.1:{port}/edgecl"
    user = patient_client(url)
    user.set_user(USER)
    user.set_password(PASSWORD)
    watching = patient_client(url)
    await user.connect()
    await watching.connect()
    try:
        await user.load_data_type_definitions()
        seen = await SeenLine.of(user)
        await (await SeenLine.of(watching)).listen("ResultReadyEventType")

        async def judged_by(recipe: str) -> None:
            async def is_it() -> bool:
                newest = await seen.value(NEWEST)
                return newest is not None and newest.InternalRecipeId.Id == recipe

            await until(is_it, f"a result of recipe {recipe}")

        await judged_by("7")
        await seen.stop()
        external = types.RecipeIdExternalDataType(Id="8")
        answer = await seen.call("RecipeManagement/PrepareRecipe", external, None)
        assert answer[2] == 0
        await seen.start()
        await judged_by("8")
        return await asyncio.to_thread(ended, process)
    finally:
        for client in (user, watching):
            await asyncio.wait_for(asyncio.gather(client.disconnect(), return_exceptions=True), 60)


@pytest.mark.parametrize(
    ("sink", "problem"),
    [
        ("opcua:0.0.0.0:4840", "would serve every machine that reaches this one"),
        ("opcua:here", "'here' is not HOST:PORT"),
        ("opcua:?certificate=a.pem", "certificate and key belong together"),
        ("opcua:?users=gone", "users gone cannot be read"),
    ],
)
def test_mistakes_end_the_command_with_one_line(workplace, capsys, sink, problem):
    given = ["run", "--model", "bolt.edgecl", "--camera", "demo", "--frames", "1"]
    assert run([*given, "--sink", sink]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert problem in lines[-1]
    assert "Traceback" not in "".join(lines)


def test_the_sink_has_its_place_in_the_configuration(workplace, capsys):
    Path("line.toml").write_text('[output]\nsink = ["opcua:127.0.0.1:99999"]\n')
    given = ["run", "--model", "bolt.edgecl", "--camera", "demo", "--config", "line.toml"]
    assert run(given) == 2
    assert "line.toml:2" in capsys.readouterr().err
