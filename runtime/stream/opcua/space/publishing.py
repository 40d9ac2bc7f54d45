"""Publishing of the line to clients: nodes and events, whenever it changes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from asyncua import Node, ua

from runtime.stream.opcua.line import LineResult, VisionLine
from runtime.stream.opcua.space.events import SERIOUS, Events
from runtime.stream.opcua.space.nodes import PLAIN, Machine, Space
from runtime.stream.opcua.space.values import result_fields, result_structure
from runtime.stream.opcua.states import (
    ERROR_BEGINS,
    ERROR_ENDS,
    JOB_BEGINS,
    JOB_ENDS,
    State,
    Steps,
    Transition,
)


class Publisher:
    """Writes nodes and raises events.

    Args:
        space: the nodes.
        events: those of the space.
        line: what is shown.
    """

    def __init__(self, space: Space, events: Events, line: VisionLine) -> None:
        self._space = space
        self._events = events
        self._line = line

    async def facts(self, **texts: str) -> None:
        """Show facts of the stream, by the name of the value."""
        for name, text in texts.items():
            await self._plain(name, text)
        await self.counts()

    async def counts(self) -> None:
        """Show recipe and counters."""
        line = self._line
        await self._plain("Recipe", line.prepared)
        await self._plain("Bundle", line.bundle)
        await self._plain("Published", line.published)
        await self._plain("Withheld", line.withheld)
        await self._plain("Lost", line.lost)
        await self._plain("Missed", self._space.server.iserver.missed)

    async def steps(self, steps: Steps, message: str = "") -> None:
        """Show transitions, one after the other.

        Args:
            message: of the events; the transition's name by default.
        """
        for step in steps:
            await self._step(step, message or step.name)

    async def recipe_prepared(self, recipe: str) -> None:
        """Tell that a recipe is prepared."""
        make = self._space.definitions.structure
        fields = {
            "ExternalId": ua.Variant(make("RecipeIdExternalDataType", Id=recipe)),
            "InternalId": ua.Variant(make("RecipeIdInternalDataType", Id=recipe)),
        }
        source = self._space.automatic.node
        await self._events.send("RecipePreparedEventType", source, f"recipe {recipe}", fields)
        await self.counts()

    async def recipe_refused(self, recipe: str, reason: str) -> None:
        """Tell that a recipe, which nobody waits for any more, was refused."""
        state = self._line.states.automatic or self._line.states.top
        text = ua.LocalizedText(state.browse_name)
        nodes = {**self._space.machine.states, **self._space.automatic.states}
        fields = {
            "Transition": ua.Variant(ua.LocalizedText(""), ua.VariantType.LocalizedText),
            "FromState": ua.Variant(text, ua.VariantType.LocalizedText),
            "ToState": ua.Variant(text, ua.VariantType.LocalizedText),
            "FromState/Id": ua.Variant(nodes[state].nodeid, ua.VariantType.NodeId),
            "ToState/Id": ua.Variant(nodes[state].nodeid, ua.VariantType.NodeId),
        }
        message = f"recipe {recipe} was refused: {reason}"
        await self._events.send(
            "ErrorEventType", self._space.automatic.node, message, fields, severity=SERIOUS
        )

    async def result(self, result: LineResult) -> None:
        """Show a result, and tell of it."""
        structure = result_structure(self._space.definitions, result, self._line.run)
        await self._write(self._space.newest, structure, ua.VariantType.ExtensionObject)
        verdict = result.verdict
        for name, value in (
            ("Frame", verdict["frame"]),
            ("Status", verdict["status"]),
            ("Label", verdict.get("label") or ""),
            ("Confidence", verdict.get("confidence") or 0.0),
            ("Reason", verdict.get("reason") or ""),
            ("CapturedAt", result.began),
        ):
            await self._plain(name, value)
        await self.counts()
        message = f"{verdict['status']} {verdict.get('label') or ''}".strip()
        await self._events.send(
            "ResultReadyEventType", self._space.automatic.node, message, result_fields(structure)
        )

    async def _step(self, step: Transition, message: str) -> None:
        now = datetime.now(timezone.utc)
        top, automatic = self._space.machine, self._space.automatic
        machine = automatic if step.within_operational else top
        await self._last(machine, step, now)
        if step.target in top.states:
            await self._current(top, step.target)
            await self._nowhere(automatic)
        else:
            await self._current(top, State.OPERATIONAL)
            await self._current(automatic, step.target)
        await self._events.transition("StateChangedEventType", step, machine.node, message)
        if step.number in ERROR_BEGINS:
            await self._events.transition("ErrorEventType", step, machine.node, message)
        if step.number in ERROR_ENDS:
            await self._events.transition("ErrorResolvedEventType", step, machine.node, message)
        if step.number in JOB_BEGINS | JOB_ENDS:
            name = "JobStartedEventType" if step.number in JOB_BEGINS else "ReadyEventType"
            job = self._space.definitions.structure("JobIdDataType", Id=self._line.last_job.id)
            await self._events.send(name, machine.node, message, {"JobId": ua.Variant(job)})

    async def _current(self, machine: Machine, state: State) -> None:
        text = ua.LocalizedText(state.browse_name)
        await self._write(machine.current, text, ua.VariantType.LocalizedText)
        nodeid = machine.states[state].nodeid
        await self._write(machine.current_id, nodeid, ua.VariantType.NodeId)
        await self._write(machine.current_number, int(state), ua.VariantType.UInt32)

    async def _nowhere(self, machine: Machine) -> None:
        await self._write(machine.current, ua.LocalizedText(""), ua.VariantType.LocalizedText)
        await self._write(machine.current_id, ua.NodeId(), ua.VariantType.NodeId)
        await self._write(machine.current_number, 0, ua.VariantType.UInt32)

    async def _last(self, machine: Machine, step: Transition, now: datetime) -> None:
        text = ua.LocalizedText(step.name)
        await self._write(machine.last, text, ua.VariantType.LocalizedText)
        await self._write(machine.last_number, step.number, ua.VariantType.UInt32)
        await self._write(machine.last_time, now, ua.VariantType.DateTime)

    async def _plain(self, name: str, value: Any) -> None:
        await self._write(self._space.plain[name], value, PLAIN[name])

    async def _write(self, node: Node, value: Any, kind: ua.VariantType) -> None:
        now = datetime.now(timezone.utc)
        data = ua.DataValue(ua.Variant(value, kind), SourceTimestamp=now, ServerTimestamp=now)
        await self._space.server.write_attribute_value(node.nodeid, data)
