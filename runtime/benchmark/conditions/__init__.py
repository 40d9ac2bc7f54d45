"""The machine while it is measured: clocks, load, memory, swap, GPU, power."""

from runtime.benchmark.conditions.document import Conditions, SideEnergy
from runtime.benchmark.conditions.watching import ConditionWatch

__all__ = ["ConditionWatch", "Conditions", "SideEnergy"]
