"""The environment of a latency report: the machine, and what it did meanwhile, in types."""

from __future__ import annotations

from runtime.files.document import Part


class CpuFacts(Part, frozen=True, kw_only=True):
    """The processor; `features` says of each instruction set whether it is there."""

    model: str
    architecture: str
    cores: int | None
    usable_cores: int | None
    features: dict[str, bool]
    governor: str | None


class GpuFacts(Part, frozen=True, kw_only=True):
    """The NVIDIA devices, their driver, and the release line of a Jetson."""

    devices: tuple[str, ...]
    driver: str | None
    jetson: str | None


class ClockFacts(Part, frozen=True, kw_only=True):
    """The clock that stamped the steps, and what reading it takes."""

    name: str
    resolution_ns: float
    overhead_ns: int


class Load(Part, frozen=True, kw_only=True):
    """Load averages over one minute."""

    before: float | None
    after: float | None


class Frequencies(Part, frozen=True, kw_only=True):
    """Clocks of the cores in MHz."""

    before: tuple[float, ...]
    after: tuple[float, ...]


class Temperatures(Part, frozen=True, kw_only=True):
    """Degrees Celsius by thermal zone."""

    before: dict[str, float]
    after: dict[str, float]


class Environment(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The machine, and what it did meanwhile.

    Args:
        packages: versions of those that are installed.
        thread_variables: environment variables that limit threads.
        wall_s: seconds that the measurement took.
        other_load_cores: CPU that other processes took; None where the machine does not tell.
        steal_cores: CPU that the hypervisor gave to other guests; None likewise.
        major_faults: pages that this process had to read from a disk; None likewise.
        swapped_pages: pages that the machine swapped in or out; None likewise.
    """

    cpu: CpuFacts
    memory_bytes: int | None
    gpu: GpuFacts
    system: str
    python: str
    packages: dict[str, str]
    threads: int
    thread_variables: dict[str, str]
    clock: ClockFacts
    wall_s: float
    load: Load
    other_load_cores: float | None
    steal_cores: float | None
    frequencies_mhz: Frequencies
    temperatures_c: Temperatures
    major_faults: int | None = None
    swapped_pages: int | None = None
