"""Clients that mean harm, programs that are in the way, and a process that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator

import msgspec
import pytest

from runtime.errors import InputError
from runtime.stream.opcua import server as limits
from runtime.stream.sinks import open_sink
from tests.runtime.stream.opcua.serving import (
    PATIENCE_S,
    STANDARD,
    USER,
    ServedLine,
    a_verdict,
    until,
)
from tests.waiting import wait_until

ua = pytest.importorskip("asyncua.ua", reason="needs asyncua: pip install 'edgecl[opcua]'")


ESTABLISHED = 1
"""Linux's state of a TCP connection that both sides hold."""


@pytest.fixture(scope="module")
def without_users(tmp_path_factory) -> Iterator[ServedLine]:
    """A line without users, for several tests: what one kills, it awaits again."""
    served = ServedLine(tmp_path_factory.mktemp("nobody"), users=False)
    yield served
    served.close()


async def newest_is(seen, wanted: str) -> None:
    async def there() -> bool:
        newest = await seen.value("VisionSystem/ResultManagement/Results/Newest")
        return newest is not None and newest.ResultId.Id == wanted

    await until(there, f"result {wanted}")


def test_wrong_passwords_are_refused_and_told_without_a_flood(line):

    async def guess():
        for user, password in ((USER, "wrong-horse"), ("admin", ""), ("Admin", "x"), ("", "x")):
            with pytest.raises(ua.UaError):
                async with line.client(user or " ", password):
                    pass

    asyncio.run(guess())
    wait_until(lambda: any("refused" in text for text in line.said), "a line about the login")
    told = [text for text in line.said if "refused" in text]
    assert told == ["OPC UA: a login refused, the last one as 'operator'"]


def test_without_users_nobody_logs_in_and_nobody_needs_to(without_users):
    assert not list(without_users.folder.glob("*.pem"))

    async def look():
        async with without_users.client() as seen:
            assert await seen.value("Line/Run") == "run"
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await seen.stop()
        with pytest.raises(ua.UaError):
            async with without_users.client(USER):
                pass

    asyncio.run(look())


def test_where_nobody_may_read_a_client_without_a_user_is_turned_away(guarded):
    async def look():
        with pytest.raises(ua.UaError):
            async with guarded.client():
                pass
        async with guarded.client(USER, encrypted=True) as seen:
            assert await seen.value("Line/Run") == "run"

    asyncio.run(look())


def test_a_flood_of_calls_costs_no_verdict(line):

    async def flood():
        async with line.client(USER) as seen, line.client() as watching:
            machine = "VisionSystem/VisionStateMachine/AutomaticModeStateMachine"
            node = await seen.node(machine)
            name = f"{seen.standard}:Stop"
            pending = [
                asyncio.ensure_future(node.call_method(name, ua.Variant("x"), ua.Variant("x")))
                for _ in range(80)
            ]
            last = await asyncio.to_thread(line.emit, 200)
            answers = await asyncio.gather(*pending, return_exceptions=True)
            assert all(isinstance(answer, Exception) for answer in answers)
            await newest_is(watching, last)

    asyncio.run(flood())
    assert line.sink.lost == 0


def test_a_flood_of_requests_reaches_nobody_else(line):
    """Too many at once cut their client off, where the server does not keep up with them."""

    async def flood():
        async with line.client() as watching:
            with contextlib.suppress(ua.UaError, ConnectionError, asyncio.TimeoutError):
                await _ask_at_once(line)
            await newest_is(watching, line.emit())

    asyncio.run(flood())


async def _ask_at_once(line) -> None:
    async with line.client() as seen:
        node = await seen.node("Line/Status")
        await asyncio.gather(*(node.read_value() for _ in range(500)))


def test_a_client_that_asks_and_never_reads_is_cut_off(line):
    async def hang():
        async with line.client() as watching:
            with pytest.raises((ua.UaError, ConnectionError, asyncio.TimeoutError)):
                async with line.client() as seen:
                    await _ask_and_never_read(seen)
            await newest_is(watching, line.emit())

    asyncio.run(hang())


def _is_established(connection) -> bool:
    try:
        state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:  # the client's own loop has seen the end, and closed it
        return False
    return bool(state == ESTABLISHED)


async def _ask_and_never_read(seen) -> None:
    """Ask again and again for what is long, and leave the answers in the socket."""
    protocol = seen.client.uaclient.protocol
    protocol.transport.pause_reading()
    wish = ua.ReadParameters()
    long = ua.NodeId(ua.ObjectIds.OpcUa_XmlSchema)  # its value has a third of a MiB
    wish.NodesToRead = [ua.ReadValueId(NodeId=long, AttributeId=ua.AttributeIds.Value)]
    request = ua.ReadRequest(Parameters=wish)
    connection = protocol.transport.get_extra_info("socket")
    end = time.monotonic() + PATIENCE_S
    while _is_established(connection):
        assert time.monotonic() < end, "it was never cut off"
        for _ in range(4):
            asking = asyncio.ensure_future(protocol.send_request(request, PATIENCE_S))
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0.05)
    if protocol.transport is not None:  # which the client's own loop drops when it sees the end
        protocol.transport.abort()
    raise ConnectionError("cut off")


def test_a_subscriber_that_is_stopped_costs_no_verdict(line):
    async def look():
        async with line.client() as stopped, line.client() as seen:
            await stopped.listen("ResultReadyEventType")
            transport = stopped.client.uaclient.protocol.transport
            transport.pause_reading()
            await newest_is(seen, await asyncio.to_thread(line.emit, 300))
            transport.resume_reading()

    asyncio.run(look())
    assert line.sink.lost == 0


def test_a_client_gets_no_shorter_pauses_than_the_process_can_keep(line):
    async def ask():
        async with line.client() as seen:
            for wanted in (0, 0.001, float("nan"), -5):
                parameters = ua.CreateSubscriptionParameters()
                parameters.RequestedPublishingInterval = wanted
                parameters.PublishingEnabled = True
                made = await seen.client.uaclient.create_subscription(
                    parameters, callback=lambda *given: None
                )
                assert made.RevisedPublishingInterval == limits.LEAST_INTERVAL_MS

    asyncio.run(ask())


def test_garbage_and_silence_leave_the_server_as_it_is(line):
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"HELF" + b"\xff" * 400, os.urandom(5000), b""):
        with socket.create_connection(("127.0.0.1", line.port), timeout=30) as silent:
            silent.sendall(junk)

            async def look():
                async with line.client() as seen:
                    assert await seen.value("Line/Run") == "run"

            asyncio.run(look())


def test_a_port_that_is_taken_is_one_line(line, tmp_path):
    with pytest.raises(InputError) as raised:
        open_sink(f"opcua:127.0.0.1:{line.port}", tmp_path)
    assert f"another program has port {line.port}" in raised.value.problem
    assert raised.value.hint == "end it, or choose another port"


def test_an_address_that_this_machine_does_not_have_is_one_line(tmp_path):
    with pytest.raises(InputError, match="does not have that address"):
        open_sink("opcua:127.0.0.1:0?anonymous=read".replace("127.0.0.1", "192.0.2.1"), tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        *("", "<UANodeSet/>", "no XML", "<a><b></a>"),
        f"<UANodeSet><NamespaceUris><Uri>{STANDARD}</Uri></NamespaceUris></UANodeSet>",
    ],
)
def test_a_file_that_is_no_node_set_is_one_line(tmp_path, content):
    path = tmp_path / "set.xml"
    path.write_text(content)
    with pytest.raises(InputError, match="is no Machine Vision node set") as raised:
        open_sink(f"opcua:127.0.0.1:0?nodeset={path}", tmp_path)
    assert "\n" not in raised.value.problem


def test_a_process_that_hangs_holds_up_neither_verdicts_nor_the_end(open_line, monkeypatch):
    monkeypatch.setattr("runtime.stream.opcua.sink.SEND_S", 0.5)
    monkeypatch.setattr("runtime.stream.opcua.sink.CLOSE_S", 0.5)
    line = open_line(users=False)
    process = line.sink.sink._process
    os.kill(process.pid, signal.SIGSTOP)
    try:
        verdict = a_verdict(0)
        for _ in range(5000):
            line.sink.emit(verdict)
        wait_until(lambda: line.sink.lost > 0, "what does not fit is counted")
        line.close()
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()


def test_a_process_that_is_killed_is_started_again_and_the_loss_counted(without_users):
    served = without_users.sink.sink
    served._setup = msgspec.structs.replace(served._setup, hurry=True)  # or it takes a minute
    first = served._process
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    wait_until(lambda: served._link is None, "the loss is noticed")
    without_users.emit(3)
    wait_until(lambda: without_users.sink.lost == 3, "the loss is counted")
    wait_until(
        lambda: any("is started again" in text for text in without_users.said), "a line says so"
    )
    end = time.monotonic() + PATIENCE_S
    while served._link is None:
        assert time.monotonic() < end, "it never came back"
        time.sleep(0.05)


def test_the_process_ends_with_the_one_that_judges(without_users, monkeypatch):
    monkeypatch.setattr("runtime.stream.opcua.sink.CLOSE_S", PATIENCE_S)  # nobody kills it
    served = without_users.sink.sink
    process = served._process
    with served._sending:
        served._link.shutdown(socket.SHUT_RDWR)  # as where that process was killed
    assert process.wait(PATIENCE_S) == 0
    without_users.close()  # it is not started again
