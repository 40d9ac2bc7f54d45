"""What tests of every room share: tiny bundles, made without training anything."""

from __future__ import annotations

import gc
import hashlib
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.artifact.bundle import MANIFEST, MANIFEST_SCHEMA, file_digest, manifest_digest
from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import Tiling
from runtime.camera import demo
from runtime.image.flat.file import FLAT
from runtime.surfaces.noise import Shape
from runtime.surfaces.strip import Strip
from tests.made_once import (
    MadeOnce,
    folder_of_all_workers,
    freeze_new_libraries,
    freeze_what_is_there,
    maker,
    spared_exports,
)
from tests.slow_tier import is_slow, starts_early

LABELS = ("dark", "middle", "bright")

MakeBundle = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tier, which `make test` leaves out, and let what takes long start first."""
    for item in items:
        if is_slow(item.nodeid):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: starts_early(item.nodeid))


def pytest_configure() -> None:
    """Let the garbage collector rest while tests are collected: what is made then stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()
    # Exports make millions of objects, which are gone with them: a twentieth of their time.
    gc.set_threshold(50_000, 20, 20)
    freeze_what_is_there()


def pytest_runtest_logfinish() -> None:
    freeze_new_libraries()


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    """Show a test the interpreter as a program of its own finds it."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def heard_signals() -> Iterator[None]:
    """A suite that was started in the background, or by nohup, hears no Ctrl-C and no hang-up,
    and its children do not."""
    deaf = [
        number
        for number in (signal.SIGINT, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in deaf:
        interrupt = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if interrupt else signal.SIG_DFL)
    yield
    for number in deaf:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what exports cache out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def strips_drawn_once() -> Iterator[None]:
    """Draw the demo camera's loop of steel once for all tests that ask for the same: it takes a
    second."""
    real = demo.draw_loop
    drawn: dict[tuple[Shape, str], tuple[Strip, Any]] = {}

    def draw_loop(shape: Shape, rng: np.random.Generator) -> Strip:
        key = (shape, str(rng.bit_generator.state))
        if key not in drawn:
            drawn[key] = real(shape, rng), rng.bit_generator.state
        strip, rng.bit_generator.state = drawn[key]
        return strip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "draw_loop", draw_loop)
        yield


@pytest.fixture(scope="session")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `made_once` keeps what it made."""
    return folder_of_all_workers(tmp_path_factory) / "made"


@pytest.fixture(scope="session")
def made_once(made_folder: Path) -> MadeOnce:
    """`made_once(name, make)` returns a path that `make(path)` filled for all workers."""
    return maker(made_folder)


@pytest.fixture
def graphs_made_once(made_once: MadeOnce) -> Iterator[None]:
    """Exports without what takes them longest, as `spared_exports` says."""
    with spared_exports(made_once):
        yield


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Make a bundle whose model tells dark, middle and bright images apart by their mean.

    `make_bundle(path, labels=…, pass_labels=…, shape=(H, W), precisions=(…), tiling=…, roi=…,
    flat=FILE)`
    returns the path; all arguments may be left out. Every precision is the same graph. With a
    tiling its tiles are the shape.
    """

    def make(
        path: Path | None = None,
        *,
        labels: Sequence[str] = LABELS,
        pass_labels: Sequence[str] = ("bright",),
        shape: tuple[int, int] = (32, 48),
        precisions: Sequence[str] = ("fp32",),
        tiling: Tiling | None = None,
        roi: Roi | None = None,
        flat: Path | None = None,
    ) -> Path:
        folder = path or tmp_path / "tiny.edgecl"
        size = shape if tiling is None else tiling.tile
        contract = ModelContract(
            InputContract(
                *size, tiling=tiling, roi=roi, flat=None if flat is None else file_digest(flat)
            ),
            tuple(labels),
            tuple(pass_labels),
        )
        folder.mkdir(parents=True)
        data = brightness_model(contract)
        entries = {}
        for name in precisions:
            (folder / f"model.{name}.onnx").write_bytes(data)
            entries[name] = {
                "file": f"model.{name}.onnx",
                "accuracy": 1.0,
                "test_accuracy": 1.0,
                "max_abs_diff": 0.0,
                "agreement": 1.0,
                "bytes": len(data),
            }
        manifest = {
            "schema": MANIFEST_SCHEMA,
            "contract": contract.to_json(),
            "precisions": entries,
            "files": {
                f"model.{name}.onnx": {
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "bytes": len(data),
                }
                for name in precisions
            },
        }
        if flat is not None:
            (folder / FLAT).write_bytes(flat.read_bytes())
            entry = {"sha256": file_digest(flat), "bytes": flat.stat().st_size}
            manifest["files"] = {**manifest["files"], FLAT: entry}  # type: ignore[dict-item]
        manifest["digest"] = manifest_digest(manifest)
        (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        return folder

    return make


@cache
def brightness_model(contract: ModelContract) -> bytes:
    """An ONNX model whose most probable label is the one nearest to the image's mean.

    Label i of C stands for a mean of (i + 0.5) / C of full white.
    """
    from onnx import TensorProto, helper, numpy_helper

    count = len(contract.labels)
    constants = {
        "axes": np.array([2, 3], np.int64),
        "white": np.array(255, np.float32),
        "centres": ((np.arange(count, dtype=np.float32) + 0.5) / count)[None],
        "sharpness": np.array(-20.0 * count**2, np.float32),
        "spread": np.ones((1, 128), np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["brightness"]),
        helper.make_node("Sub", ["brightness", "centres"], ["distance"]),
        helper.make_node("Mul", ["distance", "distance"], ["squared"]),
        helper.make_node("Mul", ["squared", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("MatMul", ["brightness", "spread"], ["embedding"]),
    ]
    height, width = contract.input.shape
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, height, width])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", count]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 128]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    helper.set_model_props(model, contract.to_metadata())
    return bytes(model.SerializeToString())
