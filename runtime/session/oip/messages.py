"""Messages of the protocol's gRPC service, made here: generated ones are bound to one protobuf.

Names and numbers: `open_inference_grpc.proto` of kserve/open-inference-protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

SERVICE = "inference.GRPCInferenceService"

_SCALARS = {"string": 9, "bool": 8, "int64": 3, "bytes": 12, "float": 2}
_MESSAGE_TYPE = 11

_SCHEMA: Mapping[str, Mapping[str, tuple[int, str, bool]]] = {
    # message → field → (number, type, repeated)
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {
        "name": (1, "string", False),
        "version": (2, "string", False),
        "extensions": (3, "string", True),
    },
    "ModelReadyRequest": {"name": (1, "string", False), "version": (2, "string", False)},
    "ModelReadyResponse": {"ready": (1, "bool", False)},
    "ModelMetadataRequest": {"name": (1, "string", False), "version": (2, "string", False)},
    "TensorMetadata": {
        "name": (1, "string", False),
        "datatype": (2, "string", False),
        "shape": (3, "int64", True),
    },
    "ModelMetadataResponse": {
        "name": (1, "string", False),
        "versions": (2, "string", True),
        "platform": (3, "string", False),
        "inputs": (4, "TensorMetadata", True),
        "outputs": (5, "TensorMetadata", True),
    },
    "InferTensorContents": {"fp32_contents": (6, "float", True)},
    "InferInputTensor": {
        "name": (1, "string", False),
        "datatype": (2, "string", False),
        "shape": (3, "int64", True),
    },
    "InferRequestedOutputTensor": {"name": (1, "string", False)},
    "ModelInferRequest": {
        "model_name": (1, "string", False),
        "model_version": (2, "string", False),
        "id": (3, "string", False),
        "inputs": (5, "InferInputTensor", True),
        "outputs": (6, "InferRequestedOutputTensor", True),
        "raw_input_contents": (7, "bytes", True),
    },
    "InferOutputTensor": {
        "name": (1, "string", False),
        "datatype": (2, "string", False),
        "shape": (3, "int64", True),
        "contents": (5, "InferTensorContents", False),
    },
    "ModelInferResponse": {
        "model_name": (1, "string", False),
        "model_version": (2, "string", False),
        "id": (3, "string", False),
        "outputs": (5, "InferOutputTensor", True),
        "raw_output_contents": (6, "bytes", True),
    },
}


@cache
def messages() -> Mapping[str, Any]:
    """Return the message classes by name, in a pool of their own."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="edgecl_open_inference.proto", package="inference", syntax="proto3"
    )
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            entry = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if kind in _SCALARS:
                entry.type = _SCALARS[kind]
            else:
                entry.type, entry.type_name = _MESSAGE_TYPE, f".inference.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{name}"))
        for name in _SCHEMA
    }
