"""`export --engine` and what `inspect` says of engines, on boxes that a probe describes."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from edgecl.cli.engine_choices import build_asked, engine_builder, options_of
from edgecl.cli.shell import run as edgecl
from export.engine.builder import Batches, BuildOptions, usual_batches
from export.engine.modules import load_tensorrt
from export.engine.ready import ready_engine
from runtime.artifact.bundle import load_bundle
from runtime.artifact.contract import InputContract
from runtime.artifact.engine_file import read_engine_file, sidecar_of
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from tests.export.boxes import probe, with_tensorrt


@pytest.fixture
def rtx():
    try:
        return load_tensorrt("tensorrt_rtx")
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def box(monkeypatch):
    """Set what the probe finds in this process."""

    def be(found) -> None:
        monkeypatch.setattr("runtime.gpu.probe.probe_gpu", lambda: found)

    problem = SimpleNamespace(missing="TensorRT is not installed", install="install it so")
    be(probe(module="", tensorrt="", device="", compute_capability="", problems=(problem,)))
    return be


def asked(**values):
    none = {"workspace": None, "builder_level": None, "max_batch": None, "fp32": False}
    return {**none, "build_engine": True, **values}


def silent(*step) -> None:
    pass


def test_without_tensorrt_an_engine_is_refused_before_the_export_begins(box, tmp_path, capfd):
    assert edgecl(["export", str(tmp_path / "no-such-run"), "--build-engine"]) == 2
    told = capfd.readouterr().err
    assert "TensorRT is not installed" in told
    assert "the first 'edgecl run' on the target builds the engine" in told
    assert "install it so" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("option", ["--workspace", "--builder-level", "--max-batch"])
def test_an_option_of_engines_without_an_engine_is_refused(option, tmp_path, capfd):
    assert edgecl(["export", str(tmp_path), option, "2"]) == 2
    assert f"{option} only affects TensorRT engines" in capfd.readouterr().err


def test_the_options_reach_the_builder():
    stretched = InputContract(32, 48)
    assert options_of(asked(), stretched) is None
    assert options_of({"workspace": 64, "builder_level": None}, stretched) == BuildOptions(
        workspace=64 * 2**20
    )
    everything = options_of(asked(workspace=1, builder_level=5, max_batch=8), stretched)
    assert everything == BuildOptions(Batches(1, 1, 8), workspace=2**20, builder_level=5)


@pytest.mark.parametrize(
    ("tile", "asked_for", "batches"),
    [
        ((96, 96), None, Batches(1, 16, 32)),
        ((256, 256), None, Batches(1, 8, 8)),
        ((2048, 2048), None, Batches(1, 1, 1)),
        ((96, 96), 64, Batches(1, 16, 64)),
        ((96, 96), 4, Batches(1, 4, 4)),
    ],
)
def test_engines_for_tiles_take_a_frames_tiles_together(tile, asked_for, batches):
    contract = InputContract(tile[0], tile[1], tiling=Tiling(tile))
    assert usual_batches(contract, asked_for) == batches
    options = options_of(asked(workspace=1, max_batch=asked_for), contract)
    assert options is not None
    assert options.batches == batches


def test_all_precisions_but_fp32_are_built_into_the_bundle(box, make_bundle, rtx):
    box(probe(rtx))
    bundle = with_tensorrt(make_bundle(precisions=("fp32", "fp16", "int8")))
    said: list[str] = []
    paths = build_asked(bundle.path, asked(max_batch=4), silent, said.append)
    engines = [read_engine_file(path) for path in paths]
    assert [engine.precision for engine in engines] == ["fp16", "int8"]
    assert {engine.batches for engine in engines} == {(1, 1, 4)}
    assert {path.parent for path in paths} == {bundle.path / "engines"}
    again = build_asked(bundle.path, asked(max_batch=4, fp32=True), silent, said.append)
    assert set(paths) < set(again)
    assert len(again) == 3


@pytest.mark.usefixtures("graphs_made_once")
def test_an_export_build_engines_names_them_and_they_fit(box, trained_run, tmp_path, rtx, capfd):
    box(probe(rtx))
    out = tmp_path / "built.edgecl"
    command = ["export", str(trained_run), "--fp16", "--max-drop", "20", "--out", str(out)]
    assert (
        edgecl([*command, "--build-engine", "--max-batch", "2", "--builder-level", "0", "--json"])
        == 0
    )
    told = capfd.readouterr()
    (path,) = json.loads(told.out)["engines"]
    engine = read_engine_file(out / "engines" / path.rpartition("/")[2])
    assert (engine.precision, engine.batches, engine.options["builder_level"]) == (
        "fp16",
        (1, 1, 2),
        0,
    )
    assert "building the fp16 engine for TensorRT for RTX" in told.err
    assert edgecl(["inspect", str(out), "--json"]) == 0
    assert [e["state"] for e in json.loads(capfd.readouterr().out)["engines"]] == ["fits"]


def test_fp32_alone_is_built(box, make_bundle, rtx):
    box(probe(rtx))
    bundle = with_tensorrt(make_bundle())
    assert len(build_asked(bundle.path, asked(), silent, silent)) == 1


def test_a_build_that_fails_says_that_the_bundle_is_there(box, make_bundle, rtx):
    box(probe(rtx, free_memory=2**20))
    bundle = with_tensorrt(make_bundle())
    with pytest.raises(InputError, match="but without an engine: not enough memory"):
        build_asked(bundle.path, asked(), silent, silent)


def test_the_first_run_builds_and_takes_whatever_was_built(box, make_bundle, rtx):
    box(probe(rtx))
    bundle = with_tensorrt(make_bundle(precisions=("fp16",)))
    said: list[str] = []
    engine_for = engine_builder(
        {"workspace": None, "builder_level": None}, silent, said.append, own_only=False
    )
    options = BuildOptions(Batches(1, 1, 8), builder_level=1)
    built = ready_engine(bundle, "fp16", options=options, probe=probe(rtx))
    assert engine_for(bundle, "fp16") == built
    assert said == []


def inspected(bundle, capfd):
    assert edgecl(["inspect", str(bundle.path), "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_inspect_tells_engines_that_fit_from_those_that_do_not(box, make_bundle, rtx, capfd):
    bundle = with_tensorrt(make_bundle(precisions=("fp16", "int8")))
    box(probe(rtx))
    ready_engine(bundle, "fp16", probe=probe(rtx))
    ready_engine(bundle, "int8", probe=probe(device="L4", compute_capability="8.9"), trt=rtx)
    found = {engine["precision"]: engine for engine in inspected(bundle, capfd)["engines"]}
    assert found["fp16"]["state"] == "fits"
    assert found["fp16"]["tensorrt"] == rtx.__version__
    assert found["int8"]["state"] == "stale"
    assert (
        "it was built for L4 (8.9), but this machine has RTX A4000 (8.6)" in found["int8"]["reason"]
    )
    assert edgecl(["inspect", str(bundle.path)]) == 0
    text = capfd.readouterr().out
    assert "engine fp16: TensorRT for RTX" in text
    assert "fits this machine" in text
    assert "stale (it was built for L4 (8.9)" in text
    assert "not in the manifest" not in text


def test_inspect_without_a_gpu_says_that_it_cannot_tell(box, make_bundle, rtx, capfd):
    bundle = with_tensorrt(make_bundle(precisions=("fp16",)))
    ready_engine(bundle, "fp16", probe=probe(rtx), trt=rtx)
    (engine,) = inspected(bundle, capfd)["engines"]
    assert engine["state"] == "unknown"
    assert "TensorRT is not installed" in engine["reason"]


def test_inspect_names_a_cut_engine_and_a_lost_sidecar(box, make_bundle, rtx, capfd):
    bundle = with_tensorrt(make_bundle(precisions=("fp16", "int8")))
    cut = ready_engine(bundle, "fp16", probe=probe(rtx), trt=rtx)
    cut.write_bytes(b"short")
    lost = ready_engine(bundle, "int8", probe=probe(rtx), trt=rtx)
    sidecar_of(lost).unlink()
    found = {engine["file"]: engine for engine in inspected(bundle, capfd)["engines"]}
    assert {engine["state"] for engine in found.values()} == {"damaged"}
    assert "truncated" in found[str(cut)]["reason"]
    assert "has no sidecar" in found[str(lost)]["reason"]
    assert edgecl(["inspect", str(bundle.path)]) == 0
    assert "damaged engine" in capfd.readouterr().out


def test_inspect_asks_no_gpu_where_there_are_no_engines(monkeypatch, make_bundle, capfd):
    monkeypatch.setitem(sys.modules, "runtime.gpu.probe", None)
    bundle = with_tensorrt(make_bundle())
    assert inspected(bundle, capfd)["engines"] == []


def test_nvidias_builder_takes_an_export_with_nothing_spared(trained_run, tmp_path, rtx):
    out = tmp_path / "b.edgecl"
    options = ["--fp16", "--int8", "--calibration", "minmax", "--max-drop", "20", "--out", str(out)]
    assert edgecl(["export", str(trained_run), *options]) == 0
    compiled = load_bundle(out).manifest.compiled
    assert set(compiled) == {"fp16", "int8-tensorrt"}
    assert all(rtx.__version__ in builder for builder in compiled.values())
