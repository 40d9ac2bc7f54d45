"""The machine during a measurement, in types; what it does not tell is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from runtime.files.document import Part


class Spread(Part, frozen=True, kw_only=True):
    """Lowest, mean and highest of what was sampled, and how often."""

    low: float
    mean: float
    high: float
    samples: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """The spread of what is known; None where nothing is."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(
            low=round(min(known), 3),
            mean=round(sum(known) / len(known), 3),
            high=round(max(known), 3),
            samples=len(known),
        )


class CoreClock(Part, frozen=True, kw_only=True):
    """Steadiness of the cores' clock.

    Args:
        source: `told` by the system, of the fastest core; or `timed` by a fixed piece of work.
        swing: from the lowest to the highest 5 % of the told clock, as a share of its median; of
            the timed one the greatest change from one part of the run to another.
        samples: how many.
    """

    source: Literal["told", "timed"]
    swing: float
    samples: int


class GpuConditions(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One NVIDIA GPU, as its driver's library tells.

    Args:
        name: of the device.
        sm_mhz, memory_mhz: clocks.
        temperature_c: degrees Celsius.
        power_w: watts.
        throttled: reasons why the clock was held back, in words; idleness is none.
    """

    name: str
    sm_mhz: Spread | None = None
    memory_mhz: Spread | None = None
    temperature_c: Spread | None = None
    power_w: Spread | None = None
    throttled: tuple[str, ...] = ()


class JetsonConditions(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A Jetson, as nvpmodel and tegrastats tell.

    Args:
        power_mode: by name, as `MAXN` or `15W`.
        gpu_load: of GR3D, 0 to 1.
        gpu_mhz: its clock.
        input_w: power at the module's input.
        rails_w: mean power by rail.
        temperatures_c: highest by sensor.
    """

    power_mode: str | None = None
    gpu_load: Spread | None = None
    gpu_mhz: Spread | None = None
    input_w: Spread | None = None
    rails_w: dict[str, float] = {}
    temperatures_c: dict[str, float] = {}


class Conditions(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The machine during the measurement, sampled between turns.

    Args:
        affinity: numbers of the cores that this process may use.
        core_mhz: mean clock of the cores.
        core_clock: how steady it was; None with too few samples.
        other_load_cores: CPU that other processes took, from sample to sample.
        temperature_c: of the hottest zone.
        memory_available_bytes: for programs that start now.
        swap_used_bytes: at the end; None without swap.
        swapped_pages: in and out, meanwhile.
        thread_settings: variables that set the threads of libraries.
        gpus: one each.
        jetson: None elsewhere.
    """

    affinity: tuple[int, ...] = ()
    core_mhz: Spread | None = None
    core_clock: CoreClock | None = None
    other_load_cores: Spread | None = None
    temperature_c: Spread | None = None
    memory_available_bytes: Spread | None = None
    swap_used_bytes: int | None = None
    swapped_pages: int | None = None
    thread_settings: dict[str, str] = {}
    gpus: tuple[GpuConditions, ...] = ()
    jetson: JetsonConditions | None = None


class SideEnergy(Part, frozen=True, kw_only=True):
    """Energy of a side, measured while it alone judged frames, one after another.

    Args:
        joules_per_frame: all that the meter sees, what the machine takes when idle included.
        watts: mean.
        meter: what was read, and what it covers.
        frames: judged meanwhile.
        seconds: that it took.
    """

    joules_per_frame: float
    watts: float
    meter: str
    frames: int
    seconds: float
