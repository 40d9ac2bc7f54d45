"""A built engine on disk: its unchanged bytes, and beside them what it was built from and for.

The bytes are what TensorRT gave, so that trtexec loads them too; everything else stands in the
sidecar, `KEY.json` beside `KEY.engine`. `export.engine` builds; sessions read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from runtime.artifact.bundle import PRECISIONS
from runtime.artifact.contract import ModelContract
from runtime.artifact.manifest import ContractRecord
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.files.document import Document, parse_document, write_document

ENGINE_SUFFIX = ".engine"
SIDECAR_SUFFIX = ".json"
ENGINE_SCHEMA = 1
MODULES = ("tensorrt", "tensorrt_rtx")

_LARGEST_SIDECAR = 1024 * 1024
_REBUILD = "delete it and its .json; the next 'edgecl run' on this machine rebuilds it"


class EngineSidecar(Document, frozen=True, kw_only=True):
    """Description beside an engine, `KEY.json`; `EngineFile` says what each field means."""

    WHAT: ClassVar[str] = "the description of an engine"
    REMEDY: ClassVar[str] = _REBUILD
    NEWEST: ClassVar[int] = ENGINE_SCHEMA

    schema: int = ENGINE_SCHEMA
    engine_sha256: str
    onnx_sha256: str
    precision: str
    contract: ContractRecord
    tensorrt: str
    module: str
    device: str
    compute_capability: str
    options: dict[str, Any]
    batches: tuple[int, int, int]
    built: str
    seconds: float


@dataclass(frozen=True)
class EngineFile:
    """A built engine, as its sidecar describes it.

    Args:
        path: the engine; its sidecar is the same name with `.json`.
        engine_sha256: of the engine's bytes, in hexadecimal.
        onnx_sha256: of the ONNX file that it was built from.
        precision: as in the bundle.
        contract: labels and input of the model.
        tensorrt: version that built it, and that alone loads it, as in `10.3.0.26`.
        module: a member of `MODULES`.
        device: the GPU's name, as in `Orin`.
        compute_capability: as in `8.7`; with TensorRT for RTX the ones compiled for, with commas.
        options: what the builder was told, plain values that JSON holds; they are TensorRT's.
        batches: the smallest, usual and largest batch.
        built: when, ISO 8601 with its offset.
        seconds: what the build took.
    """

    path: Path
    engine_sha256: str
    onnx_sha256: str
    precision: str
    contract: ModelContract
    tensorrt: str
    module: str
    device: str
    compute_capability: str
    options: Mapping[str, Any]
    batches: tuple[int, int, int]
    built: str
    seconds: float

    @property
    def sidecar(self) -> Path:
        """Return the path of the sidecar."""
        return sidecar_of(self.path)

    def document(self) -> EngineSidecar:
        """Return the content of the sidecar."""
        return EngineSidecar(
            engine_sha256=self.engine_sha256,
            onnx_sha256=self.onnx_sha256,
            precision=self.precision,
            contract=self.contract.record(),
            tensorrt=self.tensorrt,
            module=self.module,
            device=self.device,
            compute_capability=self.compute_capability,
            options=dict(self.options),
            batches=self.batches,
            built=self.built,
            seconds=self.seconds,
        )


def sidecar_of(engine: Path) -> Path:
    """The sidecar's path of an engine's."""
    return engine.with_suffix(SIDECAR_SUFFIX)


def read_sidecar(engine: Path) -> EngineFile:
    """Read an engine's sidecar; the engine itself is not touched.

    Args:
        engine: the engine's path, not the sidecar's.

    Raises:
        InputError: no sidecar, a damaged one, one of a newer schema, or a precision or module
            that this edgecl does not know.
    """
    path = sidecar_of(engine)
    value = _read_json(path, engine)
    schema = value.get("schema")
    if not isinstance(schema, int) or schema > ENGINE_SCHEMA:
        raise InputError(
            f"{path} has engine schema {schema!r}, but this edgecl reads up to {ENGINE_SCHEMA}",
            hint="update edgecl on this machine, or delete the engine to have it rebuilt",
        )
    contract = ModelContract.from_json(value.get("contract"), where=str(path))
    said = parse_document(value, EngineSidecar, where=str(path))
    found = EngineFile(
        path=engine,
        engine_sha256=said.engine_sha256,
        onnx_sha256=said.onnx_sha256,
        precision=said.precision,
        contract=contract,
        tensorrt=said.tensorrt,
        module=said.module,
        device=said.device,
        compute_capability=said.compute_capability,
        options=said.options,
        batches=said.batches,
        built=said.built,
        seconds=said.seconds,
    )
    _known("precision", found.precision, PRECISIONS, path)
    _known("TensorRT module", found.module, MODULES, path)
    return found


def load_engine_file(engine: Path) -> tuple[EngineFile, bytes]:
    """Read an engine once, whole, and verify it against its sidecar.

    Returns:
        The description, and the bytes that were verified: deserialise these.

    Raises:
        InputError: whatever `read_sidecar` raises; no engine; or one that was cut short or
            changed.
    """
    found = read_sidecar(engine)
    try:
        plan = engine.read_bytes()
    except OSError as error:
        raise InputError(
            f"the engine {engine} cannot be read ({error.strerror or error})", hint=_REBUILD
        ) from error
    actual = hashlib.sha256(plan).hexdigest()
    if actual != found.engine_sha256:
        raise InputError(
            f"the engine {engine} is truncated or was changed ({len(plan):,} bytes, "
            f"SHA-256 is {actual[:12]}…, its sidecar says {found.engine_sha256[:12]}…)",
            hint=_REBUILD,
        )
    return found, plan


def read_engine_file(engine: Path) -> EngineFile:
    """Read and verify like `load_engine_file`, without returning the bytes."""
    return load_engine_file(engine)[0]


def write_engine_file(description: EngineFile, plan: bytes) -> None:
    """Write an engine and its sidecar.

    The sidecar goes first: an engine never lies without the one that describes it, whatever kills
    the process in between. A sidecar without an engine is nothing to anybody.

    Args:
        description: with the hash of `plan`.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    if hashlib.sha256(plan).hexdigest() != description.engine_sha256:
        raise ValueError("it describes a different engine")
    # What lies there under this name belongs to the old sidecar.
    description.path.unlink(missing_ok=True)
    write_document(description.sidecar, description.document())
    with replacing(description.path) as temporary:
        temporary.write_bytes(plan)


def _read_json(path: Path, engine: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as stream:
            data = stream.read(_LARGEST_SIDECAR + 1)
    except FileNotFoundError:
        there = engine.exists()
        raise InputError(
            f"{engine} has no sidecar {path.name}, so its origin is unknown"
            if there
            else f"no engine found at {engine}",
            hint="copy both files, or let 'edgecl run' build the engine on this machine",
        ) from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error})", hint=_REBUILD
        ) from error
    try:
        value = json.loads(data) if len(data) <= _LARGEST_SIDECAR else None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: it is not JSON", hint=_REBUILD) from error
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged: it does not describe an engine", hint=_REBUILD)
    return value


def _known(what: str, name: str, names: tuple[str, ...], path: Path) -> None:
    if name not in names:
        raise InputError(
            f"{path} has the {what} {name[:30]!r}, but this edgecl knows {', '.join(names)}",
            hint="update edgecl on this machine, or delete the engine to have it rebuilt",
        )
