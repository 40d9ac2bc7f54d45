"""One pass over a graph sees what its reference evaluation computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from calibration import observation
from calibration.observation import (
    float_activations,
    merged_observations,
    observe,
    observe_blocks,
)
from calibration.ranges import METHODS, collect_ranges
from runtime.errors import InputError
from tests.calibration.graphs import draw_images, small_graph


def computed(model, images) -> dict[str, np.ndarray]:
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.output[:]
    names = [name for node in model.graph.node for name in node.output]
    whole.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    values = ReferenceEvaluator(whole).run(None, {"image": images[:, None]})
    return dict(zip(names, values, strict=True))


def test_every_float_activation_is_counted_as_the_graph_computes_it():
    model, images = small_graph(), draw_images(7)
    found = observe(model, images)
    expected = computed(model, images)
    assert found.images == 7
    assert set(found.histograms) == set(expected)
    for name, values in expected.items():
        histogram = found.histograms[name]
        assert histogram.total == values.size, name
        assert histogram.minimum == pytest.approx(values.min(), abs=1e-4), name
        assert histogram.maximum == pytest.approx(values.max(), abs=1e-4), name
        edges = (np.arange(len(histogram.counts) + 1) - len(histogram.counts) // 2) * (
            histogram.width
        )
        counts = np.histogram(values[values != 0].astype(np.float64), edges)[0]
        # A rounding may move a value into the next bin.
        assert np.abs(np.cumsum(counts - histogram.counts)).max() <= 0.002 * values.size + 2, name


def test_batches_change_nothing(monkeypatch):
    model, images = small_graph(), draw_images(9)
    whole = observe(model, images)
    monkeypatch.setattr(observation, "BATCH_BYTES", 1)
    single = observe(model, images[::-1])
    for name in ("one", "two", "both", "shuffled"):
        one, other = whole.histograms[name], single.histograms[name]
        assert one.exponent == other.exponent
        assert one.total == other.total
        assert one.maximum == pytest.approx(other.maximum, abs=1e-5)
        assert np.abs(np.cumsum(one.counts - other.counts)).max() <= 0.002 * one.total


def test_progress_is_told_and_the_model_stays_as_it_was():
    model = small_graph()
    before = model.SerializeToString(deterministic=True)
    told: list[tuple[int, int]] = []
    observe(model, draw_images(5), lambda done, total: told.append((done, total)))
    assert told[-1] == (5, 5)
    assert told == sorted(told)
    assert model.SerializeToString(deterministic=True) == before


def test_as_many_images_go_together_as_the_memory_allows(monkeypatch):
    def batches() -> list[int]:
        told: list[int] = []
        observe(small_graph(), draw_images(9), lambda done, total: told.append(done))
        return told

    assert batches() == [1, 9]
    each = sum(
        values.nbytes
        for name, values in computed(small_graph(), draw_images(1)).items()
        if name not in ("both", "paired", "turned", "shuffled")
    )
    monkeypatch.setattr(observation, "BATCH_BYTES", 3 * each)
    assert batches() == [1, 4, 7, 9]
    monkeypatch.setattr(observation, "BATCH_BYTES", 1)
    assert batches() == list(range(1, 10))


def test_integers_are_no_activations():
    assert "image" not in float_activations(small_graph())
    assert {"pixels", "left", "right", "probabilities"} < set(float_activations(small_graph()))


def test_an_empty_set_and_a_broken_network_are_refused():
    with pytest.raises(InputError, match="calibration set is empty"):
        observe(small_graph(), draw_images(0))
    with pytest.raises(InputError, match="infinite values in one"):
        observe(small_graph(bias=float("nan")), draw_images(3))


def test_collected_ranges_cover_every_activation_for_every_method():
    model, images = small_graph(), draw_images(40)
    widest = collect_ranges(model, images)
    for method in METHODS:
        ranges = collect_ranges(model, images, method=method)
        assert list(ranges) == float_activations(model)
        for name, (low, high) in ranges.items():
            assert widest[name][0] <= low <= high <= widest[name][1]


def test_blocks_add_up_to_the_whole():
    model, images = small_graph(), draw_images(10)
    blocks = list(observe_blocks(model, images, 4))
    assert [block.images for block in blocks] == [4, 4, 2]
    joined = merged_observations(merged_observations(blocks[0], blocks[1]), blocks[2])
    whole = observe(model, images)
    assert joined.images == whole.images == 10
    assert list(joined.histograms) == list(whole.histograms)
    assert joined.histograms["both"] is joined.histograms["shuffled"]
    for name, histogram in whole.histograms.items():
        assert joined.histograms[name].exponent == histogram.exponent
        assert joined.histograms[name].total == histogram.total
        assert joined.histograms[name].maximum == pytest.approx(histogram.maximum, abs=1e-5)
