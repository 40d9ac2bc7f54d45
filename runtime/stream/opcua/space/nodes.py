"""Nodes of the line: one instance of the standard's vision system, and plain values beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import Node, Server, ua

from runtime.stream.opcua.space.definitions import Definitions
from runtime.stream.opcua.states import AUTOMATIC, TOP, State

INSTANCE = "urn:edgecl:line"
"""Namespace of the nodes, and of the browse names that the standard has not."""

SYSTEM, VALUES = "VisionSystem", "Line"

PLAIN: dict[str, ua.VariantType] = {
    "Run": ua.VariantType.String,
    "Bundle": ua.VariantType.String,
    "Camera": ua.VariantType.String,
    "Lot": ua.VariantType.String,
    "Recipe": ua.VariantType.String,
    "Frame": ua.VariantType.Int64,
    "Status": ua.VariantType.String,
    "Label": ua.VariantType.String,
    "Confidence": ua.VariantType.Double,
    "Reason": ua.VariantType.String,
    "CapturedAt": ua.VariantType.DateTime,
    "Published": ua.VariantType.UInt64,
    "Withheld": ua.VariantType.UInt64,
    "Lost": ua.VariantType.UInt64,
    "Missed": ua.VariantType.UInt64,
}
"""Values beside the standard, for clients that read single variables: name and type."""

_EMPTY: dict[ua.VariantType, Any] = {
    ua.VariantType.String: "",
    ua.VariantType.Double: 0.0,
}


@dataclass
class Machine:
    """Nodes of a state machine.

    Args:
        node: the state machine.
        states: nodes of its states.
        current, current_id, current_number: which one it is in.
        last, last_id, last_number, last_time: the transition that led there.
    """

    node: Node
    states: dict[State, Node]
    current: Node
    current_id: Node
    current_number: Node
    last: Node
    last_id: Node
    last_number: Node
    last_time: Node


@dataclass
class Space:
    """Nodes that change, or that methods are added to.

    Args:
        server: that holds them.
        definitions: their types.
        namespace: index of `INSTANCE`.
        plain: values beside the standard, by name.
    """

    server: Server
    definitions: Definitions
    namespace: int
    system: Node
    machine: Machine
    automatic: Machine
    recipes: Node
    results: Node
    newest: Node
    plain: dict[str, Node] = field(default_factory=dict)

    async def add_method(
        self,
        parent: Node,
        name: str,
        callback: Callable[..., Any],
        inputs: Sequence[ua.Argument],
        outputs: Sequence[ua.Argument],
    ) -> None:
        """Add a method of the standard's name."""
        nodeid = _child(parent, name)
        bname = ua.QualifiedName(name, self.definitions.namespace)
        await parent.add_method(nodeid, bname, callback, list(inputs), list(outputs))


async def make_space(server: Server, definitions: Definitions) -> Space:
    """Make the nodes."""
    namespace = await server.register_namespace(INSTANCE)
    standard = definitions.namespace
    objects = server.nodes.objects
    system = await objects.add_object(
        ua.NodeId(SYSTEM, namespace), ua.QualifiedName(SYSTEM, namespace)
    )
    await _retype(system, definitions.objects["VisionSystemType"])
    machine = await _machine(
        system, "VisionStateMachine", TOP, definitions, "VisionStateMachineType"
    )
    automatic = await _machine(
        machine.node,
        "AutomaticModeStateMachine",
        AUTOMATIC,
        definitions,
        "VisionAutomaticModeStateMachineType",
    )
    substate = ua.ObjectIds.HasSubStateMachine
    await machine.states[State.OPERATIONAL].add_reference(automatic.node, substate)
    recipes = await _object(system, "RecipeManagement", standard)
    await _retype(recipes, definitions.objects["RecipeManagementType"])
    results = await _object(system, "ResultManagement", standard)
    await _retype(results, definitions.objects["ResultManagementType"])
    folder = await _object(results, "Results", standard)
    await _retype(folder, definitions.objects["ResultFolderType"])
    newest = await folder.add_variable(
        _child(folder, "Newest"),
        ua.QualifiedName("Newest", namespace),
        None,
        ua.VariantType.Null,
        definitions.data_type("ResultDataType"),
    )
    space = Space(
        server, definitions, namespace, system, machine, automatic, recipes, results, newest
    )
    values = await objects.add_object(
        ua.NodeId(VALUES, namespace), ua.QualifiedName(VALUES, namespace)
    )
    for name, kind in PLAIN.items():
        counts = kind in (ua.VariantType.UInt64, ua.VariantType.Int64)
        empty = 0 if counts else _EMPTY.get(kind, ua.get_win_epoch())
        space.plain[name] = await values.add_variable(
            _child(values, name), ua.QualifiedName(name, namespace), empty, kind
        )
    return space


def _child(parent: Node, name: str) -> ua.NodeId:
    """A node id that says where the node stands, and is the same at every start."""
    return ua.NodeId(f"{parent.nodeid.Identifier}.{name}", parent.nodeid.NamespaceIndex)


async def _object(parent: Node, name: str, namespace: int) -> Node:
    return await parent.add_object(_child(parent, name), ua.QualifiedName(name, namespace))


async def _retype(node: Node, kind: ua.NodeId | int) -> None:
    """Give a node a type, without the nodes that the type has: those that matter are added."""
    before = await node.read_type_definition()
    await node.delete_reference(before, ua.ObjectIds.HasTypeDefinition, bidirectional=False)
    await node.add_reference(kind, ua.ObjectIds.HasTypeDefinition, bidirectional=False)


async def _machine(
    parent: Node, name: str, states: Sequence[State], definitions: Definitions, kind: str
) -> Machine:
    node = await _object(parent, name, definitions.namespace)
    await _retype(node, definitions.objects[kind])
    made: dict[State, Node] = {}
    for state in states:
        made[state] = await _object(node, state.browse_name, definitions.namespace)
        await _retype(made[state], ua.NodeId(ua.ObjectIds.StateType))
        await _property(made[state], "StateNumber", int(state), ua.VariantType.UInt32)
    current = await _variable(node, "CurrentState", ua.ObjectIds.FiniteStateVariableType)
    last = await _variable(node, "LastTransition", ua.ObjectIds.FiniteTransitionVariableType)
    return Machine(
        node,
        made,
        current,
        await _property(current, "Id", ua.NodeId(), ua.VariantType.NodeId),
        await _property(current, "Number", 0, ua.VariantType.UInt32),
        last,
        await _property(last, "Id", ua.NodeId(), ua.VariantType.NodeId),
        await _property(last, "Number", 0, ua.VariantType.UInt32),
        await _property(last, "TransitionTime", ua.get_win_epoch(), ua.VariantType.DateTime),
    )


async def _variable(parent: Node, name: str, kind: int) -> Node:
    empty, variant = ua.LocalizedText(""), ua.VariantType.LocalizedText
    node = await parent.add_variable(
        _child(parent, name), ua.QualifiedName(name, 0), empty, variant
    )
    await _retype(node, ua.NodeId(kind))
    return node


async def _property(parent: Node, name: str, value: Any, kind: ua.VariantType) -> Node:
    return await parent.add_property(_child(parent, name), ua.QualifiedName(name, 0), value, kind)
