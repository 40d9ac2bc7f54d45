"""Input contract: preprocessing of a frame before the model, and the model's labels.

The contract stands in the bundle's manifest and, word for word, in the ONNX file's
`metadata_props`, so that a lone `.onnx` file can run too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from runtime.artifact.manifest import ContractRecord
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import STRETCH, TILES, Tiling
from runtime.errors import InputError

METADATA_KEY = "edgecl"
CONTRACT_SCHEMA = 4
"""Schema version; 2 added `bits`, and `auto` among the interpolations; 3 added `tiling`; 4 `roi`
and `flat`. An edgecl that does not know a field would prepare frames without it, so it refuses."""
INTERPOLATIONS = ("auto", "linear", "area")
BITS = range(8, 17)
INPUT_NAME = "image"
OUTPUT_NAMES = ("probabilities", "embedding")


@dataclass(frozen=True)
class InputContract:
    """Input of the model: uint8 gray, N×1×`height`×`width`.

    A frame is corrected with the camera's flat-field, if there is one, and cut to the region of
    interest first. It becomes gray (BT.601 weights, as OpenCV's `BGR2GRAY`), samples of 16 bits
    become 8. Then it is stretched to the model's size with the interpolation named here, or cut
    into tiles of that size at its own scale. Scaling of values and normalisation are inside the
    graph.

    Args:
        height, width: in pixels.
        interpolation: `linear`; `area`, which loses no thin scratch however much an image
            shrinks; or `auto`: area where a side shrinks to less than half, else linear.
        bits: how many of a 16-bit sample's bits are used, as in the training set; None
            where the training images had 8 bits.
        tiling: how an image is cut; None where it is stretched. Its tiles have the model's size.
        roi: region of interest of a frame, in its own pixels; None for the whole frame.
        flat: SHA-256, in hexadecimal, of the flat-field's file, which travels with the model; None
            for frames as they come.
    """

    height: int
    width: int
    interpolation: str = "linear"
    bits: int | None = None
    tiling: Tiling | None = None
    roi: Roi | None = None
    flat: str | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise InputError(
                f"image size {self.height}x{self.width} is not positive",
                hint="use HEIGHTxWIDTH in pixels, for example 128x800",
            )
        if self.interpolation not in INTERPOLATIONS:
            raise InputError(
                f"interpolation {self.interpolation!r} is not one of {', '.join(INTERPOLATIONS)}",
                hint="use one of them",
            )
        if self.bits is not None and self.bits not in BITS:
            raise InputError(
                f"{self.bits} bits per 16-bit sample is not within {BITS[0]} to {BITS[-1]}",
                hint="use the camera's bit depth, for example 12",
            )
        if self.tiling is not None and self.tiling.tile != self.shape:
            raise ValueError(f"tiles of {self.tiling.tile} for a model of {self.shape}")

    @property
    def geometry(self) -> str:
        """`stretch` or `tiles`."""
        return STRETCH if self.tiling is None else TILES

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the model's input in pixels."""
        return self.height, self.width


@dataclass(frozen=True)
class ModelContract:
    """Labels and input of a model: everything that a session needs to know beside the graph.

    Args:
        labels: class names, in the order of the probabilities.
        pass_labels: the labels that let a part pass; every other label rejects it.
    """

    input: InputContract
    labels: tuple[str, ...]
    pass_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.pass_labels) - set(self.labels))
        if unknown:
            raise InputError(
                f"pass label {unknown[0]!r} is not a class of this model",
                hint=f"choose from {', '.join(self.labels)}",
            )

    @property
    def passing(self) -> tuple[int, ...]:
        """Numbers of the classes that let a part pass."""
        return tuple(number for number, name in enumerate(self.labels) if name in self.pass_labels)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` takes back."""
        return {
            "schema": CONTRACT_SCHEMA,
            "input": {
                **asdict(self.input),
                "tiling": _tiling_to_json(self.input.tiling),
                "channels": 1,
                "dtype": "uint8",
                "layout": "NCHW",
            },
            "labels": list(self.labels),
            "pass_labels": list(self.pass_labels),
        }

    def record(self) -> ContractRecord:
        """The same as it stands in a document."""
        return msgspec.convert(self.to_json(), ContractRecord)

    @classmethod
    def from_json(cls, value: Any, *, where: str) -> ModelContract:
        """Read a contract back.

        Args:
            value: what `to_json` gave.
            where: the file it came from, for the error.

        Raises:
            InputError: a newer schema, or a field that is missing or of the wrong kind.
        """
        if not isinstance(value, Mapping):
            raise InputError(
                f"{where} has an invalid contract (it is not an object)",
                hint="export the model again with 'edgecl export'",
            )
        schema = value.get("schema")
        if not isinstance(schema, int) or schema > CONTRACT_SCHEMA:
            raise InputError(
                f"{where} has contract schema {schema!r}, but this edgecl reads up to "
                f"{CONTRACT_SCHEMA}",
                hint="update edgecl on this machine, or export the model again with this version",
            )
        try:
            size = value["input"]
            bits = size.get("bits")
            height, width = int(size["height"]), int(size["width"])
            contract = InputContract(
                height,
                width,
                str(size["interpolation"]),
                None if bits is None else int(bits),
                _tiling((height, width), size.get("tiling")),
                _roi(size.get("roi")),
                _digest(size.get("flat")),
            )
            labels, passing = value["labels"], value.get("pass_labels", [])
            if not all(isinstance(name, str) for name in (*labels, *passing)):
                raise TypeError("a label is not a string")
            return cls(contract, tuple(labels), tuple(passing))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{where} has an invalid contract ({type(error).__name__}: {error})",
                hint="export the model again with 'edgecl export'",
            ) from error

    def to_metadata(self) -> dict[str, str]:
        """Return the contract as ONNX `metadata_props`."""
        return {METADATA_KEY: json.dumps(self.to_json(), sort_keys=True)}

    @classmethod
    def from_metadata(cls, props: Mapping[str, str], *, where: str) -> ModelContract:
        """Read the contract out of ONNX `metadata_props`.

        Raises:
            InputError: the file was not written by edgecl, or by a newer one.
        """
        text = props.get(METADATA_KEY)
        if text is None:
            raise InputError(
                f"{where} has no edgecl contract in its metadata",
                hint="use a file written by 'edgecl export'; other files do not define "
                "labels and input",
            )
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{where} has a damaged edgecl contract in its metadata",
                hint="export the model again with 'edgecl export'",
            ) from error
        return cls.from_json(value, where=where)


def _tiling_to_json(tiling: Tiling | None) -> dict[str, Any] | None:
    if tiling is None:
        return None
    told = {"stride": list(tiling.steps), "scale": tiling.scale, "combine": tiling.combine}
    return told if tiling.sharpness == 1 else {**told, "sharpness": tiling.sharpness}


def _tiling(tile: tuple[int, int], value: Any) -> Tiling | None:
    if value is None:
        return None
    down, across = value["stride"]
    return Tiling(
        tile,
        (int(down), int(across)),
        float(value["scale"]),
        str(value["combine"]),
        float(value.get("sharpness", 1)),
    )


def _roi(value: Any) -> Roi | None:
    if value is None:
        return None
    sides = (int(value[name]) for name in ("left", "top", "width", "height"))
    return Roi(*sides)


def _digest(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("a digest is not a string")
    return value
