"""The register map: what a PLC writes, and what it reads. docs/machine.md has these tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from runtime.health.faults import HealthFault
from runtime.stream.verdict import Status

MAP_VERSION = 1

TO_EDGECL = 0
FROM_EDGECL = 100


@dataclass(frozen=True)
class RegisterField:
    """A number in the map.

    Args:
        name: in code.
        meaning: for the docs.
        words: registers that it takes; of two the first has the high word.
    """

    name: str
    meaning: str
    words: int = 1


PLC_WRITES: Sequence[RegisterField] = (
    RegisterField("session", "`session` of edgecl, copied; 0 cancels what is open"),
    RegisterField("trigger", "number of the trigger, `trigger_ack` + 1; after 65535 comes 1"),
    RegisterField("part_id", "id of the part of that trigger", 2),
    RegisterField("result_ack", "`sequence` of the result that was taken"),
    RegisterField("recipe", "number of the recipe that is wanted"),
    RegisterField("recipe_request", "number of the request, `recipe_answered` + 1"),
)

PLC_READS: Sequence[RegisterField] = (
    RegisterField("map_version", f"{MAP_VERSION}, of this table"),
    RegisterField("heartbeat", "counts up ten times a second while edgecl acts"),
    RegisterField("session", "another number at each start of edgecl, never 0"),
    RegisterField("linked", "1 once the PLC has written `session`"),
    RegisterField("ready", "1 while a trigger is taken"),
    RegisterField("trigger_ack", "number of the last trigger that was taken"),
    RegisterField("results_valid", "1 while the result below is not acknowledged"),
    RegisterField("sequence", "number of the result; after 65535 comes 1"),
    RegisterField("part_id", "id of the result's part; 0 without triggers", 2),
    RegisterField("frame", "number of the result's frame", 2),
    RegisterField("verdict", "what the part is, by number; 0 for no result"),
    RegisterField("label", "1 for the first label of the model that judged; 0 for none"),
    RegisterField("confidence", "of the label, in hundredths of a percent"),
    RegisterField("code", "why, by number"),
    RegisterField("result_acked", "the last `sequence` that was acknowledged"),
    RegisterField(
        "overrun", "results that nobody acknowledged before they had to go; stays at 65535"
    ),
    RegisterField("missed_triggers", "triggers that came while `ready` was 0; stays at 65535"),
    RegisterField("recipe", "number of the recipe in use; 0 for that of the start"),
    RegisterField("recipe_answered", "number of the last request that was answered"),
    RegisterField("recipe_code", "what became of it, by number"),
)


class VerdictCode(IntEnum):
    """Numbers of the statuses. All but 1 mean: do not let the part go."""

    NONE = 0
    PASS = 1
    REJECT = 2
    UNSURE = 3
    UNKNOWN = 4
    LATE = 5
    FAULT = 6


VERDICT_CODES: Mapping[Status, VerdictCode] = {
    status: VerdictCode[status.name] for status in Status
}


class ReasonCode(IntEnum):
    """Numbers of the reasons."""

    NONE = 0
    LATE = 1
    STALE = 2
    NO_FRAME = 3
    MISSED_TRIGGER = 10
    DAMAGED = 11
    SIZE_CHANGED = 12
    DARK = 13
    BRIGHT = 14
    REPEATED = 15
    FROZEN = 16
    OTHER = 20


REASONS: Mapping[ReasonCode, str] = {
    ReasonCode.NONE: "none",
    ReasonCode.LATE: "the verdict came after its deadline",
    ReasonCode.STALE: "a `pass` that nobody acknowledged in time",
    ReasonCode.NO_FRAME: "no frame came for the trigger",
    **{code: f"health fault `{HealthFault[code.name].value}`" for code in list(ReasonCode)[4:-1]},
    ReasonCode.OTHER: "another fault; the line of the verdict has it",
}


class RecipeCode(IntEnum):
    """Numbers of what became of a recipe's request."""

    DONE = 0
    NOT_POSSIBLE = 1
    REFUSED = 2
    WORKING = 3
    FAILED = 4
    NOT_NOW = 5


RECIPE_ANSWERS: Mapping[RecipeCode, str] = {
    RecipeCode.DONE: "done",
    RecipeCode.NOT_POSSIBLE: "not possible: this stream changes no recipes",
    RecipeCode.REFUSED: "no recipe has that number, or it cannot be used",
    RecipeCode.WORKING: "under way",
    RecipeCode.FAILED: "it failed; the recipe before holds",
    RecipeCode.NOT_NOW: "a trigger or a result is open; ask again",
}


def places(fields: Sequence[RegisterField], base: int) -> Iterator[tuple[int, RegisterField]]:
    """Yield each field with the address of its first register."""
    for field in fields:
        yield base, field
        base += field.words


def width(fields: Sequence[RegisterField]) -> int:
    """Return how many registers fields take."""
    return sum(field.words for field in fields)


def pack(fields: Sequence[RegisterField], values: Mapping[str, int]) -> list[int]:
    """Return the registers of values, by the names of their fields."""
    words: list[int] = []
    for field in fields:
        value = int(values[field.name])
        words += [value >> 16 & 0xFFFF, value & 0xFFFF] if field.words == 2 else [value & 0xFFFF]
    return words


def unpack(fields: Sequence[RegisterField], words: Sequence[int]) -> dict[str, int]:
    """Return the values of registers, by the names of their fields."""
    values: dict[str, int] = {}
    for place, field in places(fields, 0):
        high, low = words[place], words[place + field.words - 1]
        values[field.name] = high << 16 | low if field.words == 2 else low
    return values
