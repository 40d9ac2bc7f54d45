"""One row of the tables: options without effect, the condition, and the message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]

LEAVE = "omit this option"
LEAVE_ONE = "use only one of them"
SERVER = ("url", "server_model", "server_token", "server_ca")
NO_SERVER = "is about a server that infers, but --engine oip does not stand beside it"


@dataclass(frozen=True)
class Rule:
    """Condition under which options have no effect.

    Args:
        names: of the options' parameters.
        idle: whether they are, by the values of all parameters.
        reason: completes a sentence that begins with the option; `{value}` in it is what was given.
        hint: what to do next.
    """

    names: tuple[str, ...]
    idle: Callable[[Values], bool]
    reason: str
    hint: str = LEAVE
