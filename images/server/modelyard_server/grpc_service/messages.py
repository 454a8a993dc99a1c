"""The messages of the published protocol, made from a table, so that no compiler is needed to build the image.

Names, numbers and types of fields are those of ``package inference`` in the protocol's gRPC part. Clients use the published
``.proto`` file, or what comes with their library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"
_PARAMETER = "InferParameter"
_SCALARS = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
}

_MESSAGES: Mapping[str, tuple[str, ...]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": ("bool live = 1",),
    "ServerReadyRequest": (),
    "ServerReadyResponse": ("bool ready = 1",),
    "ModelReadyRequest": ("string name = 1", "string version = 2"),
    "ModelReadyResponse": ("bool ready = 1",),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": ("string name = 1", "string version = 2", "repeated string extensions = 3"),
    "ModelMetadataRequest": ("string name = 1", "string version = 2"),
    "TensorMetadata": ("string name = 1", "string datatype = 2", "repeated int64 shape = 3"),
    "ModelMetadataResponse": (
        "string name = 1",
        "repeated string versions = 2",
        "string platform = 3",
        "repeated TensorMetadata inputs = 4",
        "repeated TensorMetadata outputs = 5",
    ),
    _PARAMETER: ("oneof bool bool_param = 1", "oneof int64 int64_param = 2", "oneof string string_param = 3"),
    "InferTensorContents": (
        "repeated bool bool_contents = 1",
        "repeated int32 int_contents = 2",
        "repeated int64 int64_contents = 3",
        "repeated uint32 uint_contents = 4",
        "repeated uint64 uint64_contents = 5",
        "repeated float fp32_contents = 6",
        "repeated double fp64_contents = 7",
        "repeated bytes bytes_contents = 8",
    ),
    "InferTensor": (
        "string name = 1",
        "string datatype = 2",
        "repeated int64 shape = 3",
        "map parameters = 4",
        "InferTensorContents contents = 5",
    ),
    "InferRequestedOutputTensor": ("string name = 1", "map parameters = 2"),
    "ModelInferRequest": (
        "string model_name = 1",
        "string model_version = 2",
        "string id = 3",
        "map parameters = 4",
        "repeated InferTensor inputs = 5",
        "repeated InferRequestedOutputTensor outputs = 6",
        "repeated bytes raw_input_contents = 7",
    ),
    "ModelInferResponse": (
        "string model_name = 1",
        "string model_version = 2",
        "string id = 3",
        "map parameters = 4",
        "repeated InferTensor outputs = 5",
        "repeated bytes raw_output_contents = 6",
    ),
}


HEALTH_PACKAGE = "grpc.health.v1"
HEALTH_SERVICE = f"{HEALTH_PACKAGE}.Health"
_HEALTH: Mapping[str, tuple[str, ...]] = {
    "HealthCheckRequest": ("string service = 1",),
    # An enumeration in the published file, which is a number on the wire.
    "HealthCheckResponse": ("int32 status = 1",),
}
SERVING, NOT_SERVING = 1, 2
"""Its values."""


class Messages:
    """Classes of messages by name, in a pool of their own: a client in the same process may have its own."""

    def __init__(self) -> None:
        self._pool = DescriptorPool()
        for package, messages in ((PACKAGE, _MESSAGES), (HEALTH_PACKAGE, _HEALTH)):
            self._pool.Add(_file(package, messages))

    def of(self, name: str, package: str = PACKAGE) -> Any:  # noqa: ANN401  classes that are made at run time
        """The class of a message."""
        return GetMessageClass(self._pool.FindMessageTypeByName(f"{package}.{name}"))


def _file(package: str, messages: Mapping[str, tuple[str, ...]]) -> FileDescriptorProto:
    file = FileDescriptorProto(name=f"modelyard/{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add(message, field)
    return file


def _add(message: DescriptorProto, line: str) -> None:
    """Adds a field as it is written in the table: ``[repeated|oneof] type name = number``, or ``map name = number``."""
    left, _, number = line.partition(" = ")
    *kinds, name = left.split()
    kind = kinds[-1]
    field = message.field.add(name=name, number=int(number), label=FieldDescriptorProto.LABEL_OPTIONAL)
    if "oneof" in kinds:
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    if kind == "map":
        entry = message.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        _add(entry, "string key = 1")
        _add(entry, f"{_PARAMETER} value = 2")
        field.type_name = f".{PACKAGE}.{message.name}.{entry.name}"
    elif kind not in _SCALARS:
        field.type_name = f".{PACKAGE}.{kind}"
    if kind == "map" or "repeated" in kinds:
        field.label = FieldDescriptorProto.LABEL_REPEATED
    field.type = _SCALARS.get(kind, FieldDescriptorProto.TYPE_MESSAGE)
