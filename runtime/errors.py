"""The errors that users see: what was wrong, where, and what to do next."""

from __future__ import annotations

from runtime.secrets import redact


class EdgeclError(Exception):
    """Base of every error that ends a command with one line instead of a traceback.

    Args:
        problem: what was wrong, and where (a path, an option, a frame number).
        hint: what to do next, as an instruction.
    """

    exit_code = 2

    def __init__(self, problem: str, *, hint: str = "") -> None:
        # Whatever names a camera may hold its password.
        self.problem = redact(problem)
        self.hint = redact(hint)
        super().__init__("; ".join(filter(None, (self.problem, self.hint))))


class InputError(EdgeclError):
    """The user's input cannot be used. The command ends with exit code 2."""


class SessionLostError(InputError):
    """A session will not answer again, whatever it is given: its device or driver is gone."""


class GateError(EdgeclError):
    """A gate or a budget failed. The command ends with exit code 1."""

    exit_code = 1


class FrameError(Exception):
    """Error of one frame: it cannot be judged, its verdict is `fault`, and the stream goes on."""
