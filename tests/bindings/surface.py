"""Names and signatures of real bindings, kept as data, and classes that are held to them.

`refresh.py` reads the data. A double has what the data has, and nothing else: a name that a version
lacks is taken from the double, and a call that fits no recorded signature is a TypeError.
"""

from __future__ import annotations

import enum
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TENSORRT = ("10.3.0", "10.16.1.11", "11.4.0.106")
CUDA_BINDINGS = "13.5.0"
PYCUDA = "2026.1"


@functools.cache
def read_surface(name: str) -> dict[str, Any]:
    """The data of one version, as in `tensorrt-10.3.0`."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


def fits(signature: Sequence[str], count: int, keywords: Sequence[str]) -> bool:
    """Whether a call with `count` positional arguments and these keywords fits a signature."""
    names = [part.rstrip("=") for part in signature]
    given = [*names[:count], *keywords]
    required = {part for part in signature if not part.endswith("=")}
    return (
        count <= len(names)
        and len(set(given)) == len(given)
        and set(given) <= set(names)
        and required <= set(given)
    )


def held(
    name: str, signatures: Sequence[Sequence[str]], function: Callable[..., Any], own: int
) -> Any:
    """A function that takes what the real one takes.

    Args:
        signatures: of the real one; none where it tells none.
        own: how many leading arguments are not the caller's: 1 for a method.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        count = len(arguments) - own
        if signatures and not any(fits(one, count, list(keywords)) for one in signatures):
            raise TypeError(f"{name}({count} arguments, {sorted(keywords)}): takes {signatures}")
        return function(*arguments, **keywords)

    return call


def hold_class(kind: type, members: Mapping[str, Sequence[Sequence[str]]]) -> type:
    """Take from a class what the real one lacks, and hold its methods to their signatures."""
    for name, value in list(vars(kind).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if name not in members:
            delattr(kind, name)
        elif isinstance(value, staticmethod):
            setattr(kind, name, staticmethod(held(name, members[name], value.__func__, own=0)))
        elif callable(value):
            setattr(kind, name, held(f"{kind.__name__}.{name}", members[name], value, own=1))
    return kind


def make_enum(name: str, values: Mapping[str, int]) -> Any:
    """An enumeration with the real one's members."""
    return enum.IntEnum(name, dict(values))
