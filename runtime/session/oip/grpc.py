"""The protocol over gRPC, by the gRPC project's own library."""

from __future__ import annotations

import math
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES
from runtime.errors import InputError
from runtime.session.oip.address import ServerAddress
from runtime.session.oip.connection import (
    Connection,
    ModelFacts,
    ServedModel,
    ServerAnswer,
    ServerFacts,
    ServerGoneError,
    ServerRefusalError,
    ServerSilentError,
    TensorFacts,
    seconds_left,
)
from runtime.session.oip.contract import ANSWER_TYPE, IMAGE_TYPE
from runtime.session.oip.http import LONGEST_ANSWER
from runtime.session.oip.messages import SERVICE, messages

_OPTIONS = (
    ("grpc.max_receive_message_length", LONGEST_ANSWER),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # frames go to the server that was named
    ("grpc.enable_retries", 0),  # a frame whose answer is lost is a fault, told at once
    ("grpc.min_reconnect_backoff_ms", 2000),  # time that each try to connect has
    ("grpc.use_local_subchannel_pool", 1),  # a new connection is a new one
)


class GrpcConnection(Connection):
    """One channel.

    Args:
        header: name and value that each request carries.
        roots: PEM of the authorities that are trusted, empty for gRPC's own; None for no TLS.

    Raises:
        InputError: grpcio or protobuf is not installed.
    """

    def __init__(
        self,
        address: ServerAddress,
        model: ServedModel,
        header: tuple[str, str] | None = None,
        roots: bytes | None = None,
    ) -> None:
        try:
            import grpc

            self._made = messages()
        except ImportError as error:
            raise InputError(
                f"{address} needs the package {'grpcio' if error.name == 'grpc' else 'protobuf'}",
                hint="install it: pip install 'edgecl[oip]'; or use the server's http:// address",
                code="package-missing",
            ) from error
        self._grpc = grpc
        self._model = {"name": model.name, "version": model.version}
        self._metadata = [(header[0].lower(), header[1])] if header else None
        self._channel = (
            grpc.insecure_channel(address.place, options=_OPTIONS)
            if roots is None
            else grpc.secure_channel(
                address.place, grpc.ssl_channel_credentials(roots or None), options=_OPTIONS
            )
        )
        self._calls = {
            name: self._channel.unary_unary(
                f"/{SERVICE}/{name}",
                request_serializer=self._made[f"{name}Request"].SerializeToString,
                response_deserializer=self._made[f"{name}Response"].FromString,
            )
            for name in ("ServerMetadata", "ModelReady", "ModelMetadata", "ModelInfer")
        }

    def connect(self, by_ns: int) -> None:
        """Do nothing: the first call connects, and tells more where it cannot."""

    def server(self, by_ns: int) -> ServerFacts:
        told = self._call("ServerMetadata", by_ns)
        return ServerFacts(told.name or "server", told.version, frozenset(told.extensions))

    def model(self, by_ns: int) -> ModelFacts:
        told = self._call("ModelMetadata", by_ns, **self._model)
        return ModelFacts(
            told.name, tuple(told.versions), _tensors(told.inputs), _tensors(told.outputs)
        )

    def require_ready(self, by_ns: int) -> None:
        if not self._call("ModelReady", by_ns, **self._model).ready:
            raise ServerRefusalError(f"the model {self._model['name']} is not ready")

    def infer(self, batch: NDArray[np.uint8], by_ns: int) -> ServerAnswer:
        told = self._call(
            "ModelInfer",
            by_ns,
            model_name=self._model["name"],
            model_version=self._model["version"],
            inputs=[{"name": INPUT_NAME, "datatype": IMAGE_TYPE, "shape": batch.shape}],
            outputs=[{"name": name} for name in OUTPUT_NAMES],
            raw_input_contents=[batch.tobytes()],
        )
        return read_answer(told)

    def close(self) -> None:
        self.spent = True
        self._channel.close()

    def _call(self, call: str, until_ns: int, **fields: Any) -> Any:
        request = self._made[f"{call}Request"](**fields)
        left = seconds_left(until_ns)
        code = self._grpc.StatusCode
        try:
            return self._calls[call](request, timeout=left, metadata=self._metadata)
        except self._grpc.RpcError as error:
            said = f"{error.code().name.replace('_', ' ').lower()}: {error.details()}"
            if error.code() is code.DEADLINE_EXCEEDED:
                self.spent = True  # a new one tells whether the server is slow or hangs
                raise ServerSilentError("no answer in time") from None
            if error.code() in (code.UNAVAILABLE, code.CANCELLED):
                raise ServerGoneError(said) from None
            raise ServerRefusalError(said) from None
        except ValueError as error:  # the channel was closed meanwhile
            raise ServerGoneError("the connection is closed") from error


def read_answer(told: Any) -> ServerAnswer:
    """Read the answer to an inference, with its tensors as bytes or as numbers.

    Raises:
        ServerRefusalError: its tensors do not add up.
    """
    raw = list(told.raw_output_contents)
    if raw and len(raw) != len(told.outputs):
        raise ServerRefusalError(f"its answer has {len(raw)} tensors for {len(told.outputs)} names")
    outputs = {}
    for number, tensor in enumerate(told.outputs):
        if tensor.datatype != ANSWER_TYPE:
            raise ServerRefusalError(f"its {tensor.name} are {tensor.datatype}, not {ANSWER_TYPE}")
        shape = tuple(tensor.shape)
        values = (
            np.frombuffer(raw[number][: len(raw[number]) // 4 * 4], "<f4")
            if raw
            else np.array(tensor.contents.fp32_contents, np.float32)
        )
        if any(side < 0 for side in shape) or math.prod(shape) != values.size:
            raise ServerRefusalError(f"its {tensor.name} are {values.size} numbers for {shape}")
        outputs[tensor.name] = values.reshape(shape).astype(np.float32, copy=False)
    return ServerAnswer(told.model_version, outputs)


def trusted_roots(ca: Path | None, context: ssl.SSLContext) -> bytes:
    """Return the authorities as PEM: those of a file that was checked, or the system's.

    Args:
        context: of `tls_context`, which holds them.
    """
    if ca is not None:
        return ca.read_bytes()
    held: Sequence[bytes] = context.get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, held)).encode()


def _tensors(told: Any) -> dict[str, TensorFacts]:
    return {tensor.name: TensorFacts(tensor.datatype, tuple(tensor.shape)) for tensor in told}
