"""The line for clients of OPC UA: methods that they call, and what the line tells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from runtime.stream.opcua.line import LineResult, VisionLine
from runtime.stream.opcua.messages import Fault, RecipeAnswer, RecipeQuestion, Recipes, Result
from runtime.stream.opcua.space import methods as m
from runtime.stream.opcua.space.nodes import Space
from runtime.stream.opcua.space.publishing import Publisher
from runtime.stream.opcua.space.values import result_structure
from runtime.stream.opcua.states import State, Steps, WrongStateError

OK = 0
RECIPE_UNKNOWN, RECIPE_BUSY, RECIPE_REFUSED, RESULT_UNKNOWN = -1, -2, -3, -4
"""Values of the argument `Error`; the standard leaves those below zero to the application."""

_ERRORS = {"recipe-unknown": RECIPE_UNKNOWN, "recipe-busy": RECIPE_BUSY}

MOST_LISTED = 200


class LineService:
    """Answers methods, and shows what the line tells.

    Args:
        line: its state.
        space: the nodes.
        publisher: writes to them.
        ask: sends a question to the line.
        patience_s: time that `PrepareRecipe` waits for the recipe; then the event tells, as the
            standard has it.
    """

    def __init__(
        self,
        line: VisionLine,
        space: Space,
        publisher: Publisher,
        ask: Callable[[RecipeQuestion], Awaitable[None]],
        patience_s: float,
    ) -> None:
        self._line = line
        self._space = space
        self._publisher = publisher
        self._ask = ask
        self._patience_s = patience_s
        self._changeable = False  # whether the line has recipes
        self._asked = 0
        self._answer: asyncio.Future[RecipeAnswer] | None = None
        self._preparing: asyncio.Task[int] | None = None
        self._late: asyncio.Task[None] | None = None
        self._refusal = ""

    async def offer(self) -> None:
        """Add the methods."""
        states, top = self._line.states, self._space.machine.node
        automatic, recipes, results = (
            self._space.automatic.node,
            self._space.recipes,
            self._space.results,
        )
        for name, change in (("Reset", states.reset), ("Halt", states.halt)):
            await self._add(top, name, m.CAUSE, m.ERROR, self._changing(change))
        select = self._changing(states.select_mode_automatic)
        await self._add(top, "SelectModeAutomatic", (), m.ERROR, select)
        for name, change in (("Stop", states.stop), ("Abort", states.abort)):
            await self._add(automatic, name, m.CAUSE, m.ERROR, self._changing(change))
        for name, start in (
            ("StartSingleJob", states.start_single_job),
            ("StartContinuous", states.start_continuous),
        ):
            await self._add(automatic, name, m.START, m.JOB, self._starting(start))
        await self._add(recipes, "PrepareRecipe", m.RECIPE, m.PREPARED, self._prepare)
        unprepared = (*m.INTERNAL, *m.ERROR)
        await self._add(recipes, "UnprepareRecipe", m.RECIPE, unprepared, self._unprepare)
        await self._add(
            recipes, "GetRecipeListFiltered", m.RECIPE_FILTER, m.RECIPE_LIST, self._list_recipes
        )
        await self._add(results, "GetResultById", m.RESULT_ID, m.RESULT, self._find_result)
        await self._add(
            results, "GetResultListFiltered", m.RESULT_FILTER, m.RESULT_LIST, self._list_results
        )

    async def begin(self) -> None:
        """Show that the line judges."""
        await self._publisher.steps(self._line.step(self._line.states.begin))

    async def hear(self, message: Result | Fault | Recipes | RecipeAnswer) -> None:
        """Show what the line tells."""
        if isinstance(message, Result):
            self._line.lost = message.lost
            result, steps = self._line.take(message.line)
            if result is None:
                await self._publisher.counts()
            else:
                await self._publisher.result(result)
            await self._publisher.steps(steps)
        elif isinstance(message, Fault):
            states = self._line.states
            change = states.fault if message.reason else states.recover
            await self._publisher.steps(self._line.step(change), message.reason)
        elif isinstance(message, Recipes):
            self._changeable = bool(message.ids)
            self._line.recipes = message.ids or self._line.recipes
            if self._line.prepared not in self._line.recipes:
                self._line.prepared = self._line.recipes[0]  # a stream begins with the first
            await self._publisher.counts()
        elif self._answer is not None and message.number == self._asked:
            self._answer.set_result(message)
            self._answer = None

    async def _add(
        self,
        parent: Any,
        name: str,
        inputs: m.Arguments,
        outputs: m.Arguments,
        handler: m.MethodHandler,
    ) -> None:
        definitions = self._space.definitions
        await self._space.add_method(
            parent,
            name,
            m.method(definitions, inputs, outputs, handler),
            m.arguments(definitions, inputs),
            m.arguments(definitions, outputs),
        )

    def _changing(self, change: Callable[[], Steps]) -> m.MethodHandler:
        async def handler(*cause: Any) -> Sequence[Any]:
            text = cause[1] if len(cause) == 2 and cause[1] else ""
            await self._publisher.steps(self._line.step(change), str(text)[:200])
            return (OK,)

        return handler

    def _starting(self, start: Callable[[], Steps]) -> m.MethodHandler:
        async def handler(
            measurement: Any, part: Any, recipe: Any, product: Any, parameters: Any
        ) -> Sequence[Any]:
            make = self._space.definitions.structure
            wanted = _id(recipe)
            if wanted and wanted != self._line.prepared:
                return (make("JobIdDataType", Id=""), RECIPE_UNKNOWN)
            steps = self._line.step(
                start, measurement=_id(measurement), part=_id(part), product=_id(product)
            )
            job = self._line.last_job.id
            await self._publisher.steps(steps)
            return (make("JobIdDataType", Id=job), OK)

        return handler

    async def _prepare(self, external: Any, internal: Any) -> Sequence[Any]:
        states = self._line.states
        if states.automatic not in (State.INITIALIZED, State.READY):
            raise WrongStateError("no recipe is prepared in this state")
        wanted = _id(internal) or _id(external)
        code = OK
        completed = True
        if wanted not in self._line.recipes:
            code = RECIPE_UNKNOWN
        elif self._preparing is not None and not self._preparing.done():
            code = RECIPE_BUSY
        else:
            self._preparing = asyncio.create_task(self._judge_by(wanted))
            done, _ = await asyncio.wait([self._preparing], timeout=self._patience_s)
            completed = bool(done)
            if not done:
                self._late = asyncio.create_task(self._tell_refusal(self._preparing, wanted))
            code = self._preparing.result() if done else OK
        known = wanted if code == OK else ""
        return (self._internal(known), completed and code == OK, code)

    async def _judge_by(self, recipe: str) -> int:
        """Have the line judge by a recipe; return the value of `Error`."""
        if self._changeable:
            self._asked += 1
            answered = self._answer = asyncio.get_running_loop().create_future()
            await self._ask(RecipeQuestion(number=self._asked, recipe=recipe))
            answer = await answered
            if answer.code:
                self._refusal = answer.message
                return _ERRORS.get(answer.code, RECIPE_REFUSED)
        self._line.prepared = recipe
        states = self._line.states
        if states.automatic in (State.INITIALIZED, State.READY):
            await self._publisher.steps(self._line.step(states.prepare_recipe))
        await self._publisher.recipe_prepared(recipe)
        return OK

    async def _tell_refusal(self, preparing: asyncio.Task[int], recipe: str) -> None:
        """Tell those who wait for the event of a recipe that it does not come."""
        if await preparing != OK:
            await self._publisher.recipe_refused(recipe, self._refusal)

    async def _unprepare(self, external: Any, internal: Any) -> Sequence[Any]:
        wanted = _id(internal) or _id(external)
        if wanted and wanted != self._line.prepared:
            return (self._internal(""), RECIPE_UNKNOWN)
        await self._publisher.steps(self._line.step(self._line.states.unprepare_recipe))
        return (self._internal(self._line.prepared), OK)

    async def _list_recipes(
        self, external: Any, product: Any, prepared: int, most: int, start: int, timeout: int
    ) -> Sequence[Any]:
        """List recipes; `prepared` is the standard's 0 for no, 1 for yes, 2 for either."""
        found = [
            recipe
            for recipe in self._line.recipes
            if _id(external) in ("", recipe)
            and prepared in (2, int(recipe == self._line.prepared))
            and not _id(product)
        ]
        listed = found[start : start + min(most or MOST_LISTED, MOST_LISTED)]
        complete = start + len(listed) >= len(found)
        return (complete, len(listed), 0, [self._internal(entry) for entry in listed], OK)

    async def _find_result(self, wanted: Any, timeout: int) -> Sequence[Any]:
        result = self._line.find(_id(wanted))
        if result is None:
            empty = self._space.definitions.structure("ResultDataType")
            return (0, empty, RESULT_UNKNOWN)
        return (0, self._structure(result), OK)

    async def _list_results(self, state: int, *given: Any) -> Sequence[Any]:
        """List results, the newest first."""
        *ids, most, start, _ = given
        keys = ("measurement", "part", "recipe", "recipe", "run", "run", "product", "job")
        wanted = {key: _id(entry) for key, entry in zip(keys, ids, strict=True) if _id(entry)}
        found = self._line.matching(state, wanted)
        listed = found[start : start + min(most or MOST_LISTED, MOST_LISTED)]
        complete = start + len(listed) >= len(found)
        return (complete, len(listed), 0, [self._structure(entry) for entry in listed], OK)

    def _structure(self, result: LineResult) -> Any:
        return result_structure(self._space.definitions, result, self._line.run)

    def _internal(self, recipe: str) -> Any:
        return self._space.definitions.structure("RecipeIdInternalDataType", Id=recipe)


def _id(structure: Any) -> str:
    """The id in a structure that a client sent; empty where there is none."""
    value = getattr(structure, "Id", None)
    return value.strip() if isinstance(value, str) else ""
