"""Engines behind one interface. `open_session` is the stable entry.

with open_session("surface.edgecl", precision="int8") as session:
    outputs = session.infer(batch)  # uint8 N×1×H×W
"""

from runtime.session.base import Outputs, Session
from runtime.session.opening import Candidate, open_session
from runtime.session.spec import ENGINES, EngineSpec, installed_engines

__all__ = [
    "ENGINES",
    "Candidate",
    "EngineSpec",
    "Outputs",
    "Session",
    "installed_engines",
    "open_session",
]
