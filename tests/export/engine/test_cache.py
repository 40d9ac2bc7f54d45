"""Which engine fits, why another does not, what is kept, and where engines lie."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from export.engine.builder import Batches, BuildOptions
from export.engine.cache import (
    KEPT,
    Wanted,
    engine_key,
    look_up,
    mismatch,
    tidy,
    timing_cache_path,
)
from export.engine.folders import engine_folders, writable_folder
from export.engine.lock import LOCK, only_builder
from export.engine.target import Target
from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.engine_file import EngineFile, write_engine_file
from runtime.errors import InputError

PLAN = b"plan"
ORIN = Target("tensorrt", "10.3.0.26", "Orin", "8.7")
CONTRACT = ModelContract(InputContract(32, 48), ("dark", "bright"), ("bright",))
WANTED = Wanted("fp16", "a" * 64, CONTRACT, ORIN, BuildOptions())


def engine(path: Path = Path("x.engine"), **fields) -> EngineFile:
    made = EngineFile(
        path=path,
        engine_sha256=hashlib.sha256(PLAN).hexdigest(),
        onnx_sha256="a" * 64,
        precision="fp16",
        contract=CONTRACT,
        tensorrt="10.3.0.26",
        module="tensorrt",
        device="Orin",
        compute_capability="8.7",
        options={"workspace": None, "builder_level": None, "capabilities": []},
        batches=(1, 1, 1),
        built="2026-11-26T00:00:00+00:00",
        seconds=1.0,
    )
    return replace(made, **fields)


def put(folder: Path, name: str, **fields) -> EngineFile:
    made = engine(folder / f"{name}.engine", **fields)
    write_engine_file(made, PLAN)
    return made


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        (
            {"tensorrt": "10.7.0"},
            "it was built with TensorRT 10.7.0, but this machine has TensorRT 10.3.0.26",
        ),
        (
            {"module": "tensorrt_rtx", "tensorrt": "1.7"},
            "it was built with TensorRT for RTX 1.7, but this machine has TensorRT 10.3.0.26",
        ),
        (
            {"device": "Tesla T4", "compute_capability": "7.5"},
            "it was built for Tesla T4 (7.5), but this machine has Orin (8.7)",
        ),
        ({"onnx_sha256": "b" * 64}, "it was built from another ONNX file"),
        (
            {"batches": (1, 2, 8)},
            "its batch size is min 1, opt 2, max 8, but 1 is needed",
        ),
        (
            {"options": {"workspace": 1024, "builder_level": 3}},
            "its workspace is 1024, but TensorRT's default is needed and its builder level is 3, "
            "but TensorRT's default is needed and its capabilities is TensorRT's default, but "
            "TensorRT's default is needed",
        ),
    ],
)
def test_why_an_engine_is_not_the_one_wanted(fields, reason):
    assert mismatch(engine(**fields), WANTED) == reason


def test_without_options_any_engine_for_single_images_does():
    wanted = replace(WANTED, options=None)
    assert mismatch(engine(batches=(1, 4, 8), options={"builder_level": 5}), wanted) == ""
    assert mismatch(engine(batches=(2, 4, 8)), wanted) == "its smallest batch is 2"


def test_the_key_holds_all_that_an_engine_depends_on_and_not_its_bytes():
    base = ("fp16", "a" * 64, ORIN, BuildOptions())
    others = [
        ("int8", *base[1:]),
        ("fp16", "b" * 64, ORIN, BuildOptions()),
        ("fp16", "a" * 64, replace(ORIN, module="tensorrt_rtx"), BuildOptions()),
        ("fp16", "a" * 64, replace(ORIN, tensorrt="10.3.0.27"), BuildOptions()),
        ("fp16", "a" * 64, replace(ORIN, device="Orin NX"), BuildOptions()),
        ("fp16", "a" * 64, replace(ORIN, compute_capability="8.6"), BuildOptions()),
        (*base[:3], BuildOptions(Batches(1, 1, 2))),
        (*base[:3], BuildOptions(workspace=1024)),
        (*base[:3], BuildOptions(builder_level=3)),
    ]
    keys = {engine_key(*parts) for parts in (base, *others)}
    assert len(keys) == 1 + len(others)
    # How much is free changes by the second; the engine does not.
    assert engine_key(*base[:2], replace(ORIN, free=5), BuildOptions()) == engine_key(*base)
    assert all(len(key) == 64 and int(key, 16) for key in keys)


def test_the_newest_of_those_that_fit_is_taken_and_other_precisions_are_no_reason(tmp_path):
    put(tmp_path, "old", built="2026-01-01T00:00:00+00:00")
    new = put(tmp_path, "new", built="2026-02-01T00:00:00+00:00")
    put(tmp_path, "other", precision="int8", built="2026-03-01T00:00:00+00:00")
    assert look_up([tmp_path, tmp_path / "absent"], WANTED).engine == new
    assert look_up([tmp_path], replace(WANTED, precision="fp32")).reasons == ()


def test_engines_of_elsewhere_are_kept_within_a_bound_and_dead_ones_removed(tmp_path):
    others = [
        put(
            tmp_path,
            f"level{level}",
            options={"builder_level": level},
            built=f"2026-01-0{level + 1}",
        )
        for level in range(KEPT + 1)
    ]
    of_another_model = put(tmp_path, "model", onnx_sha256="b" * 64, built="2026-01-09")
    another_precision = put(tmp_path, "int8", precision="int8", onnx_sha256="c" * 64)
    damaged = put(tmp_path, "damaged")
    damaged.sidecar.write_text("{")
    sidecar_alone = put(tmp_path, "alone")
    sidecar_alone.path.unlink()
    kept = put(tmp_path, "kept", built="2026-01-08")
    removed = tidy(tmp_path, kept)
    assert set(removed) == {others[0].path, of_another_model.path, sidecar_alone.path}
    left = [kept, another_precision, damaged, *others[1:]]
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for made in left for path in (made.path, made.sidecar)
    }


def test_the_timing_cache_has_one_file_per_tensorrt_and_gpu(tmp_path):
    orin = timing_cache_path(tmp_path, ORIN)
    assert orin.parent == tmp_path
    assert timing_cache_path(tmp_path, replace(ORIN, tensorrt="10.7")) != orin
    odd = timing_cache_path(tmp_path, replace(ORIN, device="../NVIDIA GeForce/RTX 3090"))
    assert odd.parent == tmp_path
    assert "/" not in odd.name


def test_two_bundles_of_one_name_have_folders_of_their_own(tmp_path):
    one = engine_folders(tmp_path / "a" / "net.edgecl")
    other = engine_folders(tmp_path / "b" / "net.edgecl")
    assert one[0] == tmp_path / "a" / "net.edgecl" / "engines"
    assert one[1] != other[1]
    assert one[1].name.startswith("net-")
    assert engine_folders(tmp_path / "a" / "net.edgecl", own_only=True) == one[1:]


def test_a_user_without_a_home_has_only_the_bundles_folder(tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert engine_folders(tmp_path) == (tmp_path / "engines",)
    with pytest.raises(InputError, match="this user has no home") as caught:
        engine_folders(tmp_path, own_only=True)
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_where_nothing_can_be_written_the_variable_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="no folder for engines") as caught:
        writable_folder([tmp_path / "file" / "engines"])
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_a_link_in_the_locks_place_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("dear")
    folder = tmp_path / "engines"
    folder.mkdir()
    (folder / LOCK).symlink_to(victim)
    with pytest.raises(InputError, match=r"cannot write .*\.lock"), only_builder(folder, print):
        pass
    assert victim.read_text() == "dear"


def test_a_file_system_without_locks_is_said_and_the_work_goes_on(tmp_path, monkeypatch):
    def refuse(handle, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    said: list[str] = []
    with only_builder(tmp_path, said.append):
        assert said == [
            f"{tmp_path} cannot be locked (No locks available), so processes that start together "
            "may each build the engine"
        ]


def test_the_locks_file_names_its_holder_and_stays(tmp_path):
    with only_builder(tmp_path, print):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
    with only_builder(tmp_path, print):
        pass
    assert (tmp_path / LOCK).exists()
