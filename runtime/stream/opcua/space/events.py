"""Events that clients subscribe to, at the server object or at the vision system."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from asyncua import Node, ua
from asyncua.server.event_generator import EventGenerator

from runtime.stream.opcua.space.nodes import Space
from runtime.stream.opcua.states import Transition

SERIOUS, USUAL = 700, 100
"""Severities, 1 to 1000."""


class Events:
    """Raises events.

    Args:
        space: whose nodes are their sources.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._service = space.server.iserver.subscription_service
        self._generators: dict[str, EventGenerator] = {}

    async def prepare(self) -> None:
        """Make the events."""
        server, system = self._space.server, self._space.system
        root = server.get_node(ua.ObjectIds.Server)
        await root.set_event_notifier([ua.EventNotifier.SubscribeToEvents])
        await root.add_reference(system, ua.ObjectIds.HasNotifier)
        for name, kind in self._space.definitions.events.items():
            generator = await server.get_event_generator(kind, system)
            self._generators[name] = generator

    async def transition(self, name: str, step: Transition, source: Node, message: str) -> None:
        """Raise an event about a transition.

        Args:
            name: of the event type.
            source: the state machine.
        """
        texts = {
            "Transition": step.name,
            "FromState": step.source.browse_name,
            "ToState": step.target.browse_name,
        }
        fields = {
            key: ua.Variant(ua.LocalizedText(text), ua.VariantType.LocalizedText)
            for key, text in texts.items()
        }
        machine, automatic = self._space.machine, self._space.automatic
        nodes = {**machine.states, **automatic.states}
        for key, state in (("FromState/Id", step.source), ("ToState/Id", step.target)):
            fields[key] = ua.Variant(nodes[state].nodeid, ua.VariantType.NodeId)
        severity = SERIOUS if name == "ErrorEventType" else USUAL
        await self.send(name, source, message, fields, severity=severity)

    async def send(
        self,
        name: str,
        source: Node,
        message: str,
        fields: dict[str, ua.Variant],
        *,
        severity: int = USUAL,
        time: datetime | None = None,
    ) -> None:
        """Raise an event.

        Args:
            name: of the event type.
            source: the node that it is about.
            fields: by browse name, with `/` between the parts of a path.
        """
        if not self._service.subscriptions:
            return
        generator = self._generators[name]
        event: Any = generator.event
        event.SourceNode = source.nodeid
        event.SourceName = (await source.read_browse_name()).Name
        event.Severity = severity
        for key, variant in fields.items():
            event.add_property(key, variant.Value, variant.VariantType)
        await generator.trigger(time_attr=time, message=message)
        # To who listens at the root as well: asyncua hands nothing on.
        event.emitting_node = ua.NodeId(ua.ObjectIds.Server)
        await self._service.trigger_event(event)
        event.emitting_node = self._space.system.nodeid
