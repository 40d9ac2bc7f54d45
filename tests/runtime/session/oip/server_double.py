"""A server of the Open Inference Protocol over HTTP that misbehaves when it is told to.

It serves the model of `brightness_model` in tests/conftest.py, computed by NumPy.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODEL = "tiny_fp32"
HEAD = "Inference-Header-Content-Length"


def brightness(images: NDArray[np.uint8], labels: int = 3) -> dict[str, NDArray[np.float32]]:
    """The answers of the brightness model, by output."""
    mean = images.astype(np.float32).mean(axis=(2, 3)) / 255
    centres = (np.arange(labels, dtype=np.float32) + 0.5) / labels
    logits = -20.0 * labels**2 * (mean - centres) ** 2
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return {
        "probabilities": (weights / weights.sum(axis=1, keepdims=True)).astype("f4"),
        "embedding": np.repeat(mean, 128, axis=1).astype("f4"),
    }


def metadata(name: str = MODEL, **changes: Any) -> dict[str, Any]:
    """The metadata of the model, with other fields in place of its own."""
    return {
        "name": name,
        "versions": ["1"],
        "platform": "double",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 1, 32, 48]}],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "embedding", "datatype": "FP32", "shape": [-1, 128]},
        ],
        **changes,
    }


class HttpDouble:
    """The server. What it does is set while it runs.

    Attributes:
        mood: `well`; `hang`, `drip` (a byte now and then), `cut` (half an answer), `drop` (no
            answer), `error`, `shape`, `short`, `nan`, `null`, `missing`, `garbage`, `object`,
            `huge`, `deep`, `close` (answers well and closes), `close once` (after a batch,
            and is well then).
        facts: the metadata of the model.
        version: of the model that answers.
        moods: from which batch on it is in which other mood.
        inferred: batches that were answered or not.
    """

    def __init__(
        self, port: int = 0, *, binary: bool = True, tls: ssl.SSLContext | None = None
    ) -> None:
        self.mood = "well"
        self.moods: dict[int, str] = {}
        self.facts = metadata()
        self.version = "1"
        self.extensions = ["binary_tensor_data"] if binary else []
        self.inferred = 0
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        self._connections: list[socket.socket] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                double._connections.append(self.request)
                super().setup()

            def do_GET(self) -> None:
                double.asked.append((self.path, dict(self.headers)))
                if self.path == "/v2":
                    told = {"name": "double", "version": "2", "extensions": double.extensions}
                elif self.path.split("/")[3] != double.facts["name"].replace(" ", "%20"):
                    self._send(404, {"error": "Request for unknown model"})
                    return
                else:
                    told = double.facts
                self._send(200, told)

            def do_POST(self) -> None:
                double.asked.append((self.path, dict(self.headers)))
                body = self.rfile.read(int(self.headers["Content-Length"]))
                double.inferred += 1
                double._answer(self, body)

            def _send(
                self, status: int, told: Any, data: bytes = b"", *, head: int | None = None
            ) -> None:
                body = told if isinstance(told, bytes) else json.dumps(told).encode()
                self.send_response(status)
                if data or head is not None:
                    self.send_header(HEAD, str(len(body) if head is None else head))
                self.send_header("Content-Length", str(len(body) + len(data)))
                once = double.mood == "close once" and self.command == "POST"
                if once or double.mood == "close":
                    self.send_header("Connection", "close")
                    self.close_connection = True
                if once:
                    double.mood = "well"
                self.end_headers()
                self.wfile.write(body + data)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    def stop(self) -> None:
        """End as a server does that is killed: all connections break."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._thread.join()

    def __enter__(self) -> HttpDouble:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answer(self, handler: Any, body: bytes) -> None:
        mood = self.mood = self.moods.get(self.inferred, self.mood)
        if mood in ("hang", "drop"):
            if mood == "hang":
                self.released.wait(30)
            handler.close_connection = True
            return
        if mood == "error":
            handler._send(500, {"error": "in ensemble,\nout of memory"})
            return
        if mood in ("garbage", "object"):
            handler._send(200, b"<html>" if mood == "garbage" else b"[1]")
            return
        if mood == "deep":
            handler._send(200, b"[" * 100_000)
            return
        if mood == "drip":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            while not self.released.wait(0.01):
                handler.wfile.write(b" ")
            return
        asked, images = read_request(body, handler.headers.get(HEAD))
        outputs = brightness(images)
        if mood == "nan":
            outputs["probabilities"][:] = np.nan
        if mood == "shape":
            outputs["probabilities"] = outputs["probabilities"][:, :2]
        if mood == "missing":
            del outputs["embedding"]
        answer: dict[str, Any] = {"model_name": MODEL, "model_version": self.version}
        binary = asked["outputs"][0].get("parameters", {}).get("binary_data", False)
        told, data = [], b""
        for name, values in outputs.items():
            entry: dict[str, Any] = {"name": name, "datatype": "FP32", "shape": list(values.shape)}
            if binary and mood != "null":
                entry["parameters"] = {"binary_data_size": values.nbytes}
                data += values.tobytes()
            else:
                entry["data"] = [None] * values.size if mood == "null" else values.ravel().tolist()
            told.append(entry)
        answer["outputs"] = told
        if mood == "short":
            data = data[:-4]
        if mood == "huge":
            answer["padding"] = " " * 2**20
        if mood == "cut":
            whole = json.dumps(answer).encode() + data
            handler.wfile.write(
                f"HTTP/1.1 200 OK\r\nContent-Length: {len(whole)}\r\n\r\n".encode() + whole[:40]
            )
            handler.close_connection = True
            return
        handler._send(200, answer, data)


def read_request(body: bytes, head: str | None) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """A request's JSON and its images."""
    length = len(body) if head is None else int(head)
    asked: dict[str, Any] = json.loads(body[:length])
    (image,) = asked["inputs"]
    assert (image["name"], image["datatype"]) == ("image", "UINT8")
    if head is None:
        images = np.array(image["data"], np.uint8)
    else:
        assert image["parameters"]["binary_data_size"] == len(body) - length
        images = np.frombuffer(body[length:], np.uint8)
    return asked, images.reshape(image["shape"])
