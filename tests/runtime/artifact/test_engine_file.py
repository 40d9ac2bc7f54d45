"""Engines on disk: what a sidecar keeps, and what is said of one that cannot be trusted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.engine_file import (
    EngineFile,
    load_engine_file,
    read_engine_file,
    read_sidecar,
    write_engine_file,
)
from runtime.errors import InputError

PLAN = b"a plan of TensorRT's" * 50


@pytest.fixture
def engine(tmp_path: Path) -> EngineFile:
    made = EngineFile(
        path=tmp_path / "engines" / "abc.engine",
        engine_sha256=hashlib.sha256(PLAN).hexdigest(),
        onnx_sha256="0" * 64,
        precision="fp16",
        contract=ModelContract(InputContract(32, 48), ("dark", "bright"), ("bright",)),
        tensorrt="10.3.0.26",
        module="tensorrt",
        device="Orin",
        compute_capability="8.7",
        options={"workspace": None, "builder_level": 3},
        batches=(1, 1, 4),
        built="2026-11-26T00:00:00+00:00",
        seconds=12.5,
    )
    write_engine_file(made, PLAN)
    return made


def change(engine: EngineFile, **fields) -> None:
    value = json.loads(engine.sidecar.read_text())
    engine.sidecar.write_text(json.dumps({**value, **fields}))


def test_what_was_written_is_read_again_and_the_bytes_are_the_builders(engine):
    assert load_engine_file(engine.path) == (engine, PLAN)
    assert engine.path.read_bytes() == PLAN
    assert sorted(path.name for path in engine.path.parent.iterdir()) == ["abc.engine", "abc.json"]


def test_an_engine_that_was_cut_is_told_by_its_hash(engine):
    engine.path.write_bytes(PLAN[:-1])
    with pytest.raises(InputError, match=r"abc\.engine is truncated or was changed") as caught:
        read_engine_file(engine.path)
    assert "edgecl run" in caught.value.hint
    assert read_sidecar(engine.path) == engine


def test_an_engine_without_its_sidecar_is_refused(engine):
    engine.sidecar.unlink()
    with pytest.raises(InputError, match=r"abc\.engine has no sidecar abc\.json"):
        read_engine_file(engine.path)


def test_an_engine_that_is_not_there_is_said_to_be_missing(engine):
    engine.path.unlink()
    with pytest.raises(InputError, match=r"abc\.engine cannot be read"):
        read_engine_file(engine.path)
    engine.sidecar.unlink()
    with pytest.raises(InputError, match="no engine found"):
        read_engine_file(engine.path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "[" * 100_000, '"' + " " * 2**20 + '"'], ids=range(6)
)
def test_a_damaged_sidecar_is_one_line(engine, text):
    engine.sidecar.write_text(text)
    with pytest.raises(InputError, match=r"abc\.json is damaged") as caught:
        read_engine_file(engine.path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"schema": 2}, "schema 2, but this edgecl reads up to 1"),
        ({"schema": None}, "schema None"),
        ({"precision": "fp4"}, "precision 'fp4', but this edgecl knows fp32, fp16, int8"),
        ({"module": "tensorboard"}, "TensorRT module 'tensorboard'"),
        ({"precision": 16}, "expected str, got int in 'precision'"),
        ({"batches": [1, 1]}, "malformed"),
        ({"batches": None}, "malformed"),
        ({"options": None}, "malformed"),
        ({"contract": None}, "invalid contract"),
        ({"contract": {"schema": 99}}, r"abc\.json has contract schema 99"),
        ({"seconds": "long"}, "malformed"),
    ],
)
def test_a_sidecar_of_another_time_or_shape_is_refused(engine, fields, words):
    change(engine, **fields)
    with pytest.raises(InputError, match=words):
        read_engine_file(engine.path)


def test_a_description_of_other_bytes_is_never_written(engine):
    with pytest.raises(ValueError, match="a different engine"):
        write_engine_file(replace(engine, engine_sha256="1" * 64), PLAN)
    assert read_engine_file(engine.path) == engine


def test_a_writer_that_dies_halfway_leaves_no_engine(engine, monkeypatch):
    def die(path, data):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", die)
    with pytest.raises(KeyboardInterrupt):
        write_engine_file(engine, PLAN)
    assert [path.name for path in engine.path.parent.iterdir()] == ["abc.json"]
