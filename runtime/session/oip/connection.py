"""Connection to an inference server, whatever carries it, and what may go wrong on it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.secrets import redact

_LONGEST_WORDS = 200


class ServerError(Exception):
    """The server did not answer as asked.

    Args:
        reason: in words; what a server said is cut, and holds no line break.
    """

    def __init__(self, reason: str) -> None:
        words = " ".join(redact(reason).split())
        self.reason = "".join(sign if sign.isprintable() else "?" for sign in words)
        if len(self.reason) > _LONGEST_WORDS:
            self.reason = f"{self.reason[:_LONGEST_WORDS]}…"
        super().__init__(self.reason)


class ServerGoneError(ServerError):
    """There is no connection to it."""


class ServerSilentError(ServerError):
    """It did not answer in time; its connection may stand."""


class ServerRefusalError(ServerError):
    """It answered that it will not, or something that is no answer."""


@dataclass(frozen=True)
class ServerFacts:
    """Facts that a server tells of itself.

    Args:
        name, version: of its software.
        extensions: of the protocol.
    """

    name: str = "server"
    version: str = ""
    extensions: frozenset[str] = frozenset()

    @property
    def takes_binary(self) -> bool:
        """Whether tensors may be bytes behind the JSON of HTTP."""
        return any(name.startswith("binary_tensor_data") for name in self.extensions)


@dataclass(frozen=True)
class TensorFacts:
    """A tensor of a model: its datatype, and its shape with -1 for any number."""

    datatype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.datatype} {'×'.join(map(str, self.shape))}"


@dataclass(frozen=True)
class ModelFacts:
    """Facts that a server tells of a model.

    Args:
        versions: that it serves; empty where it does not tell.
        inputs, outputs: by name.
        largest: the largest batch; None where it does not tell.
    """

    name: str
    versions: tuple[str, ...] = ()
    inputs: Mapping[str, TensorFacts] = field(default_factory=dict)
    outputs: Mapping[str, TensorFacts] = field(default_factory=dict)
    largest: int | None = None


@dataclass(frozen=True)
class ServedModel:
    """Name of a model on a server, and the version that is pinned; empty for the server's own."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} version {self.version}" if self.version else self.name


@dataclass(frozen=True)
class ServerAnswer:
    """Answer to one request.

    Args:
        version: of the model that answered; empty where it does not tell.
        outputs: by name, as the server shaped them.
    """

    version: str
    outputs: Mapping[str, NDArray[np.float32]]


class Connection(ABC):
    """One way to the server, for one thread at a time. `by_ns` is always a monotonic deadline.

    Every method raises a `ServerError`. `spent` is True once it cannot be used again.
    """

    spent = False

    @abstractmethod
    def connect(self, by_ns: int) -> None:
        """Have a connection."""

    @abstractmethod
    def server(self, by_ns: int) -> ServerFacts:
        """Ask what the server is."""

    @abstractmethod
    def model(self, by_ns: int) -> ModelFacts:
        """Ask for the model's metadata."""

    @abstractmethod
    def require_ready(self, by_ns: int) -> None:
        """Ask whether the model takes requests."""

    @abstractmethod
    def infer(self, batch: NDArray[np.uint8], by_ns: int) -> ServerAnswer:
        """Run the model on a batch, uint8 N×1×H×W."""

    @abstractmethod
    def close(self) -> None:
        """End it; a call in another thread ends too."""


def seconds_left(by_ns: int) -> float:
    """Return the seconds until a deadline.

    Raises:
        ServerSilentError: it is over.
    """
    left = (by_ns - time.monotonic_ns()) / 1e9
    if left <= 0:
        raise ServerSilentError("no answer in time")
    return left
