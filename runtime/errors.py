"""The errors that users see: what was wrong, where, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.secrets import redact

CODES: Mapping[str, str] = MappingProxyType(
    {
        "input": "an option, a file or a folder cannot be used as given",
        "usage": "the command line cannot be parsed",
        "package-missing": "a Python package is not installed",
        "module-hidden": "a file of the current folder hides one of edgecl's packages",
        "plugin-invalid": "an installed plug-in cannot be loaded",
        "camera-unavailable": "the camera could not be opened at the start",
        "server-unavailable": "the inference server did not answer at the start",
        "gate": "a precision lost more than the gate allows, or a study's runs failed",
        "budget": "more frames missed the latency budget than allowed",
        "equipment": "a device failed in service",
        "camera-lost": "the camera stopped in service and did not come back",
        "session-lost": "the inference device, its driver or the server failed in service",
        "model-failing": "the model failed on frame after frame",
        "disk-failing": "a disk is full or failed while it was written to",
        "recipe-unknown": "no recipe has the id that was asked for, or none came before this one",
        "recipe-busy": "another change of recipe is under way",
        "recipe-refused": "a recipe's bundle cannot be opened, or does not fit its rules",
        "recipe-unsigned": "a recipe's bundle is not signed by the key of --verify-key",
        "recipe-unfit": "a recipe's model does not take the camera's frames",
        "check": "a check found something that is not as it should be",
        "check-busy": "another check is under way",
        "replay": "more verdicts change than allowed",
        "slower": "a side is slower than the limit of compare allows, or may be with --strict",
        "stream-ended": "the stream ended before it did what was asked",
        "output-lost": "standard output could not be written",
        "interrupted": "Ctrl-C, SIGTERM or SIGHUP ended the command",
    }
)
"""Stable name of each kind of failure, for supervisors; with what it means."""


class EdgeclError(Exception):
    """Base of every error that ends a command with one line instead of a traceback.

    Args:
        problem: what was wrong, and where (a path, an option, a frame number).
        hint: what to do next, as an instruction.
        code: a key of `CODES`; the class's own without it.
    """

    exit_code = 2
    code = "input"

    def __init__(self, problem: str, *, hint: str = "", code: str | None = None) -> None:
        # Whatever names a camera may hold its password.
        self.problem = redact(problem)
        self.hint = redact(hint)
        if code is not None:
            self.code = code
        super().__init__("; ".join(filter(None, (self.problem, self.hint))))

    def to_json(self) -> dict[str, Any]:
        """Return the error as an object, as `--json` prints it."""
        return {
            "code": self.code,
            "message": self.problem,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> EdgeclError:
        """Return the error that `to_json` gave, of the class that its exit code says."""
        kinds = {kind.exit_code: kind for kind in (InputError, GateError, EquipmentError)}
        return kinds[value["exit_code"]](value["message"], hint=value["hint"], code=value["code"])


class InputError(EdgeclError):
    """The user's input cannot be used. The command ends with exit code 2."""


class GateError(EdgeclError):
    """A gate or a budget failed. The command ends with exit code 1."""

    exit_code = 1
    code = "gate"


class EquipmentError(EdgeclError):
    """Equipment failed in service: a camera, a GPU, a disk. The command ends with exit code 3."""

    exit_code = 3
    code = "equipment"


class SessionLostError(EquipmentError):
    """A session will not answer again, whatever it is given: its device or driver is gone."""

    code = "session-lost"


class FrameError(Exception):
    """Error of one frame: it cannot be judged, its verdict is `fault`, and the stream goes on."""


class SessionAwayError(FrameError):
    """A session has no answers for now and gets itself back: no failure of the model is counted."""
