"""Golden images: a session that answers otherwise than the exported model judges nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.artifact.bundle import MANIFEST, file_digest, load_bundle, manifest_digest
from runtime.artifact.contract import InputContract, ModelContract
from runtime.errors import FrameError, InputError
from runtime.session.golden import GOLDEN, LARGEST_CHANGE, GoldenImages, changes, read_golden
from runtime.session.opening import open_fastest, open_session

SHAPE = (32, 48)


def images() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One of each class of the tiny model, uint8 3×1×H×W."""
    return np.stack([np.full((1, *SHAPE), value, np.uint8) for value in (40, 128, 215)])


def put(folder: Path, data: bytes, name: str = GOLDEN) -> None:
    """A file into a bundle, with its hash."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = {"sha256": file_digest(folder / name), "bytes": len(data)}
    manifest["digest"] = manifest_digest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def packed(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def lone_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, images())
    return stream.getvalue()


def right_answers(folder: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    with open_session(folder, engine="onnxruntime", precision="fp32") as session:
        return session.infer(images()).probabilities


def test_the_same_answers_open_the_model(make_bundle):
    folder = make_bundle()
    put(folder, packed(images=images(), probabilities=right_answers(folder)))
    golden = read_golden(load_bundle(folder))
    assert golden is not None
    assert len(golden.images) == 3
    with open_session(folder) as session:
        assert changes(session, golden).max() < 1e-3


def test_a_bundle_without_them_opens_as_before(make_bundle):
    folder = make_bundle()
    assert read_golden(load_bundle(folder)) is None
    open_session(folder).close()


def test_other_answers_are_one_line_that_names_who_gave_them(make_bundle):
    folder = make_bundle()
    put(folder, packed(images=images(), probabilities=right_answers(folder)[::-1].copy()))
    with pytest.raises(InputError, match=r"fp32 in onnxruntime [\d.]+ on CPU") as caught:
        open_session(folder, engine="onnxruntime")
    assert "2 of 3 golden images" in str(caught.value)  # the middle one is its own mirror
    assert "\n" not in str(caught.value)


def test_a_precision_that_answers_otherwise_is_left_out_where_another_does_not(make_bundle):
    """What a faulty kernel does: one file, in one engine, is wrong and says nothing."""
    folder = make_bundle(precisions=("fp32", "int8"))
    put(folder, packed(images=images(), probabilities=right_answers(folder)))
    put(folder, reversed_model(folder), "model.int8.onnx")
    said: list[str] = []
    session, table = open_fastest(folder, engine="onnxruntime", report=said.append)
    with session:
        assert session.precision == "fp32"
    assert len(said) == 1
    assert said[0].startswith("skipped: int8 in onnxruntime")
    assert not table
    with pytest.raises(InputError, match="golden images"):
        open_session(folder, "int8", engine="onnxruntime")


def reversed_model(folder: Path) -> bytes:
    """The tiny model with its classes the other way round."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(folder / "model.fp32.onnx")
    for tensor in model.graph.initializer:
        if tensor.name == "centres":
            turned = numpy_helper.to_array(tensor)[:, ::-1].copy()
            tensor.CopyFrom(numpy_helper.from_array(turned, "centres"))
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04 cut", "cannot be read"),
        (packed(images=images()), "cannot be read"),
        (packed(images=images(), probabilities=np.array([{}], object)), "cannot be read"),
        (packed(images=images()[:, :, :9], probabilities=np.zeros((3, 3), "f4")), "images"),
        (packed(images=images(), probabilities=np.zeros((3, 4), "f4")), "probabilities"),
        (packed(images=images(), probabilities=np.zeros((3, 3))), "float64"),
        (packed(images=np.uint8(3), probabilities=np.float32(1)), "cannot be read"),
        (lone_array(), "cannot be read"),
        (
            packed(images=images()[:0], probabilities=np.zeros((0, 3), "f4")),
            "do not belong to this",
        ),
    ],
    ids=[
        "empty",
        "cut",
        "half",
        "pickled",
        "other size",
        "other classes",
        "other type",
        "no arrays",
        "not an archive",
        "none",
    ],
)
def test_damaged_ones_are_one_line(make_bundle, data, words):
    folder = make_bundle()
    put(folder, data)
    with pytest.raises(InputError, match=words) as caught:
        open_session(folder)
    assert GOLDEN in str(caught.value)
    assert "\n" not in str(caught.value)


class Answering:
    """A session that answers what it is told."""

    precision, engine, version, device = "int8", "tensorrt", "11", "GPU"
    contract = ModelContract(InputContract(*SHAPE), ("a", "b"))

    def __init__(self, *answers) -> None:
        self.answers = list(answers)

    def infer(self, image):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return type("Outputs", (), {"probabilities": np.array([answer], np.float32)})


def test_no_number_is_the_largest_change_and_a_fault_is_no_answer():
    from runtime.session.golden import require_same_answers

    golden = GoldenImages(images()[:2], np.array([[1, 0], [1, 0]], np.float32))
    near: Any = Answering([1, 0], [1 - LARGEST_CHANGE / 2, LARGEST_CHANGE / 2])
    require_same_answers(near, golden)
    nan: Any = Answering([1, 0], [np.nan, 0])
    assert changes(nan, golden).tolist() == [0, np.inf]
    faulty: Any = Answering(FrameError("no memory"))
    with pytest.raises(InputError, match="no memory"):
        require_same_answers(faulty, golden)
