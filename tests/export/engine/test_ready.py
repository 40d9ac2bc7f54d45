"""Engines out of the cache, built with NVIDIA's own builder where there is none that fits."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from export.engine.builder import Batches, BuildOptions
from export.engine.parsing import RefusedGraphError
from export.engine.ready import ready_engine
from runtime.artifact.bundle import load_bundle
from runtime.artifact.engine_file import read_engine_file, sidecar_of
from runtime.errors import EquipmentError, InputError
from tests.export.boxes import counting, flat_model, left_in, probe, with_tensorrt


@pytest.fixture
def bundle(make_bundle):
    return with_tensorrt(make_bundle(precisions=("fp32", "fp16")))


@pytest.fixture
def said():
    return []


@pytest.fixture
def ask(bundle, rtx, said):
    """Ask for the FP16 engine on a box; fields of the probe and arguments may be given."""

    def asked(*, box=None, **arguments) -> Path:
        return ready_engine(
            arguments.pop("bundle", bundle),
            "fp16",
            trt=rtx,
            probe=box or probe(rtx),
            say=said.append,
            **arguments,
        )

    return asked


def test_the_first_time_builds_and_the_second_finds(ask, bundle, said, rtx, monkeypatch):
    builds = counting(monkeypatch)
    first = ask()
    assert first.parent == bundle.path / "engines"
    assert len(said) == 2
    assert said[0] == (
        f"building the fp16 engine for TensorRT for RTX {rtx.__version__} on RTX A4000 (8.6), "
        "once: none exists yet"
    )
    assert said[1].startswith("built in ")
    assert ask() == first
    assert builds == [str(bundle.path / "model.fp16.onnx")]
    assert len(said) == 2


def test_the_sidecar_says_what_it_was_built_from_and_for(ask, bundle, rtx):
    options = BuildOptions(Batches(1, 2, 4), workspace=2**26, builder_level=1)
    found = read_engine_file(ask(options=options))
    model = (bundle.path / "model.fp16.onnx").read_bytes()
    assert found.onnx_sha256 == hashlib.sha256(model).hexdigest()
    assert found.contract == bundle.contract
    assert (found.precision, found.batches) == ("fp16", (1, 2, 4))
    assert (found.module, found.tensorrt) == ("tensorrt_rtx", rtx.__version__)
    assert (found.device, found.compute_capability) == ("RTX A4000", "8.6")
    assert found.options == {"workspace": 2**26, "builder_level": 1, "capabilities": ["8.6"]}


def test_an_engine_of_the_bundle_is_no_file_that_a_hash_should_cover(ask, bundle):
    ask()
    assert load_bundle(bundle.path).manifest == bundle.manifest


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (
            {"tensorrt": "1.8.0.1"},
            "it was built with TensorRT for RTX 1.7.1.116, but this machine has .*1.8.0.1",
        ),
        (
            {"device": "RTX 3090"},
            r"it was built for RTX A4000 \(8\.6\), but this machine has RTX 3090 \(8\.6\)",
        ),
        ({"device": "L4", "compute_capability": "8.9"}, r"this machine has L4 \(8\.9\)"),
    ],
)
def test_an_engine_of_another_machine_is_rebuilt_and_the_reason_said(box, words, ask, said):
    old = ask(box=probe())
    new = ask(box=probe(**box))
    assert new != old
    line = next(line for line in said if line.startswith("rebuilding the fp16 engine"))
    assert re.search(words, line)
    assert old.exists()
    assert ask(box=probe()) == old


def test_other_options_are_rebuilt_and_no_options_take_what_is_there(ask, said):
    plain = ask()
    batched = ask(options=BuildOptions(Batches(1, 1, 8), builder_level=2))
    assert batched != plain
    line = next(line for line in said if line.startswith("rebuilding"))
    assert "its batch size is 1, but min 1, opt 1, max 8 is needed" in line
    assert "its builder level is TensorRT's default, but 2 is needed" in line
    assert ask() == batched
    assert ask(options=BuildOptions()) == plain


def test_a_model_that_was_exported_again_is_rebuilt_and_the_old_engine_removed(
    ask, bundle, said, rtx
):
    old = ask()
    again = with_tensorrt(bundle.path, flat_model("Relu"))
    new = ask(bundle=again)
    assert "it was built from another ONNX file" in said[2]
    assert said[-1] == "removed 1 unusable fp16 engine"
    assert not old.exists()
    assert not sidecar_of(old).exists()
    assert new.exists()


def test_a_cut_engine_is_rebuilt_in_its_place(ask, said):
    path = ask()
    path.write_bytes(path.read_bytes()[:100])
    assert ask() == path
    assert any("is truncated or was changed" in line for line in said)
    read_engine_file(path)


def test_a_sidecar_that_swaps_the_labels_is_not_taken(ask, said):
    path = ask()
    value = json.loads(sidecar_of(path).read_text())
    value["contract"]["labels"].reverse()
    sidecar_of(path).write_text(json.dumps(value))
    ask()
    assert "its labels or input differ from the bundle's" in said[2]


def test_an_engine_whose_sidecar_was_lost_is_rebuilt(ask, said):
    path = ask()
    sidecar_of(path).unlink()
    assert ask() == path
    assert "has no sidecar" in said[2]


def test_a_bundle_that_cannot_be_written_keeps_its_engines_in_the_users_cache(ask, bundle):
    (bundle.path / "engines").write_text("in the way, as a read-only disk would be")
    path = ask()
    assert path.is_relative_to(os.environ["XDG_CACHE_HOME"])
    assert ask() == path


def test_a_box_that_checks_signatures_builds_its_own(ask, bundle, monkeypatch):
    builds = counting(monkeypatch)
    foreign = ask()
    own = ask(own_only=True)
    assert own.parent != foreign.parent
    assert own.is_relative_to(os.environ["XDG_CACHE_HOME"])
    assert ask(own_only=True) == own
    assert len(builds) == 2


def test_a_cache_that_others_can_write_is_not_the_boxs_own(ask):
    folder = ask(own_only=True).parent
    folder.chmod(0o777)
    with pytest.raises(InputError, match="is writable by other users") as caught:
        ask(own_only=True)
    assert "chmod go-w" in caught.value.hint


def test_a_model_that_is_not_the_manifests_is_never_built(ask, bundle):
    (bundle.path / "model.fp16.onnx").write_bytes(b"swapped after it was verified")
    with pytest.raises(InputError, match=r"model\.fp16\.onnx does not match the manifest"):
        ask()


def test_without_a_gpu_the_missing_thing_is_named(ask):
    problem = SimpleNamespace(missing="no driver answers", install="sudo apt install it")
    with pytest.raises(InputError, match=r"on this machine: no driver answers; sudo apt install"):
        ask(box=probe(device="", compute_capability="", problems=(problem,)))


def test_a_bundle_without_that_precision_is_refused_before_anything_is_built(bundle, rtx):
    with pytest.raises(InputError, match="has no int8 for tensorrt"):
        ready_engine(bundle, "int8", trt=rtx, probe=probe())


def test_an_operator_that_tensorrt_lacks_is_named_with_its_file(ask, bundle):
    with pytest.raises(RefusedGraphError, match=r"model\.fp16\.onnx: operator Det \(node det\)"):
        ask(bundle=with_tensorrt(bundle.path, flat_model("Det")))
    assert left_in(bundle) == []


def test_a_gpu_that_the_builder_does_not_compile_for_is_named(ask, bundle):
    with pytest.raises(InputError, match=r"does not support compute capability 8\.7"):
        ask(box=probe(device="Orin", compute_capability="8.7", free_memory=None))
    assert left_in(bundle) == []


def test_too_little_memory_refuses_before_the_build(ask, bundle, monkeypatch):
    builds = counting(monkeypatch)
    with pytest.raises(InputError, match="800 MiB of GPU memory is free") as caught:
        ask(box=probe(free_memory=800 * 2**20))
    assert "--workspace" in caught.value.hint
    assert builds == []
    assert left_in(bundle) == []


def test_too_little_disk_refuses_before_the_build(ask, monkeypatch):
    builds = counting(monkeypatch)
    monkeypatch.setattr(
        "export.engine.ready.shutil.disk_usage", lambda path: SimpleNamespace(free=2**20)
    )
    with pytest.raises(InputError, match="not enough disk space for the engine: 1 MiB free"):
        ask()
    assert builds == []


def test_a_disk_that_fills_up_while_writing_is_one_line_and_leaves_no_engine(
    ask, bundle, monkeypatch
):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(EquipmentError, match=r"\.engine: No space left on device"):
            ask()
    assert [name for name in left_in(bundle) if name.endswith(".engine")] == []
    ask()


def test_progress_is_reported_as_the_builder_goes_on(ask):
    seen = []
    ask(report=lambda *step: seen.append(step))
    assert {stage for stage, *_ in seen} == {"engine fp16"}
    assert seen[-1][1] <= seen[-1][2]
    assert max(done for _, done, _, _ in seen) > 0


def test_a_report_that_fails_ends_the_build_with_its_own_error(ask, bundle):
    def fail(*step):
        raise BrokenPipeError("the terminal is gone")

    with pytest.raises(BrokenPipeError):
        ask(report=fail)
    assert left_in(bundle) == []


def test_ctrl_c_ends_the_build_at_its_next_step_and_leaves_nothing(ask, bundle):
    steps: list[tuple[str, int, int, str]] = []

    def interrupt(*step):
        if not steps:
            os.kill(os.getpid(), signal.SIGINT)
        steps.append(step)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        ask(report=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert left_in(bundle) == []
    whole = []
    ask(report=lambda *step: whole.append(step))
    assert len(steps) < len(whole)


def test_what_a_killed_writer_left_is_swept_away(ask, bundle):
    folder = bundle.path / "engines"
    folder.mkdir()
    for name in (".abc.engine.x1y2", ".abc.json.x1y2", ".tensorrt-10.timing.x1"):
        (folder / name).write_text("half")
    path = ask()
    assert sorted(left_in(bundle)) == sorted([path.name, sidecar_of(path).name])
