"""The engine builder with NVIDIA's own parser: what it gives, and what it says of a bad graph."""

from __future__ import annotations

import os
import signal
import sys
from types import ModuleType

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.engine.builder import Batches, BuildOptions, build_engine
from export.engine.modules import load_tensorrt, set_targets, take_timing_cache
from export.engine.parsing import RefusedGraphError
from runtime.errors import InputError

SM86 = BuildOptions(capabilities=("8.6",))


def graph(nodes, constants=None, *, shape=("N", 4, 8, 8), domains=()) -> bytes:
    made = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", 19), *(helper.make_opsetid(name, 1) for name in domains)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def convolution() -> bytes:
    weight = np.random.default_rng(0).normal(size=(4, 4, 3, 3)).astype(np.float32)
    return graph([helper.make_node("Conv", ["x", "w"], ["y"], name="conv_0")], {"w": weight})


def test_an_engine_comes_with_its_builder_and_log(convolution, rtx):
    options = BuildOptions(
        Batches(1, 2, 8), workspace=2**28, builder_level=1, capabilities=("8.6", "8.9")
    )
    engine = build_engine(rtx, convolution, options)
    assert len(engine.plan) > 1000
    assert engine.builder == f"TensorRT for RTX {rtx.__version__}"
    assert engine.log
    assert not [line for line in engine.log if line.is_error]


def test_every_build_has_its_own_log(convolution, rtx):
    first = build_engine(rtx, convolution, SM86).log
    with pytest.raises(InputError):
        build_engine(rtx, b"junk", SM86)
    second = build_engine(rtx, convolution, SM86).log
    assert len(second) == pytest.approx(len(first), abs=5)
    assert not [line for line in second if line.is_error]


def test_rtx_keeps_no_timing_cache_and_takes_none(convolution, rtx):
    engine = build_engine(rtx, convolution, SM86, timing_cache_data=b"of another machine")
    assert engine.timing_cache == b""
    assert not engine.timing_cache_taken


def test_an_operator_of_another_domain_is_named_with_its_node(rtx):
    nodes = [
        helper.make_node("Blur", ["x"], ["b"], name="my_blur", domain="acme"),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    with pytest.raises(
        RefusedGraphError, match=r"model\.onnx: operator Blur \(node my_blur\)"
    ) as e:
        build_engine(rtx, graph(nodes, domains=["acme"]), SM86, where="model.onnx")
    assert "onnxruntime" in e.value.hint
    assert e.value.exit_code == 2


def test_all_operators_that_the_parser_lacks_are_named(rtx):
    nodes = [
        helper.make_node("Det", ["x"], ["a"], name="det_0"),
        helper.make_node("StringNormalizer", ["a"], ["b"], name="strings_0"),
        helper.make_node("Det", ["b"], ["c"]),
        helper.make_node("Det", ["c"], ["d"], name="det_2"),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    with pytest.raises(RefusedGraphError) as caught:
        build_engine(rtx, graph(nodes), SM86)
    assert [refusal.operator for refusal in caught.value.refusals] == [
        "Det",
        "StringNormalizer",
        "Det",
        "Det",
    ]
    assert not any(refusal.known for refusal in caught.value.refusals)
    assert "det_0" in str(caught.value)
    assert "node number 2" in str(caught.value)
    assert "and 1 more" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_form_of_an_operator_that_is_refused_is_told_from_one_that_is_lacking(rtx):
    node = helper.make_node(
        "Resize",
        ["x", "", "scales"],
        ["y"],
        name="resize_0",
        coordinate_transformation_mode="tf_crop_and_resize",
    )
    with pytest.raises(RefusedGraphError, match=r"node resize_0 \(Resize\) is rejected") as caught:
        build_engine(rtx, graph([node], {"scales": np.array([1, 1, 2, 2], np.float32)}), SM86)
    assert caught.value.refusals[0].known
    assert caught.value.refusals[0].code.startswith("UNSUPPORTED_NODE")


@pytest.mark.parametrize(
    ("nodes", "constants", "words"),
    [
        ([("Relu", ["absent"])], {}, r"node relu \(Relu\) is rejected"),
        ([("Conv", ["x", "w"])], {"w": np.ones((2, 3, 3, 3), np.float32)}, r"conv \(Conv\)"),
    ],
    ids=["an input that nothing makes", "weights that do not fit"],
)
def test_a_broken_graph_is_refused_at_its_node(nodes, constants, words, rtx):
    made = [helper.make_node(op, names, ["y"], name=op.lower()) for op, names in nodes]
    with pytest.raises(RefusedGraphError, match=words):
        build_engine(rtx, graph(made, constants), SM86)


@pytest.mark.parametrize("model", [b"no model at all", b""], ids=["junk", "empty"])
def test_what_is_no_onnx_file_is_refused(model, rtx):
    with pytest.raises(InputError, match=r"model\.onnx"):
        build_engine(rtx, model, SM86, where="model.onnx")


def test_a_cut_file_is_refused(convolution, rtx):
    with pytest.raises(InputError):
        build_engine(rtx, convolution[: len(convolution) // 2], SM86)


def test_a_image_size_that_is_open_is_refused(rtx):
    node = helper.make_node("Relu", ["x"], ["y"], name="relu_0")
    with pytest.raises(InputError, match=r"'x' of the graph has dynamic dimensions"):
        build_engine(rtx, graph([node], shape=("N", 1, "H", "W")), SM86)


def test_a_fixed_batch_stays_fixed(rtx):
    node = helper.make_node("Relu", ["x"], ["y"], name="relu_0")
    options = BuildOptions(Batches(1, 2, 8), capabilities=("8.6",))
    assert build_engine(rtx, graph([node], shape=(3, 1, 8, 8)), options).plan


def test_what_the_builder_cannot_compile_is_told_in_its_words(rtx):
    # A Turing GPU has no kernels for a matrix product in FP32, says the builder.
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], name="gemm_0", transB=1)]
    model = graph(nodes, {"w": np.ones((8, 16), np.float32)}, shape=("N", 16))
    with pytest.raises(InputError, match=r"could not build the graph: .*gemm_0"):
        build_engine(rtx, model, BuildOptions(capabilities=("7.5",)))


def test_a_gpu_that_the_builder_does_not_know_is_refused(convolution, rtx):
    with pytest.raises(InputError, match=r"compute capability 3\.5") as caught:
        build_engine(rtx, convolution, BuildOptions(capabilities=("3.5",)))
    assert "8.6" in caught.value.hint


@pytest.mark.parametrize("sizes", [(0, 1, 1), (2, 1, 4), (1, 4, 2)])
def test_batch_sizes_out_of_order_are_refused(sizes):
    with pytest.raises(InputError, match="out of order"):
        Batches(*sizes)


@pytest.mark.parametrize("options", [{"builder_level": 6}, {"builder_level": -1}, {"workspace": 0}])
def test_options_that_do_not_exist_are_refused(options):
    with pytest.raises(InputError):
        BuildOptions(**options)


def test_the_precision_is_never_asked_for_by_a_flag(convolution, rtx, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a builder flag was set")

    monkeypatch.setattr(rtx.IBuilderConfig, "set_flag", refuse)
    assert build_engine(rtx, convolution, SM86).plan


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_somebody_handles_waits_until_tensorrt_has_returned(number, convolution, rtx):
    class EndedError(Exception):
        pass

    def end(number, frame):
        raise EndedError

    steps: list[str] = []

    def interrupt(stage, done, total, text):
        if not steps:
            os.kill(os.getpid(), number)
        steps.append(text)

    before = signal.signal(number, end)
    try:
        with pytest.raises(EndedError):
            build_engine(rtx, convolution, SM86, report=interrupt)
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)
    whole: list[str] = []
    build_engine(rtx, convolution, SM86, report=lambda *step: whole.append(step[3]))
    assert len(steps) < len(whole)


def test_a_module_that_is_not_installed_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(InputError, match=r"tensorrt cannot be imported.*pip install.*JetPack"):
        load_tensorrt()


def test_a_module_of_another_name_is_refused():
    with pytest.raises(InputError, match="unknown TensorRT module 'numpy'"):
        load_tensorrt("numpy")


@pytest.mark.parametrize(
    ("version", "taken"), [("8.6.1", False), ("10.2.0", False), ("10.3.0", True)]
)
def test_the_oldest_version_that_is_taken(version, taken, monkeypatch):
    module = ModuleType("tensorrt")
    module.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    if taken:
        assert load_tensorrt() is module
    else:
        with pytest.raises(InputError, match=f"TensorRT {version} is older than 10.3"):
            load_tensorrt()


class Config:
    """A builder configuration of TensorRT 10 or 11, as far as timing caches go."""

    def __init__(self, matching: bytes) -> None:
        self.matching = matching
        self.cache: bytes | None = None

    def create_timing_cache(self, data):
        return data

    def set_timing_cache(self, cache, ignore_mismatch):
        assert not ignore_mismatch
        if cache not in (b"", self.matching):
            return False
        self.cache = cache
        return True


@pytest.mark.parametrize(
    ("given", "taken"), [(b"mine", True), (b"of another GPU", False), (b"", False)]
)
def test_a_timing_cache_of_another_gpu_is_left_and_an_empty_one_begun(given, taken):
    config = Config(b"mine")
    assert take_timing_cache(ModuleType("tensorrt"), config, given) == taken
    assert config.cache == (given if taken else b"")


def test_only_rtx_compiles_for_gpus_that_are_not_there():
    module = ModuleType("tensorrt")
    module.__version__ = "10.3.0"  # type: ignore[attr-defined]
    set_targets(module, object(), ())
    with pytest.raises(InputError, match=r"TensorRT 10\.3\.0 builds for the GPU of this machine"):
        set_targets(module, object(), ("8.7",))
