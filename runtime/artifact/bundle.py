"""The bundle on disk: its manifest, read and verified. `export` writes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.artifact.contract import ModelContract
from runtime.artifact.manifest import MANIFEST_SCHEMA, Manifest, Precision
from runtime.artifact.scene import SceneRecord
from runtime.errors import InputError
from runtime.files.document import malformed, parse_document

__all__ = [
    "MANIFEST",
    "MANIFEST_SCHEMA",
    "PRECISIONS",
    "SUFFIX",
    "TARGETS",
    "Bundle",
    "Manifest",
    "Precision",
    "artefact_name",
    "file_digest",
    "load_bundle",
    "manifest_beside",
    "manifest_digest",
    "scene_beside",
]

SUFFIX = ".edgecl"
MANIFEST = "manifest.json"
PRECISIONS = ("fp32", "fp16", "int8")
TARGETS = ("cpu", "openvino", "tensorrt")


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    Args:
        precisions: for the CPU's engines.
        tensorrt: for TensorRT, which wants another INT8 graph than the CPU; empty in bundles of
            versions that made none.
        openvino: where another form than that of `precisions` suits OpenVINO better.
    """

    path: Path
    contract: ModelContract
    precisions: Mapping[str, Precision]
    manifest: Manifest
    tensorrt: Mapping[str, Precision] = field(default_factory=dict)
    openvino: Mapping[str, Precision] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The bundle's folder name without its suffix."""
        return self.path.name.removesuffix(SUFFIX)

    def precisions_for(self, target: str) -> Mapping[str, Precision]:
        """Return the precisions of the bundle for one of `TARGETS`.

        For OpenVINO that is its own form where there is one. Other engines on a CPU take what
        stands for `cpu`.
        """
        if target == "tensorrt":
            return self.tensorrt
        return {**self.precisions, **self.openvino} if target == "openvino" else self.precisions

    def onnx_path(self, precision: str, *, target: str = "cpu") -> Path:
        """The ONNX file of `precision` for one of `TARGETS`.

        Raises:
            InputError: the bundle does not hold that precision.
        """
        held = self.precisions_for(target)
        if precision not in held:
            refused = self.manifest.refused.get(artefact_name(precision, target))
            why = f" (refused at export: {refused.reason})" if refused else ""
            where = f" for {target}" if target == "tensorrt" else ""
            raise InputError(
                f"{self.path} has no {precision}{where}{why}",
                hint=f"choose from {', '.join(held)}, or export it with "
                f"'edgecl export --{precision}'",
            )
        return self.path / held[precision].file


def artefact_name(precision: str, target: str) -> str:
    """The name of one file of a bundle: `int8` for the CPU, `int8-tensorrt` for TensorRT.

    The other precisions are one file for all. `int8-openvino` is there only where that form differs
    from the CPU's.
    """
    return "int8-tensorrt" if (precision, target) == ("int8", "tensorrt") else precision


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over the manifest's canonical JSON, without its own `digest` field."""
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Names that are not UTF-8 came from the file system as lone surrogates.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_bundle(path: str | Path) -> Bundle:
    """Read a bundle and verify the hash of every file in it.

    Raises:
        InputError: no bundle there, a newer schema, a manifest of another form, or a file that is
            missing or was changed.
    """
    path = Path(path)
    value = _read_manifest(path)
    schema = value.get("schema")
    if not isinstance(schema, int) or schema > MANIFEST_SCHEMA:
        raise InputError(
            f"{path} has bundle schema {schema!r}, but this edgecl reads up to {MANIFEST_SCHEMA}",
            hint="update edgecl on this machine, or export the model again with this version",
        )
    if value.get("digest") != manifest_digest(value):
        raise InputError(
            f"{path / MANIFEST} was changed after export (its digest does not match)",
            hint="copy the bundle again, or export it again",
        )
    where = str(path / MANIFEST)
    contract = ModelContract.from_json(value.get("contract"), where=where)
    # The digest holds against accidents, not against someone who writes manifests.
    manifest = parse_document(value, Manifest, where=where)
    _require_files(manifest, where)
    for name, entry in manifest.files.items():
        _verify(path / name, entry.sha256)
    return Bundle(
        path=path,
        contract=contract,
        precisions=manifest.precisions,
        manifest=manifest,
        tensorrt=manifest.tensorrt,
        openvino=manifest.openvino,
    )


def scene_beside(source: str | Path) -> SceneRecord | None:
    """Return the light and focus that a model was trained on; None where nothing tells.

    Args:
        source: a bundle, or a file of one.
    """
    manifest = manifest_beside(source)
    return None if manifest is None else manifest.scene


def manifest_beside(source: str | Path) -> Manifest | None:
    """Return the manifest of a bundle, not verified; None where there is none.

    Args:
        source: a bundle, or a file of one.
    """
    path = Path(source)
    folder = path if path.is_dir() else path.parent
    if not (folder / MANIFEST).is_file():
        return None
    try:
        return parse_document(_read_manifest(folder), Manifest, where=str(folder))
    except InputError:  # a manifest of something else that lies beside a lone file
        return None


def _require_files(manifest: Manifest, where: str) -> None:
    """Refuse names that point out of the bundle, and models that no hash covers."""
    for name in manifest.files:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            problem = f"{name!r} is not the name of a file in the bundle"
            raise malformed(where, problem, Manifest)
    for held in (manifest.precisions, manifest.openvino, manifest.tensorrt):
        for name, entry in held.items():
            if entry.file not in manifest.files:
                problem = f"{entry.file!r}, the file of {name!r}, has no hash"
                raise malformed(where, problem, Manifest)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        if not path.exists():
            raise InputError(f"no bundle found at {path}", hint="make one with 'edgecl export'")
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise InputError(
            f"{path} is not a bundle: {MANIFEST} cannot be read ({reason})",
            hint=f"pass a folder NAME{SUFFIX} written by 'edgecl export'",
        ) from error
    if not isinstance(manifest, dict):
        raise InputError(
            f"{path / MANIFEST} is not a bundle manifest",
            hint=f"pass a folder NAME{SUFFIX} written by 'edgecl export'",
        )
    return manifest


def _verify(path: Path, expected: str) -> None:
    if path.exists() and not path.is_file():
        # A pipe would be waited for, without an end.
        raise InputError(f"{path} is not a file", hint="copy the whole bundle again")
    try:
        actual = file_digest(path)
    except OSError as error:
        raise InputError(
            f"{path} is missing from the bundle ({error.strerror})",
            hint="copy the whole bundle again",
        ) from error
    if actual != expected:
        raise InputError(
            f"{path} was changed after export (SHA-256 is {actual[:12]}…, the manifest "
            f"says {expected[:12]}…)",
            hint="copy the bundle again, or export it again",
        )
