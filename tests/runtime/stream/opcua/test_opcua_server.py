"""The line to clients of asyncua: what they see, may call, and are told."""

from __future__ import annotations

import asyncio

import pytest

from runtime.stream.verdict import Status
from tests.runtime.stream.opcua.serving import USER, ServedLine, int32, uint32, until

ua = pytest.importorskip("asyncua.ua", reason="needs asyncua: pip install 'edgecl[opcua]'")

EXECUTING = ("Operational", "ContinuousExecution")


async def shown(seen, wanted: str) -> None:
    """Wait until the newest result is that one."""

    async def there() -> bool:
        newest = await seen.value("VisionSystem/ResultManagement/Results/Newest")
        return newest is not None and newest.ResultId.Id == wanted

    await until(there, f"result {wanted}")


def test_a_line_executes_from_its_start_and_shows_its_facts(line: ServedLine):
    async def look():
        async with line.client() as seen:
            assert await seen.state() == EXECUTING
            facts = [
                await seen.value(f"Line/{name}") for name in ("Run", "Bundle", "Camera", "Lot")
            ]
            assert facts == ["run", "steel.edgecl", "camera 0", "4711"]

    asyncio.run(look())


def test_the_newest_result_is_shown_with_the_standards_fields(line: ServedLine):
    async def look():
        async with line.client() as seen:
            line.emit(2)
            await shown(seen, line.emit(status=Status.FAULT))
            result = await seen.value("VisionSystem/ResultManagement/Results/Newest")
            assert result.ResultState == 4
            assert not result.IsPartial
            assert result.JobId.Id.startswith("run/job-")
            assert result.InternalRecipeId.Hash == bytes.fromhex("ab" * 32)
            assert result.InternalConfigurationId.Id == "run"
            assert result.ProcessingTimes.ProcessingDuration == 4.0
            content = [entry.Value for entry in result.ResultContent]
            assert content[:3] == ["fault", "clean", "0.9"]
            assert await seen.value("Line/Status") == "fault"
            assert await seen.value("Line/Confidence") == 0.9
            assert await seen.value("Line/Lost") == 0

    asyncio.run(look())


def test_a_thousand_results_arrive_in_order(line: ServedLine):
    async def listen():
        async with line.client() as seen:
            heard = await seen.listen("ResultReadyEventType")
            first = line.emitted
            await asyncio.to_thread(line.emit, 1000)

            async def all_there() -> bool:
                return len(heard.events) >= 1000

            await until(all_there, "1,000 results")
            ids = [event.ResultId.Id for event in heard.events]
            assert ids == [f"run/{number}" for number in range(first, first + 1000)]
            assert heard.events[0].Message.Text == "pass clean"
            assert line.sink.lost == 0

    asyncio.run(listen())


def test_events_that_a_client_does_not_take_in_time_are_counted(line: ServedLine):
    async def listen():
        async with line.client() as slow, line.client() as watching:
            before = await watching.value("Line/Missed")
            await slow.listen("ResultReadyEventType", pause_ms=600_000, queue=5)
            line.emit(9)
            last = line.emit()
            await shown(watching, last)

            async def counted() -> bool:
                return bool(await watching.value("Line/Missed") >= before + 4)

            await until(counted, "the events that were missed")

    asyncio.run(listen())


def test_who_has_no_user_reads_and_calls_nothing(line: ServedLine):
    async def try_it():
        async with line.client() as seen:
            for call in (seen.stop, seen.start):
                with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                    await call()
            assert await seen.state() == EXECUTING

    asyncio.run(try_it())


@pytest.mark.parametrize("user", ["", USER])
def test_nobody_writes_or_changes_the_address_space(line: ServedLine, user):
    async def try_it():
        async with line.client(user) as seen:
            status = await seen.node("Line/Status")
            with pytest.raises(ua.uaerrors.BadNotWritable):
                await status.write_value("pass")
            with pytest.raises((ua.UaError, ConnectionError)):
                await seen.client.nodes.objects.add_object(2, "Mine")
        async with line.client(user) as seen:
            names = [(await n.read_browse_name()).Name for n in await _objects(seen)]
            assert "Mine" not in names

    asyncio.run(try_it())


async def _objects(seen):
    return await seen.client.nodes.objects.get_children()


def test_a_user_stops_and_starts_jobs_and_events_tell(line: ServedLine):
    kinds = ("StateChangedEventType", "JobStartedEventType", "ReadyEventType")

    async def work():
        async with line.client(USER) as seen:
            heard = await seen.listen(*kinds, at=await seen.node("VisionSystem"))
            assert await seen.stop() == 0
            assert await seen.state() == ("Operational", "Ready")
            line.emit()
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await seen.stop()
            job, error = await seen.start(part=_part("coil 7"))
            assert error == 0
            await shown(seen, line.emit())
            result = await seen.value("VisionSystem/ResultManagement/Results/Newest")
            assert (result.JobId.Id, result.PartId.Id) == (job.Id, "coil 7")

            async def told() -> bool:
                return len(heard.events) >= 4

            await until(told, "events of stop and start")
            texts = [event.Message.Text for event in heard.events]
            assert texts == ["because", "because"] + ["ReadyToContinuousExecution"] * 2
            stopped, ready, started, job_started = heard.events
            transition = (stopped.FromState.Text, stopped.ToState.Text)
            assert transition == ("ContinuousExecution", "Ready")
            assert ready.JobId.Id != job_started.JobId.Id == job.Id
            assert started.ToState.Text == "ContinuousExecution"
            withheld = await seen.value("Line/Withheld")
            assert withheld == 1

    asyncio.run(work())


def _part(name: str):
    import asyncua.ua as types

    return types.PartIdDataType(Id=name)


def test_a_single_job_is_ready_after_one_result(line: ServedLine):
    async def work():
        async with line.client(USER) as seen:
            await seen.stop()
            await seen.start("StartSingleJob")
            only = line.emit()
            line.emit()
            await shown(seen, only)
            assert await seen.state() == ("Operational", "Ready")
            await seen.start()

    asyncio.run(work())


def test_halt_and_reset_lead_through_the_standards_states(line: ServedLine):
    async def work():
        async with line.client(USER) as seen:
            await seen.call("Vision/Halt", int32(0), None)
            assert await seen.state() == ("Halted", "")
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await seen.call("Vision/SelectModeAutomatic")
            await seen.call("Vision/Reset", int32(0), None)
            assert await seen.state() == ("Preoperational", "")
            await seen.call("Vision/SelectModeAutomatic")
            assert await seen.state() == ("Operational", "Initialized")
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await seen.start()
            prepared, completed, error = await _prepare(seen, "steel.edgecl")
            assert (prepared.Id, completed, error) == ("steel.edgecl", True, 0)
            assert await seen.state() == ("Operational", "Ready")
            await seen.start()

    asyncio.run(work())


async def _prepare(seen, recipe: str):
    import asyncua.ua as types

    external = types.RecipeIdExternalDataType(Id=recipe)
    return await seen.call("RecipeManagement/PrepareRecipe", external, None)


def test_without_recipes_there_is_the_bundle_alone(line: ServedLine):
    async def work():
        async with line.client(USER) as seen:
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await _prepare(seen, "steel.edgecl")  # a job is under way
            await seen.stop()
            prepared, completed, error = await _prepare(seen, "another")
            assert (prepared.Id, completed, error) == ("", False, -1)
            complete, count, _, found, error = await seen.call(
                "RecipeManagement/GetRecipeListFiltered",
                *(None, None, int32(2), uint32(0), uint32(0), int32(0)),
            )
            assert (complete, count, [entry.Id for entry in found]) == (True, 1, ["steel.edgecl"])
            await seen.start()

    asyncio.run(work())


def test_results_are_asked_for_by_id_and_by_what_they_belong_to(line: ServedLine):
    import asyncua.ua as types

    async def work():
        async with line.client(USER) as seen:
            await seen.stop()
            await seen.start(part=_part("coil 8"))
            wanted = line.emit()
            await shown(seen, wanted)
            name = "ResultManagement/GetResultById"
            _, result, error = await seen.call(name, types.ResultIdDataType(Id=wanted), int32(0))
            assert (result.ResultId.Id, result.PartId.Id, error) == (wanted, "coil 8", 0)
            _, _, error = await seen.call(name, types.ResultIdDataType(Id="gone"), int32(0))
            assert error == -4
            nothing = (None,) * 5
            listed = await seen.call(
                "ResultManagement/GetResultListFiltered",
                *(int32(1), None, _part("coil 8"), *nothing[:2], *nothing[:2], None, None),
                *(uint32(10), uint32(0), int32(0)),
            )
            assert [entry.ResultId.Id for entry in listed[3]] == [wanted]

    asyncio.run(work())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "BadArgumentsMissing"),
        ((1, "", 3), "BadTooManyArguments"),
        (("text", "text"), "BadInvalidArgument"),
        ((None, None), "BadInvalidArgument"),
    ],
)
def test_wrong_arguments_are_refused_with_the_standards_codes(line: ServedLine, arguments, code):
    async def work():
        async with line.client(USER) as seen:
            with pytest.raises(getattr(ua.uaerrors, code)):
                await seen.call("Automatic/Stop", *arguments)
            assert await seen.state() == EXECUTING

    asyncio.run(work())


def test_a_structure_of_another_kind_is_no_recipe(line: ServedLine):
    async def work():
        async with line.client(USER) as seen:
            with pytest.raises(ua.uaerrors.BadInvalidArgument):
                await seen.call("RecipeManagement/PrepareRecipe", _part("x"), None)

    asyncio.run(work())


def test_an_encrypted_connection_and_what_its_user_may(line: ServedLine):
    async def work():
        async with line.client(USER, encrypted=True) as seen:
            assert await seen.stop() == 0
            await seen.start()
        async with line.client(encrypted=True) as seen:
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await seen.stop()

    asyncio.run(work())


def test_the_endpoints_are_plain_and_encrypted_on_this_machine(line: ServedLine):
    from asyncua import Client

    async def ask():
        return await Client(line.url, timeout=60).connect_and_get_server_endpoints()

    policies = {e.SecurityPolicyUri.rpartition("#")[2] for e in asyncio.run(ask())}
    assert policies == {"None", "Basic256Sha256"}
