"""What TensorRT measured in one build is given to the next, on the machine where it was measured.

TensorRT for RTX measures nothing beforehand, so that the builder here is a stand-in.
"""

from __future__ import annotations

import pytest

from export.engine import ready
from export.engine.builder import BuiltEngine
from export.engine.ready import ready_engine
from runtime.errors import InputError
from tests.export.boxes import probe, with_tensorrt

ORIN = {"module": "tensorrt", "tensorrt": "10.3.0.26", "device": "Orin"}


@pytest.fixture
def bundle(make_bundle):
    return with_tensorrt(make_bundle(precisions=("fp16", "int8")))


@pytest.fixture
def given(monkeypatch):
    """The timing cache that each build was given; each adds to it."""
    seen: list[bytes] = []

    def build(trt, model, options, *, timing_cache_data, where, report):
        seen.append(timing_cache_data)
        return BuiltEngine(
            b"plan of " + where.encode(), timing_cache_data + b"+", True, "TensorRT", ()
        )

    monkeypatch.setattr(ready, "build_engine", build)
    return seen


def test_the_next_build_on_this_machine_gets_it(bundle, given):
    for precision in ("fp16", "int8"):
        ready_engine(bundle, precision, trt=object(), probe=probe(**ORIN))
    assert given == [b"", b"+"]
    (kept,) = (bundle.path / "engines").glob("*.timing")
    assert kept.read_bytes() == b"++"


@pytest.mark.parametrize("other", [{"tensorrt": "10.7.0.1"}, {"device": "Orin NX"}])
def test_a_build_for_another_machine_does_not(other, bundle, given):
    ready_engine(bundle, "fp16", trt=object(), probe=probe(**ORIN))
    ready_engine(bundle, "fp16", trt=object(), probe=probe(**{**ORIN, **other}))
    assert given == [b"", b""]


def test_a_build_that_fails_leaves_what_was_measured_before(bundle, given, monkeypatch):
    ready_engine(bundle, "fp16", trt=object(), probe=probe(**ORIN))

    def fail(*arguments, **rest):
        raise InputError("the builder gave up")

    monkeypatch.setattr(ready, "build_engine", fail)
    with pytest.raises(InputError, match="gave up"):
        ready_engine(bundle, "int8", trt=object(), probe=probe(**ORIN))
    (kept,) = (bundle.path / "engines").glob("*.timing")
    assert kept.read_bytes() == b"+"
