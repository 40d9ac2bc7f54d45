"""The protocol over HTTP/1.1, by the standard library alone.

Every send and receive of a request shares one deadline: a server that sends a byte now and then
holds a frame up no longer than one that hangs.
"""

from __future__ import annotations

import http.client
import io
import json
import math
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES
from runtime.session.oip.address import ServerAddress
from runtime.session.oip.connection import (
    Connection,
    ModelFacts,
    ServedModel,
    ServerAnswer,
    ServerError,
    ServerFacts,
    ServerGoneError,
    ServerRefusalError,
    ServerSilentError,
    TensorFacts,
    seconds_left,
)
from runtime.session.oip.contract import ANSWER_TYPE, IMAGE_TYPE

LONGEST_ANSWER = 16 * 2**20
"""Bytes of an answer that are read at most."""

HEADER_LENGTH = "Inference-Header-Content-Length"
MODEL_CONFIGURATION = "model_configuration"


class HttpConnection(Connection):
    """One kept-alive connection.

    Args:
        header: name and value that each request carries.
        tls: None for plain HTTP.
    """

    def __init__(
        self,
        address: ServerAddress,
        model: ServedModel,
        header: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._address = address
        version = f"/versions/{quote(model.version, safe='')}" if model.version else ""
        self._path = f"{address.path}/v2/models/{quote(model.name, safe='')}{version}"
        self._headers = {"User-Agent": "edgecl", **(dict([header]) if header else {})}
        self._tls = tls
        self._socket: _TimedSocket | None = None
        self._http = http.client.HTTPConnection(address.host, address.port)
        self._http.auto_open = 0
        self._facts = ServerFacts()
        self._ended = False  # by the server, after an answer

    def connect(self, by_ns: int) -> None:
        try:
            plain = socket.create_connection(
                (self._address.host, self._address.port), seconds_left(by_ns)
            )
        except TimeoutError as error:
            raise ServerSilentError("no connection in time") from error
        except (OSError, UnicodeError) as error:  # the latter of a malformed host
            raise ServerGoneError(_words(error)) from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                plain.settimeout(seconds_left(by_ns))
                plain = self._tls.wrap_socket(plain, server_hostname=self._address.host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            reason = error.verify_message.rstrip(".")
            raise ServerRefusalError(f"its certificate is not trusted ({reason})") from error
        except TimeoutError as error:
            plain.close()
            raise ServerSilentError("no TLS with it in time") from error
        except (OSError, ValueError) as error:
            plain.close()
            raise ServerGoneError(f"no TLS with it ({_words(error)})") from error
        except ServerError:
            plain.close()
            raise
        self._socket = _TimedSocket(plain)
        self._http.sock = self._socket

    def server(self, by_ns: int) -> ServerFacts:
        told = self._ask("GET", f"{self._address.path}/v2", by_ns)
        extensions = told.get("extensions")
        self._facts = ServerFacts(
            str(told.get("name") or "server"),
            str(told.get("version") or ""),
            frozenset(map(str, extensions)) if isinstance(extensions, list) else frozenset(),
        )
        return self._facts

    def model(self, by_ns: int) -> ModelFacts:
        told = self._ask("GET", self._path, by_ns)
        largest = None
        if MODEL_CONFIGURATION in self._facts.extensions:
            largest = self._ask("GET", f"{self._path}/config", by_ns).get("max_batch_size")
        try:
            return ModelFacts(
                str(told["name"]),
                tuple(map(str, told.get("versions") or ())),
                _tensors(told.get("inputs")),
                _tensors(told.get("outputs")),
                largest if type(largest) is int and largest > 0 else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ServerRefusalError("its model metadata is not that of the protocol") from error

    def require_ready(self, by_ns: int) -> None:
        self._exchange("GET", f"{self._path}/ready", by_ns)

    def infer(self, batch: NDArray[np.uint8], by_ns: int) -> ServerAnswer:
        image: dict[str, Any] = {
            "name": INPUT_NAME,
            "shape": list(batch.shape),
            "datatype": IMAGE_TYPE,
        }
        binary = self._facts.takes_binary
        outputs: list[dict[str, Any]] = [{"name": name} for name in OUTPUT_NAMES]
        if binary:
            image["parameters"] = {"binary_data_size": batch.nbytes}
            for output in outputs:
                output["parameters"] = {"binary_data": True}
        else:
            image["data"] = batch.ravel().tolist()
        body = json.dumps({"inputs": [image], "outputs": outputs}, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        if binary:
            headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(body))}
            body += batch.tobytes()
        length, answer = self._exchange("POST", f"{self._path}/infer", by_ns, body, headers)
        return parse_answer(answer, length)

    def close(self) -> None:
        self.spent = True
        if self._socket is not None:
            self._socket.end()

    def _ask(self, method: str, path: str, by_ns: int) -> Mapping[str, Any]:
        return _object(self._exchange(method, path, by_ns)[1])

    def _exchange(
        self,
        method: str,
        path: str,
        by_ns: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[str | None, bytes]:
        """Return the length of the JSON in front of binary data, if it is told, and the body."""
        if self._ended:
            raise ServerRefusalError("it keeps no connection open")
        if self._socket is None or self.spent:
            raise ServerGoneError("the connection is closed")
        self._socket.by_ns = by_ns
        try:
            self._http.request(method, path, body, {**self._headers, **(headers or {})})
            response = self._http.getresponse()
            data = response.read(LONGEST_ANSWER + 1)
        except (TimeoutError, ServerSilentError) as error:
            self.close()  # the answer would come before that to the next request
            raise ServerSilentError("no answer in time") from error
        except OSError as error:
            self.close()
            raise ServerGoneError(_words(error)) from error
        except (http.client.HTTPException, ValueError) as error:
            self.close()
            raise ServerRefusalError(f"its answer is not HTTP ({type(error).__name__})") from error
        if len(data) > LONGEST_ANSWER:
            self.close()
            raise ServerRefusalError(f"its answer is longer than {LONGEST_ANSWER // 2**20} MiB")
        if response.length:
            self.close()
            raise ServerGoneError("it closed the connection within its answer")
        if response.will_close:
            self._ended = True
            self.close()
        if response.status != 200:
            raise ServerRefusalError(_refusal(path, response.status, data))
        return response.getheader(HEADER_LENGTH), data


class _TimedSocket:
    """A socket whose sends and receives share one deadline, as `http.client` uses it."""

    def __init__(self, plain: socket.socket) -> None:
        self._plain = plain
        self.by_ns = 0

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._plain.settimeout(seconds_left(self.by_ns))
            view = view[self._plain.send(view) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Receiver(self))

    def receive(self, buffer: Any) -> int:
        self._plain.settimeout(seconds_left(self.by_ns))
        return self._plain.recv_into(buffer)

    def close(self) -> None:
        """Do nothing: `http.client` calls it before the last answer is read."""

    def end(self) -> None:
        with suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)  # wakes a thread that receives
        self._plain.close()


class _Receiver(io.RawIOBase):
    def __init__(self, timed: _TimedSocket) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive(buffer)


def parse_answer(data: bytes, length: str | None = None) -> ServerAnswer:
    """Read the answer to an inference.

    Args:
        length: of the JSON in front of binary data, as the header tells it; None for JSON alone.

    Raises:
        ServerRefusalError: it is none, or its tensors do not add up.
    """
    if length is None:
        head, rest = data, memoryview(b"")
    else:
        if not (length.isascii() and length.isdigit() and int(length) <= len(data)):
            raise ServerRefusalError(f"its {HEADER_LENGTH} {length!r} does not fit its answer")
        head, rest = data[: int(length)], memoryview(data)[int(length) :]
    told = _object(head)
    outputs: dict[str, NDArray[np.float32]] = {}
    try:
        for tensor in told["outputs"]:
            name, shape = tensor["name"], _shape(tensor["shape"])
            if tensor["datatype"] != ANSWER_TYPE:
                raise ServerRefusalError(f"its {name} are {tensor['datatype']}, not {ANSWER_TYPE}")
            size = (tensor.get("parameters") or {}).get("binary_data_size")
            if size is None:
                values = _numbers(tensor["data"])
            else:
                if type(size) is not int or size % 4 or not 0 <= size <= len(rest):
                    raise ValueError(f"{size} bytes of {len(rest)}")
                values, rest = np.frombuffer(rest[:size], "<f4"), rest[size:]
            if math.prod(shape) != values.size:
                raise ValueError(f"{values.size} numbers for {shape}")
            outputs[str(name)] = values.reshape(shape).astype(np.float32, copy=False)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ServerRefusalError("its answer is not that of the protocol") from error
    return ServerAnswer(str(told.get("model_version") or ""), outputs)


def _numbers(data: Any) -> NDArray[np.float32]:
    values = np.asarray(data)
    if values.dtype.kind not in "fiu":
        raise TypeError("not numbers")
    with np.errstate(over="ignore"):
        return values.astype(np.float32).ravel()


def _tensors(told: Any) -> dict[str, TensorFacts]:
    return {
        str(tensor["name"]): TensorFacts(str(tensor["datatype"]), _shape(tensor["shape"], least=-1))
        for tensor in told or ()
    }


def _shape(told: Any, *, least: int = 0) -> tuple[int, ...]:
    if not isinstance(told, Sequence) or isinstance(told, str) or len(told) > 8:
        raise TypeError("no shape")
    if not all(type(side) is int and least <= side < 2**31 for side in told):
        raise ValueError("no shape")
    return tuple(told)


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ServerRefusalError("its answer is not JSON") from error
    if not isinstance(told, dict):
        raise ServerRefusalError("its answer is not a JSON object")
    return told


def _refusal(path: str, status: int, data: bytes) -> str:
    try:
        said = _object(data).get("error")
    except ServerError:
        said = None
    return f"HTTP {status} to {path}" + (f": {said}" if isinstance(said, str) and said else "")


def _words(error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS broke off"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
