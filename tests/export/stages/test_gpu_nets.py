"""The networks of the tests that need a GPU, held to what can be held without one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.untrained import write_bundle
from export.engine.builder import Batches, BuildOptions
from export.engine.ready import ready_engine
from runtime.artifact.engine_file import read_engine_file
from tests.export.boxes import probe
from tests.gpu import nets


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    models = {"fp16": nets.convolutions(half=True), "int8": nets.int8()}
    return write_bundle(tmp_path_factory.mktemp("gpu") / "small.edgecl", models, nets.contract())


def test_nvidias_builder_takes_them(bundle, rtx):
    options = BuildOptions(Batches(1, 1, 4))
    for precision in ("fp16", "int8"):
        path = ready_engine(bundle, precision, options=options, trt=rtx, probe=probe(rtx))
        assert read_engine_file(path).contract == nets.contract()


def test_their_answers_tell_images_apart_and_are_alike_in_both_precisions(bundle):
    batch = nets.images(4)
    half, eight = (
        nets.on_the_cpu(bundle.onnx_path(name, target="tensorrt"), batch)
        for name in ("fp16", "int8")
    )
    assert np.ptp(half.probabilities, axis=0).max() > 0.2
    np.testing.assert_allclose(half.probabilities.sum(axis=1), 1, atol=1e-2)
    np.testing.assert_allclose(eight.probabilities, half.probabilities, atol=0.05)
