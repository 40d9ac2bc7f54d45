"""`edgecl run --heat-maps` on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from runtime.artifact import bundle
from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.heat_maps import HEAT_MAPS_FILE
from runtime.artifact.tiling import Tiling
from tests.heat_map_graph import add_heat_maps, darkness_graph

SPOTS = ((10, 10), (50, 30), None, (30, 20))


@pytest.fixture
def base(tmp_path: Path, monkeypatch, make_bundle) -> list[str]:
    """Arguments that judge four images: dark but for a black spot, and one bright one."""
    make_bundle(tmp_path / "tiny.edgecl", tiling=Tiling((32, 48), combine="worst"))
    (tmp_path / "parts").mkdir()
    for number, spot in enumerate(SPOTS):
        image = np.full((40, 60), 220 if spot is None else 60, np.uint8)
        if spot is not None:
            cv2.circle(image, spot, 5, 0.0, -1)
        cv2.imwrite(str(tmp_path / f"parts/{number}.png"), image)
    monkeypatch.chdir(tmp_path)
    return ["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o", "--json"]


def refused(capsys, arguments: list[str]) -> str:
    assert run(arguments) == 2
    assert not list(Path("o").glob("*")) if Path("o").exists() else True
    err: str = capsys.readouterr().err
    return err


def test_rejects_get_heat_maps_and_the_summary_counts_them(base, capsys):
    add_heat_maps(Path("tiny.edgecl"))
    assert run([*base, "--heat-maps", "2"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["statuses"]["reject"] == 3
    account = summary["heat_maps"]
    assert (account["written"], account["kept"], account["left_out"]) == (3, 2, 0)
    lines = [json.loads(line) for line in Path("o/heat_maps.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 3]
    for line in lines:
        left, top = SPOTS[line["frame"]] or (-99, -99)
        assert np.hypot(line["left"] - left, line["top"] - top) < 8
    assert sorted(path.name for path in Path("o/heat_maps").iterdir()) == [
        "00000001.jpg",
        "00000003.jpg",
    ]


def test_a_reject_that_is_held_back_has_none(base, capsys):
    add_heat_maps(Path("tiny.edgecl"))
    assert run([*base, "--heat-maps", "5", "--debounce", "2/2"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["held_back"], summary["heat_maps"]["written"]) == (2, 1)
    assert json.loads(Path("o/heat_maps.jsonl").read_text())["frame"] == 1


def test_without_the_option_nothing_is_written(base, capsys):
    add_heat_maps(Path("tiny.edgecl"))
    assert run(base) == 0
    assert json.loads(capsys.readouterr().out)["heat_maps"] is None
    assert not Path("o/heat_maps").exists()
    assert not Path("o/heat_maps.jsonl").exists()


def test_the_terminal_says_how_many_and_where(base, capsys):
    add_heat_maps(Path("tiny.edgecl"))
    base.remove("--json")
    assert run([*base, "--heat-maps", "2"]) == 0
    assert "2 heat maps in o/heat_maps, the newest of 3" in capsys.readouterr().out


def test_a_bundle_without_the_graph_says_how_to_get_it(base, capsys):
    err = refused(capsys, [*base, "--heat-maps", "5"])
    assert "tiny.edgecl has no heat-map graph" in err
    assert "edgecl export --heat-maps" in err


def test_a_file_of_a_bundle_has_no_heat_maps(base, capsys):
    add_heat_maps(Path("tiny.edgecl"))
    lone = [*base, "--model", "tiny.edgecl/model.fp32.onnx", "--heat-maps", "5"]
    assert "needs a bundle" in refused(capsys, lone)


def test_damage_of_the_graph_is_one_line(base, capsys):
    add_heat_maps(Path("tiny.edgecl"))
    path = Path("tiny.edgecl") / HEAT_MAPS_FILE
    path.write_bytes(path.read_bytes()[:-10])
    assert "was changed after export" in refused(capsys, [*base, "--heat-maps", "5"])
    add_heat_maps(Path("tiny.edgecl"), b"no graph")
    assert "heat_maps.onnx is not a graph" in refused(capsys, [*base, "--heat-maps", "5"])
    plain = Path("tiny.edgecl/model.fp32.onnx").read_bytes()
    add_heat_maps(Path("tiny.edgecl"), plain)
    assert "is not a heat-map graph" in refused(capsys, [*base, "--heat-maps", "5"])
    other = ModelContract(InputContract(32, 48), ("a", "b"))
    add_heat_maps(Path("tiny.edgecl"), darkness_graph(other))
    assert "belongs to another model" in refused(capsys, [*base, "--heat-maps", "5"])


@pytest.mark.parametrize("value", ["0", "-1", "many", "1000000"])
def test_a_number_that_is_none_is_refused(base, capsys, value):
    assert "--heat-maps" in refused(capsys, [*base, "--heat-maps", value])


def test_the_configuration_has_a_key_and_its_line_is_named(base, capsys):
    Path("line.toml").write_text('[output]\nheat-maps = 5\n[camera]\ncamera = "parts"\n')
    err = refused(capsys, ["run", "--config", "line.toml", "--out", "o"])
    assert "line.toml:2: output.heat-maps: tiny.edgecl has no heat-map graph" in err
    add_heat_maps(Path("tiny.edgecl"))
    assert run(["run", "--config", "line.toml", "--out", "o", "--engine", "onnxruntime"]) == 0
    assert len(list(Path("o/heat_maps").iterdir())) == 3
    assert "heat-maps = 5" in Path("o/config.toml").read_text()


def test_heat_maps_of_an_earlier_stream_stay(base, capsys):
    add_heat_maps(Path("tiny.edgecl"))
    Path("o/heat_maps").mkdir(parents=True)
    assert run([*base, "--heat-maps", "5"]) == 2
    assert "heat_maps already exists" in capsys.readouterr().err
    assert not Path("o/verdicts.jsonl").exists()


def test_a_sink_may_not_write_over_the_index(base, capsys):
    assert "the stream itself writes" in refused(capsys, [*base, "--sink", "jsonl:heat_maps.jsonl"])


def test_the_bundle_is_read_and_verified_once_for_all_cameras(base, capsys, monkeypatch):
    add_heat_maps(Path("tiny.edgecl"))
    verified: list[str] = []
    read, verify = bundle._read_manifest, bundle._verify

    def reading(path: Path) -> dict[str, Any]:
        verified.append("manifest")
        return read(path)

    def verifying(path: Path, digest: str) -> None:
        verified.append(path.name)
        verify(path, digest)

    monkeypatch.setattr(bundle, "_read_manifest", reading)
    monkeypatch.setattr(bundle, "_verify", verifying)
    shutil.copytree("parts", "others")
    cameras = ["--camera", "left=parts", "--camera", "right=others", "--workers", "2"]
    arguments = [argument for argument in base if argument not in ("--camera", "parts")]
    assert run([*arguments, *cameras, "--heat-maps", "2"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["cameras"]["right"]["heat_maps"]["written"] == 3
    assert len(verified) == len(set(verified))
    assert {"manifest", HEAT_MAPS_FILE} <= set(verified)
