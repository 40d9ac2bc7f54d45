"""What the line tells its clients: recipes that are changed, cameras that are lost and back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from runtime.stream.sinks import LineControls
from tests.runtime.stream.opcua.serving import USER, ServedLine, until

pytest.importorskip("asyncua", reason="needs asyncua: pip install 'edgecl[opcua]'")


@dataclass(frozen=True)
class Reply:
    """What a change of recipe comes to."""

    ok: bool
    code: str = ""
    message: str = ""


async def prepare(seen, recipe: str):
    import asyncua.ua as types

    external = types.RecipeIdExternalDataType(Id=recipe)
    return await seen.call("RecipeManagement/PrepareRecipe", external, None)


@pytest.fixture
def control() -> Iterator[Callable[[ServedLine, LineControls], None]]:
    """Let clients of a line that others have as well ask this of it, until the test ends."""
    lines: list[ServedLine] = []

    def attach(line: ServedLine, controls: LineControls) -> None:
        lines.append(line)
        line.control(controls)

    yield attach
    for line in lines:
        line.control(LineControls())


def test_a_client_has_the_line_judge_by_another_recipe(guarded, control):
    asked: list[str] = []
    replies = {"8": Reply(True), "9": Reply(False, "recipe-refused", "its bundle is damaged")}

    def change(recipe: str) -> Reply:
        asked.append(recipe)
        return replies[recipe]

    control(guarded, LineControls(recipes=("7", "8", "9"), change_recipe=change))

    async def work():
        async with guarded.client(USER) as seen:
            heard = await seen.listen("RecipePreparedEventType")
            await seen.stop()
            prepared, completed, error = await prepare(seen, "8")
            assert (prepared.Id, completed, error) == ("8", True, 0)
            assert (await prepare(seen, "9"))[1:] == [False, -3]
            assert (await prepare(seen, "10"))[1:] == [False, -1]
            assert asked == ["8", "9"]

            async def told() -> bool:
                return bool(heard.events)

            await until(told, "the event of the recipe")
            assert [event.ExternalId.Id for event in heard.events] == ["8"]
            assert await seen.value("Line/Recipe") == "8"
            await seen.start()

    asyncio.run(work())


def test_a_recipe_that_takes_long_is_told_by_its_event(open_line):
    line = open_line()
    release = threading.Event()

    def change(recipe: str) -> Reply:
        release.wait(60)
        return Reply(True) if recipe == "8" else Reply(False, "recipe-refused", "it is damaged")

    line.control(LineControls(recipes=("7", "8"), change_recipe=change))

    async def work():
        async with line.client(USER) as seen:
            heard = await seen.listen("RecipePreparedEventType")
            errors = await seen.listen("ErrorEventType")
            await seen.stop()
            prepared, completed, error = await prepare(seen, "8")
            assert (prepared.Id, completed, error) == ("8", False, 0)
            assert (await prepare(seen, "7"))[1:] == [False, -2]  # one at a time
            assert heard.events == []
            release.set()

            async def told() -> bool:
                return bool(heard.events)

            await until(told, "the event of the recipe")
            release.clear()
            assert (await prepare(seen, "7"))[1:] == [False, 0], "nobody knows yet"
            assert errors.events == []
            release.set()

            async def refused() -> bool:
                return bool(errors.events)

            await until(refused, "the event of the refusal")
            assert "recipe 7 was refused: it is damaged" in errors.events[0].Message.Text
            assert len(heard.events) == 1
            assert await seen.value("Line/Recipe") == "8"

    try:
        asyncio.run(work())
    finally:
        release.set()


def test_a_change_that_raises_is_a_refusal(guarded, control):
    def change(recipe: str) -> Reply:
        raise RuntimeError("the engine broke")

    control(guarded, LineControls(recipes=("7", "8"), change_recipe=change))

    async def work():
        async with guarded.client(USER) as seen:
            await seen.stop()
            assert (await prepare(seen, "8"))[1:] == [False, -3]
            await seen.start()

    asyncio.run(work())


def test_a_lost_camera_is_an_error_and_its_return_resolves_it(line, control):
    reasons = [""]
    control(line, LineControls(fault=lambda: reasons[0]))

    async def state_is(seen, wanted: tuple[str, str]) -> None:
        async def there() -> bool:
            return bool(await seen.state() == wanted)

        await until(there, f"state {wanted}")

    async def work():
        async with line.client(USER) as seen:
            heard = await seen.listen("ErrorEventType", "ErrorResolvedEventType")
            reasons[0] = "camera lost: rtsp://user:hush-hush@10.0.0.2/stream"
            await state_is(seen, ("Error", ""))
            reasons[0] = ""
            await state_is(seen, ("Operational", "ContinuousExecution"))

            async def told() -> bool:
                return len(heard.events) == 2

            await until(told, "events of the error and its end")
            error, resolved = heard.events
            assert "camera lost" in error.Message.Text
            assert "hush-hush" not in error.Message.Text
            assert error.Severity > resolved.Severity
            assert resolved.ToState.Text == "Operational"

    asyncio.run(work())
