"""Types of OPC 40100-1: from the user's node set, or by the same names in a namespace of our own.

The node set is the OPC Foundation's, and stays where the user has it. Without it, the address
space has the standard's browse names in our namespace: a client that looks for names finds all,
one that looks for the standard's types finds none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any

from asyncua import Node, Server, ua
from asyncua.common.structures104 import new_struct, new_struct_field

from runtime.stream.opcua.space.nodeset import MACHINE_VISION, NodesetError

OWN = "urn:edgecl:machine-vision"

_BASE = "BinaryIdBaseDataType"
_ID = (("Id", "String", False),)
_DESCRIBED = (*_ID, ("Description", "LocalizedText", True))
_BINARY = (
    *_ID,
    ("Version", "String", True),
    ("Hash", "ByteString", True),
    ("HashAlgorithm", "String", True),
    ("Description", "LocalizedText", True),
)
IDENTIFIERS = ("RecipeIdExternalDataType", "RecipeIdInternalDataType", "ConfigurationIdDataType")
"""Structures without a field of their own: each is an id with a hash."""

_RESULT = (
    ("ResultId", "ResultIdDataType", False),
    ("HasTransferableDataOnFile", "Boolean", True),
    ("IsPartial", "Boolean", False),
    ("IsSimulated", "Boolean", True),
    ("ResultState", "Int32", False),
    ("MeasId", "MeasIdDataType", True),
    ("PartId", "PartIdDataType", True),
    ("ExternalRecipeId", "RecipeIdExternalDataType", True),
    ("InternalRecipeId", "RecipeIdInternalDataType", False),
    ("ProductId", "ProductIdDataType", True),
    ("ExternalConfigurationId", "ConfigurationIdDataType", True),
    ("InternalConfigurationId", "ConfigurationIdDataType", False),
    ("JobId", "JobIdDataType", False),
    ("CreationTime", "DateTime", False),
    ("ProcessingTimes", "ProcessingTimesDataType", True),
    ("ResultContent", "BaseDataType[]", True),
)
STRUCTURES: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "ResultIdDataType": _ID,
    "JobIdDataType": _ID,
    "MeasIdDataType": _DESCRIBED,
    "PartIdDataType": _DESCRIBED,
    "ProductIdDataType": _DESCRIBED,
    **dict.fromkeys(IDENTIFIERS, _BINARY),
    "ProcessingTimesDataType": (
        ("StartTime", "DateTime", False),
        ("EndTime", "DateTime", False),
        ("AcquisitionDuration", "Double", True),
        ("ProcessingDuration", "Double", True),
    ),
    "ResultDataType": _RESULT,
}
"""Structures by name: field, type and whether it may be left out."""

RESULT_FIELDS = tuple(name for name, _, _ in _RESULT if name != "HasTransferableDataOnFile")

EVENTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "StateChangedEventType": (ua.ObjectIds.TransitionEventType, ()),
    "ErrorEventType": (ua.ObjectIds.TransitionEventType, ()),
    "ErrorResolvedEventType": (ua.ObjectIds.TransitionEventType, ()),
    "JobStartedEventType": (ua.ObjectIds.BaseEventType, ("JobId",)),
    "ReadyEventType": (ua.ObjectIds.BaseEventType, ("JobId",)),
    "RecipePreparedEventType": (ua.ObjectIds.BaseEventType, ("ExternalId", "InternalId")),
    "ResultReadyEventType": (ua.ObjectIds.BaseEventType, RESULT_FIELDS),
}
"""Event types by name: what they are subtypes of, and their fields."""

OBJECTS: dict[str, int] = {
    "VisionSystemType": ua.ObjectIds.BaseObjectType,
    "VisionStateMachineType": ua.ObjectIds.FiniteStateMachineType,
    "VisionAutomaticModeStateMachineType": ua.ObjectIds.FiniteStateMachineType,
    "RecipeManagementType": ua.ObjectIds.BaseObjectType,
    "ResultManagementType": ua.ObjectIds.BaseObjectType,
    "ResultFolderType": ua.ObjectIds.FolderType,
}
"""Object types by name, and what they are subtypes of."""


@dataclass
class Definitions:
    """Types that the address space is made of.

    Args:
        namespace: index of that of the browse names.
        standard: whether they come from the node set.
        data_types: by name.
        objects: object types by name.
        events: event types by name.
    """

    namespace: int
    standard: bool
    data_types: dict[str, ua.NodeId] = field(default_factory=dict)
    objects: dict[str, ua.NodeId] = field(default_factory=dict)
    events: dict[str, ua.NodeId] = field(default_factory=dict)

    def structure(self, name: str, **values: Any) -> Any:
        """Return a structure by name, with these values."""
        return ua.extension_objects_by_datatype[self.data_types[name]](**values)

    def data_type(self, name: str) -> ua.NodeId:
        """Return the node id of a data type, one of these or one that OPC UA has itself."""
        if name in self.data_types:
            return self.data_types[name]
        return ua.NodeId(getattr(ua.ObjectIds, name))


async def load_definitions(server: Server, nodeset: str) -> Definitions:
    """Load the types from a node set; make them where there is none.

    Raises:
        NodesetError: the file has none.
    """
    return await (_from_nodeset(server, Path(nodeset)) if nodeset else _own(server))


async def _from_nodeset(server: Server, path: Path) -> Definitions:
    try:
        await server.import_xml(path)
        namespace = await server.get_namespace_index(MACHINE_VISION)
    except Exception as error:  # whatever the file holds
        raise NodesetError(f"{type(error).__name__}: {error}".splitlines()[0][:200]) from error
    await server.load_data_type_definitions()
    found: dict[str, Node] = {}
    for root in (ua.ObjectIds.BaseObjectType, ua.ObjectIds.BaseDataType):
        await _collect(server.get_node(root), namespace, found)
    missing = [name for name in (*OBJECTS, *EVENTS, *STRUCTURES) if name not in found]
    if missing:
        raise NodesetError(f"it has no {missing[0]}")
    definitions = Definitions(
        namespace,
        standard=True,
        data_types={name: found[name].nodeid for name in (*STRUCTURES, "ResultStateDataType")},
        objects={name: found[name].nodeid for name in OBJECTS},
        events={name: found[name].nodeid for name in EVENTS},
    )
    for name in IDENTIFIERS:
        await _register_subtype(server, name, found[name])
    return definitions


async def _collect(node: Node, namespace: int, found: dict[str, Node]) -> None:
    """Add the subtypes of a node that are of a namespace, by name."""
    for child in await node.get_children(refs=ua.ObjectIds.HasSubtype):
        if child.nodeid.NamespaceIndex == namespace:
            found[(await child.read_browse_name()).Name] = child
        await _collect(child, namespace, found)


async def _register_subtype(server: Server, name: str, node: Node) -> None:
    """Make the class of a structure that adds no field to its base: asyncua has the base's alone.

    What is sent then says which of them it is.
    """
    base = getattr(ua, _BASE)
    made = make_dataclass(name, (), bases=(base,), namespace={"data_type": node.nodeid})
    encodings = await node.get_children(refs=ua.ObjectIds.HasEncoding)
    for encoding in encodings:
        if (await encoding.read_browse_name()).Name == "Default Binary":
            ua.register_extension_object(name, encoding.nodeid, made, node.nodeid)


async def _own(server: Server) -> Definitions:
    namespace = await server.register_namespace(OWN)
    definitions = Definitions(namespace, standard=False)
    for name, fields in STRUCTURES.items():
        made = [
            new_struct_field(
                entry,
                definitions.data_type(kind.removesuffix("[]")),
                array=kind.endswith("[]"),
                optional=optional,
            )
            for entry, kind, optional in fields
        ]
        node, _ = await new_struct(server, namespace, name, made)
        definitions.data_types[name] = node.nodeid
    await server.load_data_type_definitions()
    for name, base in OBJECTS.items():
        node = await server.get_node(base).add_object_type(namespace, name)
        definitions.objects[name] = node.nodeid
    kinds = {entry: kind for entry, kind, _ in _RESULT}
    kinds |= {"ExternalId": "RecipeIdExternalDataType", "InternalId": "RecipeIdInternalDataType"}
    for name, (parent, entries) in EVENTS.items():
        node = await server.get_node(parent).add_object_type(namespace, name)
        for entry in entries:
            data_type = definitions.data_type(kinds[entry].removesuffix("[]"))
            await node.add_property(namespace, entry, None, ua.VariantType.Null, data_type)
        definitions.events[name] = node.nodeid
    return definitions
