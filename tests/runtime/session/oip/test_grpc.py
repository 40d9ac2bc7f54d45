"""Sessions over gRPC: the same answers and failures as over HTTP."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from runtime.errors import FrameError, InputError, SessionAwayError
from runtime.session import Session
from runtime.session.deadline import AnswersBy
from runtime.session.oip.messages import SERVICE, messages
from tests.runtime.session.oip.server_double import MODEL, brightness, metadata
from tests.runtime.session.oip.server_sessions import opened
from tests.runtime.session.test_golden import images
from tests.runtime.stream.remote.certificates import make_certificates
from tests.waiting import wait_until

grpc = pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'edgecl[oip]'")


class GrpcDouble:
    """A server of the protocol over gRPC, with the moods of the one over HTTP.

    Args:
        port: 0 for a free one.
        certificate: key and chain as PEM; None for no TLS.
    """

    def __init__(self, port: int = 0, certificate: tuple[bytes, bytes] | None = None) -> None:
        self.mood = "well"
        self.facts = metadata()
        self.headers: list[dict[str, Any]] = []
        self.released = threading.Event()
        made = messages()
        calls = {
            "ServerMetadata": self._server,
            "ModelReady": lambda request, context: made["ModelReadyResponse"](ready=True),
            "ModelMetadata": self._model,
            "ModelInfer": self._infer,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                call,
                request_deserializer=made[f"{name}Request"].FromString,
                response_serializer=made[f"{name}Response"].SerializeToString,
            )
            for name, call in calls.items()
        }
        self._server_ = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self._server_.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, handlers),)
        )
        place = f"localhost:{port}"
        if certificate is None:
            self.port = self._server_.add_insecure_port(place)
        else:
            credentials = grpc.ssl_server_credentials([certificate])
            self.port = self._server_.add_secure_port(place, credentials)
        self._server_.start()
        self.url = f"grpc{'s' if certificate else ''}://localhost:{self.port}"

    def stop(self) -> None:
        self.released.set()
        self._server_.stop(None).wait()

    def __enter__(self) -> GrpcDouble:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _server(self, request: Any, context: Any) -> Any:
        self.headers.append(dict(context.invocation_metadata()))
        return messages()["ServerMetadataResponse"](name="double", version="2")

    def _model(self, request: Any, context: Any) -> Any:
        if request.name != self.facts["name"]:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.name}")
        facts = {name: value for name, value in self.facts.items() if name != "platform"}
        return messages()["ModelMetadataResponse"](**facts)

    def _infer(self, request: Any, context: Any) -> Any:
        if self.mood == "hang":
            self.released.wait(30)
        if self.mood == "error":
            context.abort(grpc.StatusCode.INTERNAL, "out of memory")
        shape = tuple(request.inputs[0].shape)
        (data,) = request.raw_input_contents
        outputs = brightness(np.frombuffer(data, np.uint8).reshape(shape))
        if self.mood == "shape":
            outputs["probabilities"] = outputs["probabilities"][:, :2]
        told = messages()["ModelInferResponse"](model_name=MODEL, model_version="1")
        for name, values in outputs.items():
            entry = told.outputs.add(name=name, datatype="FP32", shape=values.shape)
            if self.mood == "numbers":
                entry.contents.fp32_contents.extend(values.ravel().tolist())
            else:
                told.raw_output_contents.append(values.tobytes())
        if self.mood == "short":
            told.raw_output_contents[0] = told.raw_output_contents[0][:-4]
        if self.mood == "fewer":
            del told.raw_output_contents[1]
        return told


def infer(session: Session, milliseconds: float = 10_000) -> list[int]:
    with AnswersBy(time.monotonic_ns() + round(milliseconds * 1e6)):
        found: list[int] = session.infer(images()).probabilities.argmax(axis=1).tolist()
    return found


def test_a_server_answers_and_each_wrong_answer_costs_its_frame(bundle):
    with GrpcDouble() as server, opened(bundle, server.url) as session:
        assert session.describe() == f"fp32 on oip double 2, {MODEL} at {server.url}"
        for mood in ("well", "numbers"):
            server.mood = mood
            assert infer(session) == [0, 1, 2]
        for mood, reason in (
            ("error", "internal: out of memory"),
            ("shape", "its probabilities are 3×2 for 3 images"),
            ("short", "its probabilities are 8 numbers for"),
            ("fewer", "its answer has 1 tensors for 2 names"),
            ("hang", "no answer in time"),
        ):
            server.mood = mood
            with pytest.raises(FrameError, match=reason) as caught:
                infer(session, 50 if mood == "hang" else 10_000)
            assert not isinstance(caught.value, SessionAwayError)
        server.mood = "well"
        assert infer(session) == [0, 1, 2]


def test_a_server_that_comes_back_goes_on(bundle):
    lines: list[str] = []
    server = GrpcDouble()
    with opened(bundle, server.url, lines) as session:
        server.stop()
        wait_until(lambda: len(lines) == 1)  # the look at it tells, without a frame
        with pytest.raises(SessionAwayError, match="is away"):
            infer(session)
        with GrpcDouble(server.port):
            wait_until(lambda: len(lines) == 2)
            assert infer(session) == [0, 1, 2]


def test_what_is_not_there_is_named(bundle):
    with GrpcDouble() as server:
        with pytest.raises(InputError, match="does not serve other: not found: no model other"):
            opened(bundle, server.url, model="other")
        server.facts = metadata(outputs=[])
        with pytest.raises(InputError, match="has no output 'probabilities'"):
            opened(bundle, server.url)
    with pytest.raises(InputError, match="does not answer: ") as caught:
        opened(bundle, server.url)
    assert caught.value.code == "server-unavailable"


def test_tls_is_verified_and_the_token_goes_along(bundle, tmp_path):
    made = make_certificates(tmp_path / "tls")
    chain = made.authority
    token = tmp_path / "token"
    token.write_text("abc")
    with GrpcDouble(certificate=(made.key.read_bytes(), made.certificate.read_bytes())) as server:
        lines: list[str] = []
        with opened(bundle, server.url, lines, ca=chain, token_file=token) as session:
            assert infer(session) == [0, 1, 2]
        assert server.headers[0]["authorization"] == "Bearer abc"
        assert not lines
        with pytest.raises(InputError, match="does not answer"):
            opened(bundle, server.url)
        with pytest.raises(InputError, match="--server-ca has no effect"):
            opened(bundle, f"grpc://localhost:{server.port}", ca=chain)


def test_a_missing_package_is_named(bundle, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "grpc", None)
    with pytest.raises(InputError, match=r"needs the package grpcio") as caught:
        opened(bundle, "grpc://localhost:1")
    assert caught.value.code == "package-missing"
