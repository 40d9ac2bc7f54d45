"""What takes long to make is made once per session, by whichever worker of xdist is first."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import onnx
    import torch
    from torch import nn

    from runtime.artifact.contract import ModelContract

MadeOnce = Callable[[str, Callable[[Path], object]], Path]
GraphOf = Callable[..., "onnx.ModelProto"]

_frozen: set[str] = set()
_MANY = 100


def folder_of_all_workers(factory: pytest.TempPathFactory) -> Path:
    """The session's folder: xdist gives each worker one of its own, inside it."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def freeze_what_is_there() -> None:
    """Spare later collections of garbage what is there: all libraries and tests.

    Each stream that `edgecl run` starts in the tests' process collects first, which takes a
    second otherwise.
    """
    gc.collect()
    gc.freeze()
    _frozen.update(sys.modules)


def freeze_new_libraries() -> None:
    """Freeze once more where a test has brought many modules in."""
    if len(sys.modules) > len(_frozen) + _MANY:
        freeze_what_is_there()


def maker(root: Path) -> MadeOnce:
    """Return `made_once(name, make)`, which lets `make(path)` fill a path below `root` once.

    Whoever comes while it is made waits; what broke off half-way is made anew. Tests read what
    they get, and change nothing but copies of it.
    """

    def made_once(name: str, make: Callable[[Path], object]) -> Path:
        path = root / name
        done = path.with_name(f"{path.name}.done")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_name(f"{path.name}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                if path.is_dir():
                    shutil.rmtree(path)
                path.unlink(missing_ok=True)
                make(path)
                done.touch()
                freeze_what_is_there()
        return path

    return made_once


def graph_maker(made_once: MadeOnce) -> GraphOf:
    """Return `graph_of(classifier, contract, half=False)`: `to_onnx`, once for the same weights.

    Networks of one architecture are traced once, as `traced_once` says.
    """
    import onnx

    from export.stages.onnx_graph import to_onnx

    def graph_of(
        classifier: nn.Module, contract: ModelContract, *, half: bool = False
    ) -> onnx.ModelProto:
        key = hashlib.sha256(f"{classifier} {contract} {half}".encode())
        for name, tensor in classifier.state_dict().items():
            key.update(name.encode() + tensor.numpy().tobytes())

        def export(path: Path) -> None:
            with traced_once(made_once):
                onnx.save(to_onnx(classifier, contract, half=half), path)

        return onnx.load(made_once(f"graphs/{key.hexdigest()}.onnx", export))

    return graph_of


@contextmanager
def traced_once(made_once: MadeOnce) -> Iterator[None]:
    """Trace each architecture once in torch.onnx.export, which takes nearly all of its time.

    A trace holds no weights but by name. What is done to the graph afterwards, by torch and by
    edgecl, is done with each network's own.
    """
    import onnx
    import onnx_ir
    import torch
    from torch.onnx import ONNXProgram

    real = torch.onnx.export
    if real.__module__ == __name__:  # it is this already: one within another
        yield
        return

    def export(module: nn.Module, args: tuple[torch.Tensor, ...], **options: Any) -> ONNXProgram:
        def trace(path: Path) -> None:
            program = real(module, args, optimize=False, **options)
            assert program is not None
            onnx.save(program.model_proto, path)

        path = made_once(f"traces/{_architecture(module, args, options)}.onnx", trace)
        model = onnx_ir.serde.deserialize_model(onnx.load(path))
        weights = module.state_dict()
        for name, value in model.graph.initializers.items():
            if name in weights:
                value.const_value = onnx_ir.tensor(weights[name].numpy(), name=name)
        program = ONNXProgram(model, None)
        program.optimize()
        return program

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", export)
        yield


def _architecture(
    module: nn.Module, args: tuple[torch.Tensor, ...], options: dict[str, Any]
) -> str:
    """A hash of all that a trace depends on: modules, what is set in them, and shapes."""
    key = hashlib.sha256()
    for name, part in module.named_modules():
        plain = {
            field: value
            for field, value in sorted(vars(part).items())
            if isinstance(value, (bool, int, float, str, tuple, type(None)))
        }
        key.update(f"{name} {type(part)} {part.extra_repr()} {plain}".encode())
    for name, tensor in module.state_dict().items():
        key.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
    kept = {name for name, _ in module.named_parameters()} | set(module.state_dict())
    for name, tensor in module.named_buffers():
        if name not in kept:
            key.update(name.encode() + tensor.numpy().tobytes())
    key.update(f"{[(arg.dtype, tuple(arg.shape)) for arg in args]} {options}".encode())
    return key.hexdigest()


@contextmanager
def spared_exports(made_once: MadeOnce) -> Iterator[None]:
    """Spare exports what takes them longest and other tests hold: the graph of weights that an
    earlier test had, the trace of an architecture, and NVIDIA's builder.
    """
    from export.engine.trial import CompileTrial
    from export.stages import artefact, graphs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs, "to_onnx", graph_maker(made_once))
        patch.setattr(artefact, "try_compiling", lambda *_, **__: CompileTrial())
        # Graphs of heat maps are no classifiers': these are traced once, too.
        with traced_once(made_once):
            yield
