"""The facts about each inference engine, in one place."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from runtime.errors import InputError
from runtime.plugins import Plugins
from runtime.session.base import Session

AUTO = "auto"
CPU, GPU = "cpu", "gpu"
DEVICES = (AUTO, CPU, GPU)

GraphForm = Literal["cpu", "openvino", "tensorrt"]
"""The forms in which a bundle holds its graphs; INT8 differs between them."""


class OpenSession(Protocol):
    """A session class, or a function that returns a session of one graph."""

    def __call__(self, path: Path, *, precision: str, threads: int) -> Session: ...


@dataclass(frozen=True)
class EngineSpec:
    """An inference engine.

    Args:
        name: as `--engine` takes it.
        module: the module whose presence means that it is installed.
        distributions: names on the package index, for reports of versions.
        session: `module:attribute` of an `OpenSession`; for a built engine it takes the engine
            file, else a graph in ONNX.
        install: the command that installs it.
        purpose: what it is for, for `edgecl doctor`.
        device: `cpu` or `gpu`.
        form: the form of the graphs that it takes.
        built: whether it runs engine files, which are built of graphs on the device.
        remote: whether a server runs the model, which needs the server's address.
    """

    name: str
    module: str
    distributions: tuple[str, ...]
    session: str
    install: str
    purpose: str = ""
    device: str = CPU
    form: GraphForm = "cpu"
    built: bool = False
    remote: bool = False

    @property
    def installed(self) -> bool:
        """Whether its module can be imported here."""
        return importlib.util.find_spec(self.module) is not None

    def require(self) -> None:
        """Refuse an engine that is not installed.

        Raises:
            InputError: it is not.
        """
        if not self.installed:
            raise InputError(
                f"engine {self.name} is not installed",
                hint=f"install it: {self.install}",
                code="package-missing",
            )

    def open(self, path: Path, *, precision: str, threads: int) -> Session:
        """Open a graph, or an engine file.

        Raises:
            InputError: the engine cannot load it.
        """
        module, _, attribute = self.session.partition(":")
        opener: OpenSession = getattr(importlib.import_module(module), attribute)
        return opener(path, precision=precision, threads=threads)


ONNXRUNTIME = EngineSpec(
    name="onnxruntime",
    module="onnxruntime",
    distributions=("onnxruntime",),
    session="runtime.session.onnxruntime:OnnxRuntimeSession",
    install="pip install onnxruntime",
    purpose="Inference on any CPU",
)
OPENVINO = EngineSpec(
    name="openvino",
    module="openvino",
    distributions=("openvino",),
    session="runtime.session.openvino:OpenVinoSession",
    install="pip install 'edgecl[openvino]'",
    purpose="Faster inference on x86 CPUs",
    form="openvino",
)
TENSORRT = EngineSpec(
    name="tensorrt",
    module="tensorrt",
    distributions=("tensorrt", "pycuda"),
    session="runtime.session.tensorrt.session:open_tensorrt",
    install="pip install 'edgecl[tensorrt]'",
    purpose="Inference on NVIDIA devices",
    device=GPU,
    form="tensorrt",
    built=True,
)
OIP = EngineSpec(
    name="oip",
    module="http",  # Python's own; addresses with grpc:// say themselves what they need
    distributions=("grpcio", "protobuf"),
    session="runtime.session.oip.session:ServerSession",
    install="pip install 'edgecl[oip]'",
    purpose="Inference on a server at a grpc:// address (http:// needs nothing): --engine oip",
    remote=True,
)

ENGINES: Plugins[EngineSpec] = Plugins(
    "edgecl.engines",
    "engine",
    {
        "onnxruntime": "runtime.session.spec:ONNXRUNTIME",
        "openvino": "runtime.session.spec:OPENVINO",
        "tensorrt": "runtime.session.spec:TENSORRT",
        "oip": "runtime.session.spec:OIP",
    },
)


def installed_engines() -> tuple[str, ...]:
    """Return the names of the installed engines that run graphs on the CPU."""
    return tuple(
        name
        for name, spec in ((name, ENGINES[name]) for name in ENGINES)
        if spec.device == CPU and not (spec.built or spec.remote) and spec.installed
    )


def runs_graphs(engine: str) -> bool:
    """Return whether an engine, not `auto`, opens graphs itself."""
    return engine != AUTO and not ENGINES[engine].built


def distributions() -> Sequence[str]:
    """Return the names of all engines' packages on the package index."""
    return [package for name in ENGINES for package in ENGINES[name].distributions]


def device_for(device: str, engine: str) -> str:
    """Return the device, where the engine that was asked for decides it.

    Args:
        device: one of `DEVICES`.
        engine: `auto` or a name of `ENGINES`.

    Raises:
        InputError: no such device or engine, or one on which that engine does not run.
    """
    if device not in DEVICES:
        raise InputError(f"unknown device {device!r}", hint=f"choose from {', '.join(DEVICES)}")
    if engine == AUTO:
        return device
    own = ENGINES[engine].device
    if device not in (AUTO, own):
        raise InputError(
            f"engine {engine} does not run on the {device}",
            hint=f"omit --engine, or use --device {own}",
        )
    return own
