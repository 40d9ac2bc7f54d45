"""Rewrites keep every encoder's answers, and leave alone what they do not concern."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from export.rewrites import REWRITES, apply
from tests.export.stages.test_graph_and_precisions import CONTRACT, SIZE, network
from tests.large_encoders import encoders

SHUFFLED = "shufflenet"
# What the nets of comparison add to these is more of the same layers.
OTHERS = encoders(
    ("convnet", "skipconvnet", "squeezenet", "resnet50", "cnn-lstm", "vit-small"), {"resnet50"}
)


@pytest.fixture(scope="module")
def shuffled(graph_of):
    classifier = network(SHUFFLED)
    with torch.no_grad():
        classifier.head.weight.mul_(20)  # probabilities that differ between images
    return {half: graph_of(classifier, CONTRACT, half=half) for half in (False, True)}


def answers(model, count):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    batch = np.random.default_rng(0).integers(0, 256, (count, 1, *SIZE), np.uint8)
    return session.run(["probabilities", "embedding"], {"image": batch})


def operators(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("count", [1, 5])
def test_the_rewritten_shufflenet_gives_the_same_answers(shuffled, count):
    model = shuffled[False]
    rewritten, applied = apply(model)
    assert applied == tuple(REWRITES)
    for before, after in zip(answers(model, count), answers(rewritten, count), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)
    assert np.ptp(answers(model, 5)[0], axis=0).max() > 1e-3


def test_each_rewrite_alone_gives_the_same_answers(shuffled):
    model = shuffled[False]
    for rewrite in REWRITES.values():
        rewritten = rewrite(model)
        onnx.checker.check_model(rewritten, full_check=True)
        for before, after in zip(answers(model, 3), answers(rewritten, 3), strict=True):
            np.testing.assert_allclose(after, before, atol=1e-6)


def test_nothing_but_concatenation_is_left_of_the_shuffles(shuffled):
    assert "Transpose" in operators(shuffled[False])
    rewritten, _ = apply(shuffled[False])
    assert not {"Transpose", "Reshape", "Split", "Slice", "Gather"} & {*operators(rewritten)}


def test_all_maps_of_shufflenet_are_whole_vectors(shuffled):
    rewritten, _ = apply(shuffled[False])
    counts = {t.dims[0] for t in rewritten.graph.initializer if len(t.dims) == 4}
    assert all(count % 16 == 0 for count in counts)


def test_half_precision_is_rewritten_alike(shuffled):
    single, _ = apply(shuffled[False])
    half, applied = apply(shuffled[True])
    assert applied == tuple(REWRITES)
    weights = {t.data_type for t in half.graph.initializer if len(t.dims) == 4}
    assert weights == {onnx.TensorProto.FLOAT16}
    # Ranges that were calibrated on the one serve the other.
    joined = [node.output[0] for node in single.graph.node if node.op_type in ("Conv", "Concat")]
    assert joined == [n.output[0] for n in half.graph.node if n.op_type in ("Conv", "Concat")]
    np.testing.assert_allclose(answers(half, 3)[0], answers(single, 3)[0], atol=5e-3)


def test_the_model_given_is_not_changed_and_what_it_says_is_kept(shuffled):
    model = shuffled[False]
    before = model.SerializeToString()
    rewritten, _ = apply(model)
    assert model.SerializeToString() == before
    assert list(rewritten.metadata_props) == list(model.metadata_props)
    assert list(rewritten.graph.input) == list(model.graph.input)
    assert list(rewritten.graph.output) == list(model.graph.output)
    assert rewritten.opset_import == model.opset_import


def test_a_second_time_there_is_nothing_left_to_do(shuffled):
    rewritten, _ = apply(shuffled[False])
    again, applied = apply(rewritten)
    assert again is rewritten
    assert applied == ()


@pytest.mark.parametrize("name", OTHERS)
def test_other_encoders_come_back_untouched_with_batch_norm_folded_by_the_exporter(name, graph_of):
    model = graph_of(network(name), CONTRACT)
    assert "BatchNormalization" not in operators(model)
    before = model.SerializeToString()
    rewritten, applied = apply(model)
    assert rewritten is model
    assert applied == ()
    assert model.SerializeToString() == before
