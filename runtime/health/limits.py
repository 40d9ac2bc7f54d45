"""Limits beyond which a frame, or the frames of a while, are at fault: all in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from runtime.artifact.scene import SceneRecord
from runtime.errors import InputError

TOWARDS_THE_END = 0.25
"""Dark or bright is a frame that has come three quarters of the way from the training images'
extreme, their 1 or 99 % quantile, to the end of the scale."""

OUT_OF_FOCUS = 0.6
"""Share of the usual sharpness below which frames are defocused."""

LIGHT_MARGIN = 0.1
"""Share by which the mean of many frames may be beyond the training images' 1 or 99 % quantile.
Frames of one coil are equally bright, and that coil may be the darkest of the training set."""

OWN_LIGHT = 1 / 3
"""Share that must be left of the stream's own first brightness, and of its distance to white, where
no bundle tells. Wide, since one coil may be twice as bright as the next."""


@dataclass(frozen=True)
class HealthLimits:
    """Limits on frames. The defaults are for a model that does not tell what it was trained on.

    Args:
        dark_below, bright_above: mean brightness, as a share of white.
        black_above, saturated_above: share of pixels at either end of the scale.
        frozen_frames: frames that may show the same, but for noise, before the next is `frozen`.
        frozen_s: seconds that a live camera may show the same; both have to be over.
        still_structure: the change between two frames counts as noise where its local means vary
            at most so many times as much as those of white noise.
        still_share: and where its energy is at most this share of what unrelated images differ by.
        clock_jump_s: seconds by which a camera's clock may gain on the machine's at once.
        least_sharpness: mean below which frames are `defocused`; None for a share of the stream's
            own first mean.
        least_level, most_level: mean brightness outside of which light is `drifting-light`; None
            likewise.
        slow_every: every so many judged frames, one is measured for the slow faults.
        slow_window: measured frames whose mean is compared.
    """

    dark_below: float = 0.02
    bright_above: float = 0.98
    black_above: float = 0.98
    saturated_above: float = 0.98
    frozen_frames: int = 30
    frozen_s: float = 1.0
    still_structure: float = 1.6
    still_share: float = 0.6
    clock_jump_s: float = 0.5
    least_sharpness: float | None = None
    least_level: float | None = None
    most_level: float | None = None
    slow_every: int = 10
    slow_window: int = 100

    def given(self, values: Mapping[str, float]) -> HealthLimits:
        """Return these limits with some of them replaced.

        Args:
            values: from `parse_health_limits`.
        """
        typed: dict[str, Any] = {
            name: int(value) if name in _COUNTS else value for name, value in values.items()
        }
        return replace(self, **typed)

    def learnt(self, scene: SceneRecord | None) -> HealthLimits:
        """Return these limits relative to the images that a model was trained on.

        Args:
            scene: of the bundle's manifest; None where it does not tell.
        """
        if scene is None:
            return self
        return replace(
            self,
            dark_below=scene.level.q01 * TOWARDS_THE_END,
            bright_above=_towards_one(scene.level.q99),
            black_above=_towards_one(scene.black),
            saturated_above=_towards_one(scene.saturated),
            least_sharpness=scene.sharpness.q50 * OUT_OF_FOCUS,
            least_level=scene.level.q01 * (1 - LIGHT_MARGIN),
            most_level=scene.level.q99 * (1 + LIGHT_MARGIN),
        )


def _towards_one(extreme: float) -> float:
    return 1.0 - (1.0 - extreme) * TOWARDS_THE_END


_COUNTS = frozenset({"frozen_frames", "slow_every", "slow_window"})
_WIDE = frozenset({"frozen_s", "clock_jump_s", "still_structure"})
_NAMES = tuple(entry.name.replace("_", "-") for entry in fields(HealthLimits))


def parse_health_limits(texts: Sequence[str]) -> dict[str, float]:
    """Read `dark-below=0.05`, one text per limit.

    Returns:
        Values by field of `HealthLimits`.

    Raises:
        InputError: an unknown name, a name that is given twice, or a value that is not a number or
            out of range.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, value = parse_health_limit(text)
        if name in found:
            raise InputError(
                f"health limit {name.replace('_', '-')!r} is given twice", hint="name each once"
            )
        found[name] = value
    return found


def parse_health_limit(text: str) -> tuple[str, float]:
    """Read one limit: the field's name and its value.

    Raises:
        InputError: as `parse_health_limits` does.
    """
    name, equals, written = (part.strip() for part in text.partition("="))
    if not equals or name not in _NAMES:
        problem = f"unknown health limit {name!r}" if equals else f"{text!r} is not NAME=VALUE"
        raise InputError(problem, hint=f"the limits are {', '.join(_NAMES)}")
    field = name.replace("-", "_")
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if field in _COUNTS:
        wanted, fits = "a whole number above 0", 1 <= value < math.inf and value == int(value)
    elif field in _WIDE:
        wanted, fits = "a number from 0 up", 0 <= value < math.inf
    else:
        wanted, fits = "a share from 0 to 1", 0 <= value <= 1
    if not fits:
        raise InputError(
            f"health limit {name}: {written!r} is not {wanted}",
            hint=f"for example {_example(name)}",
        )
    return field, value


def _example(name: str) -> str:
    default = getattr(HealthLimits(), name.replace("-", "_"))
    return f"{name}={0.5 if default is None else default:g}"
