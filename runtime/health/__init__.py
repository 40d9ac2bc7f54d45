"""Health of a camera's frames: statistics, limits, and what is wrong with which frame."""

from runtime.health.faults import OF_A_FRAME, OF_A_STREAM, HealthFault
from runtime.health.limits import HealthLimits
from runtime.health.monitor import HealthFinding, HealthMonitor, Source
from runtime.health.slow import SlowMonitor

__all__ = [
    "OF_A_FRAME",
    "OF_A_STREAM",
    "HealthFault",
    "HealthFinding",
    "HealthLimits",
    "HealthMonitor",
    "SlowMonitor",
    "Source",
]
