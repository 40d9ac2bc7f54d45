"""The protocol over HTTP/1.1, by the standard library alone.

Every send and receive of a request shares one deadline: a server that sends a byte now and then
holds a frame up no longer than one that hangs.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES
from runtime.session.oip.address import ServerAddress
from runtime.session.oip.answers import HEADER_LENGTH, json_object, parse_answer, tensors_of
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
    seconds_left,
)
from runtime.session.oip.contract import IMAGE_TYPE

LONGEST_ANSWER = 16 * 2**20
"""Bytes of an answer that are read at most."""

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
                tensors_of(told.get("inputs")),
                tensors_of(told.get("outputs")),
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
        return json_object(self._exchange(method, path, by_ns)[1])

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


def _refusal(path: str, status: int, data: bytes) -> str:
    try:
        said = json_object(data).get("error")
    except ServerError:
        said = None
    return f"HTTP {status} to {path}" + (f": {said}" if isinstance(said, str) and said else "")


def _words(error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS broke off"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
