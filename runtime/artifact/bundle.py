"""The bundle on disk: its manifest, read and verified. `export` writes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from runtime.artifact.contract import ModelContract
from runtime.errors import InputError

SUFFIX = ".edgecl"
MANIFEST = "manifest.json"
MANIFEST_SCHEMA = 1
PRECISIONS = ("fp32", "fp16", "int8")
TARGETS = ("cpu", "openvino", "tensorrt")

_NEEDED = ("files", "precisions", "contract")
# What of a manifest is an object; those that are not needed may be missing.
_OBJECTS = (*_NEEDED, "tensorrt", "refused", "gate", "origin", "calibration")


@dataclass(frozen=True)
class Precision:
    """One shipped precision and what was measured of it before it shipped.

    Args:
        file: its ONNX file's name inside the bundle.
        accuracy: share of right answers on the validation part, 0 to 1.
        test_accuracy: the same on the test part, looked at after the gate had decided.
        max_abs_diff: largest difference of a probability from the torch model's.
        agreement: share of images with the torch model's label, 0 to 1.
        bytes: the file's size.
    """

    file: str
    accuracy: float
    test_accuracy: float | None
    max_abs_diff: float
    agreement: float
    bytes: int


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
    manifest: Mapping[str, Any]
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
            refused = self.manifest.get("refused", {}).get(artefact_name(precision, target))
            why = f" (refused at export: {refused['reason']})" if refused else ""
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


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and verify the hash of every file in it.

    Raises:
        InputError: no bundle there, a newer schema, a manifest of another form, or a file that is
            missing or was changed.
    """
    manifest = _read_manifest(path)
    schema = manifest.get("schema")
    if not isinstance(schema, int) or schema > MANIFEST_SCHEMA:
        raise InputError(
            f"{path} has bundle schema {schema!r}, but this edgecl reads up to {MANIFEST_SCHEMA}",
            hint="update edgecl on this machine, or export the model again with this version",
        )
    if manifest.get("digest") != manifest_digest(manifest):
        raise InputError(
            f"{path / MANIFEST} was changed after export (its digest does not match)",
            hint="copy the bundle again, or export it again",
        )
    _require_form(manifest, path)
    for name, entry in manifest["files"].items():
        _verify(path / name, entry["sha256"])
    return Bundle(
        path=path,
        contract=ModelContract.from_json(manifest["contract"], where=str(path / MANIFEST)),
        precisions=_entries(manifest["precisions"]),
        manifest=manifest,
        tensorrt=_entries(manifest.get("tensorrt", {})),
        openvino=_entries(manifest.get("openvino", {})),
    )


def _entries(held: Mapping[str, Mapping[str, Any]]) -> dict[str, Precision]:
    return {name: Precision(**entry) for name, entry in held.items()}


def _require_form(manifest: Mapping[str, Any], path: Path) -> None:
    """Refuse a manifest that whoever reads it further would stumble over.

    Its digest holds against accidents, not against someone who writes manifests.
    """
    for name in _OBJECTS:
        if not isinstance(manifest.get(name, None if name in _NEEDED else {}), dict):
            raise _malformed(path, f"{name!r} is not an object")
    if not isinstance(manifest.get("rewrites", []), list):
        raise _malformed(path, "'rewrites' is not a list")
    files = manifest["files"]
    for name, entry in files.items():
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise _malformed(path, f"{name!r} is not the name of a file in the bundle")
        if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
            raise _malformed(path, f"the file {name!r} has no hash")
        if not isinstance(entry.get("bytes"), int):
            raise _malformed(path, f"the file {name!r} has no size")
    for part in ("precisions", "tensorrt"):
        for name, entry in manifest.get(part, {}).items():
            if not _is_precision(entry):
                raise _malformed(path, f"the precision {name!r} has invalid or missing figures")
            if entry["file"] not in files:
                raise _malformed(path, f"{entry['file']!r}, the file of {name!r}, has no hash")
    for name, entry in manifest.get("refused", {}).items():
        if not isinstance(entry, dict):
            raise _malformed(path, f"the refused {name!r} is not an object")


def _is_precision(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != {field.name for field in fields(Precision)}:
        return False
    numbers = [entry[name] for name in ("accuracy", "max_abs_diff", "agreement", "bytes")]
    if entry["test_accuracy"] is not None:
        numbers.append(entry["test_accuracy"])
    return isinstance(entry["file"], str) and all(isinstance(n, (int, float)) for n in numbers)


def _malformed(path: Path, problem: str) -> InputError:
    return InputError(
        f"{path / MANIFEST} is malformed: {problem}",
        hint="copy the bundle again, or export it again",
    )


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
