"""Loading of weights into an encoder, wherever a name and a shape fit.

Names are the encoder's own or, for the architectures that torchvision has, torchvision's. Files
are safetensors, or what torch saved of a state dict; pickled objects are never run.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from runtime.errors import InputError

# What wraps a network's names: torch's data parallel, and edgecl's own files.
PREFIXES = ("", "module.", "encoder.", "backbone.", "backbone.encoder.")
# What wraps a whole state dict in a training checkpoint.
WRAPPERS = ("state_dict", "model_state_dict", "model")
LEAST_SHARE = 0.5
NAMED = 4
_UNKNOWN_KIND = "use a .safetensors file, or a state dict saved with torch.save"


@dataclass(frozen=True)
class FoundWeights:
    """Tensors of a file that fit an encoder.

    Args:
        path: the file.
        tensors: float32, by the encoder's names.
        unused: names in the file that were not used.
        fresh: names in the encoder that keep their fresh values.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    unused: Sequence[str]
    fresh: Sequence[str]

    def load_into(self, encoder: nn.Module) -> None:
        """Copy the tensors into an encoder of the shapes that they were matched with."""
        encoder.load_state_dict(dict(self.tensors), strict=False)

    @property
    def note(self) -> str:
        """Return one line for the report: how much was loaded, and what was not."""
        total = len(self.tensors) + len(self.fresh)
        text = f"{self.path.name} provided {len(self.tensors)} of the encoder's {total} tensors"
        if self.fresh:
            text += f"; newly initialised: {_some(self.fresh)}"
        if self.unused:
            text += f"; unused tensors of the file: {_some(self.unused)}"
        return text


def find_weights(path: Path, encoder: nn.Module, *, name: str) -> FoundWeights:
    """Read a file and match it with an encoder.

    A first convolution over three channels is summed for an encoder of gray images: that is
    what it does with gray copied to three. One over gray is shared out among three.

    Args:
        path: safetensors, or a state dict saved by torch.
        encoder: only its names and shapes are looked at; it may lie on the meta device.
        name: the encoder's, for the message.

    Raises:
        InputError: the file cannot be read, is damaged, holds pickled objects or non-finite
            values, or fits less than half of the encoder's tensors.
    """
    found = _read(path)
    wanted = {key: value for key, value in encoder.state_dict().items() if _counts(key)}
    prefix = max(PREFIXES, key=lambda text: sum(text + key in found for key in wanted))
    tensors: dict[str, Tensor] = {}
    mismatch = ""
    for key, mine in wanted.items():
        theirs = found.get(prefix + key)
        if theirs is None:
            continue
        fitting = _fit(theirs, mine)
        if fitting is not None:
            tensors[key] = fitting
        elif not mismatch:
            mismatch = (
                f"{prefix + key} is {_shape(theirs)} in the file and {_shape(mine)} in the encoder"
            )
    if len(tensors) < LEAST_SHARE * len(wanted):
        missing = next(key for key in wanted if key not in tensors)
        raise InputError(
            f"{path} does not fit {name}: {len(tensors)} of its {len(wanted)} tensors match; "
            + (mismatch or f"{missing} is not in the file"),
            hint=f"use weights of {name} with edgecl's or torchvision's tensor names, or "
            "omit --weights",
        )
    for key, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InputError(
                f"{path} contains NaN or infinite values in {prefix + key}",
                hint="use another file",
            )
    used = {prefix + key for key in tensors}
    return FoundWeights(
        path=path,
        tensors=tensors,
        unused=[key for key in found if key not in used and _counts(key)],
        fresh=[key for key in wanted if key not in tensors],
    )


def _counts(key: str) -> bool:
    # Batch norm's step counters do nothing with a fixed momentum, and old files lack them.
    return not key.endswith("num_batches_tracked")


def _fit(theirs: Tensor, mine: Tensor) -> Tensor | None:
    if not theirs.is_floating_point():
        return None
    theirs = theirs.to(torch.float32)
    if theirs.shape == mine.shape:
        return theirs
    if mine.ndim != 4 or theirs.ndim != 4 or (mine[:, :1].shape != theirs[:, :1].shape):
        return None
    if (theirs.shape[1], mine.shape[1]) == (3, 1):
        return sum_of_channels(theirs)
    if (theirs.shape[1], mine.shape[1]) == (1, 3):
        return theirs.expand_as(mine) / 3
    return None


def sum_of_channels(weight: Tensor) -> Tensor:
    """Sum a convolution's weights over three copies of a gray image into weights for one.

    Args:
        weight: O×3×K×K.

    Returns:
        O×1×K×K.
    """
    # In double precision, so that the only rounding is the last one.
    return weight.sum(dim=1, keepdim=True, dtype=torch.float64).to(weight.dtype)


def _read(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, by name."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(9)
        if head[8:] == b"{":  # after the eight bytes of its length comes the header's JSON
            tensors: dict[str, Tensor] = load_file(path)
            return tensors
        if not head.startswith((b"PK", b"\x80")):
            raise InputError(f"{path} is not a weights file", hint=_UNKNOWN_KIND)
        whole = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error})",
            hint="check the path given to --weights",
        ) from error
    except InputError:
        raise
    except SafetensorError as error:
        raise _damaged(path) from error
    except pickle.UnpicklingError as error:
        # torch says so in its text alone.
        if "GLOBAL" not in str(error):
            raise _damaged(path) from error
        raise InputError(
            f"{path} contains pickled objects, which are not loaded because they could run "
            "arbitrary code",
            hint="save model.state_dict() or a safetensors file instead",
        ) from error
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise _damaged(path) from error
    if isinstance(whole, Mapping):
        whole = next((whole[key] for key in WRAPPERS if isinstance(whole.get(key), Mapping)), whole)
        found = {str(key): value for key, value in whole.items() if isinstance(value, Tensor)}
        if found:
            return found
    raise InputError(f"{path} contains no named tensors", hint=_UNKNOWN_KIND)


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged or truncated", hint="copy or download it again")


def _shape(tensor: Tensor) -> str:
    text = "×".join(map(str, tensor.shape)) or "a single number"
    return text if tensor.is_floating_point() else f"{text} of {tensor.dtype}".replace("torch.", "")


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
