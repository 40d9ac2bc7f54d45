"""Limits on a frame's steps, as given on the command line."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from runtime.errors import InputError

CAPTURE, HEALTH, QUEUE, PREPROCESS, TURN, UPLOAD, INFER, DOWNLOAD, DECIDE, EMIT, ACT, TOTAL, AGE = (
    "capture",
    "health",
    "queue",
    "preprocess",
    "turn",
    "upload",
    "infer",
    "download",
    "decide",
    "emit",
    "act",
    "total",
    "age",
)
STEPS = (
    CAPTURE,
    HEALTH,
    QUEUE,
    PREPROCESS,
    TURN,
    UPLOAD,
    INFER,
    DOWNLOAD,
    DECIDE,
    EMIT,
    ACT,
    TOTAL,
    AGE,
)
"""A frame's steps in order. `queue` is the wait before preprocess, `turn` the wait for a session
that is shared; `act`, of sinks that act on the machine, runs from the verdict to the first act.
`total` runs from the capture's start to the verdict, or through `act`, and `age`, of cameras that
give times, also has what the frame was longer under way than the quickest one. An engine that
shares the host's memory has no `upload` and no `download`."""

_UNITS_NS = {"us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
_EXAMPLE = "for example: --budget total=20ms,infer=8ms"
_VALUE = re.compile(r"^([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*([^\d\s.]*)$", re.ASCII)


@dataclass(frozen=True)
class Budget:
    """Limits in nanoseconds, by step; a step that is not named has none."""

    limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int | None:
        """Nanoseconds from the capture's start to the verdict; None without a limit."""
        return self.limits.get(TOTAL)

    def exceeded(self, steps: Mapping[str, int]) -> list[str]:
        """The steps that took longer than their limit.

        Args:
            steps: nanoseconds by step.
        """
        return [step for step, limit in self.limits.items() if steps.get(step, 0) > limit]

    def unmeasured(self, measured: Collection[str]) -> list[str]:
        """The steps with a limit that no frame had: such a limit held nothing.

        Args:
            measured: the steps that frames had.
        """
        return [step for step in self.limits if step not in measured]

    def to_json(self) -> dict[str, float]:
        """Milliseconds by step."""
        return {step: limit / 1e6 for step, limit in self.limits.items()}


def parse_budget(text: str) -> Budget:
    """Read `total=20ms,infer=8ms`.

    Args:
        text: STEP=TIME, separated by commas; the unit is `us`, `ms` or `s` and never left out.

    Raises:
        InputError: an unknown step, a step named twice, a time without a unit that is known
            or not above zero, or a step that is given more than the total.
    """
    limits: dict[str, int] = {}
    for part in text.split(","):
        step, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not step:
            raise InputError(f"budget {part.strip()!r} is not STEP=TIME", hint=_EXAMPLE)
        if step not in STEPS:
            raise InputError(
                f"budget {part.strip()!r}: unknown step {step!r}",
                hint=f"choose from {', '.join(STEPS)}; {_EXAMPLE}",
            )
        if step in limits:
            raise InputError(f"budget {step!r} is given twice", hint="list each step once")
        limits[step] = parse_time(value, _EXAMPLE, f"budget {part.strip()!r}")
    for step, limit in limits.items():
        if step != AGE and limit > limits.get(TOTAL, limit):
            raise InputError(
                f"budget {step!r} of {limit / 1e6:g} ms has no effect: it is above the total of "
                f"{limits[TOTAL] / 1e6:g} ms",
                hint="give the step less, or no limit",
            )
    return Budget(limits)


def parse_time(text: str, hint: str, what: str = "") -> int:
    """Read `20ms`: nanoseconds; the unit is `us`, `ms` or `s` and never left out.

    Args:
        hint: of the error.
        what: of what it is the time, for the error.

    Raises:
        InputError: it is not a time above zero.
    """
    match = _VALUE.match(text)
    before = f"{what}: " if what else ""
    if match is None:
        raise InputError(f"{before}{text!r} is not a time", hint=hint)
    number, unit = float(match[1]), match[2]
    if unit not in _UNITS_NS:
        missing = f"{what or repr(text)}: the unit is missing"
        problem = f"{before}{unit!r} is not a unit of time" if unit else missing
        raise InputError(f"{problem} (us, ms or s)", hint=hint)
    nanoseconds = round(number * _UNITS_NS[unit])
    if nanoseconds <= 0:
        raise InputError(f"{what or repr(text)} is not above zero", hint=hint)
    return nanoseconds
