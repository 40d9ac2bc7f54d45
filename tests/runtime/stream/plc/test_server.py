"""The registers over TCP: an independent client, and clients that behave badly."""

from __future__ import annotations

import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from runtime.errors import InputError
from runtime.stream.acting.pending import PendingAct
from runtime.stream.plc.handshake import successor
from runtime.stream.plc.registers import (
    FROM_EDGECL,
    PLC_READS,
    PLC_WRITES,
    ReasonCode,
    RecipeCode,
    VerdictCode,
    places,
    unpack,
    width,
)
from runtime.stream.plc.sink import fault_code, open_modbus
from runtime.stream.sinks import SinkRequest
from runtime.stream.verdict import Decision, Status, Verdict
from tests.runtime.stream.plc.plc_double import LinkLostError, ModbusError, RawModbus
from tests.waiting import PATIENCE, wait_until

plc_server = pytest.importorskip(
    "runtime.stream.plc.server", reason="needs pymodbus: pip install 'edgecl[modbus]'"
)

READS = {field.name: place for place, field in places(PLC_READS, FROM_EDGECL)}
WRITES = {field.name: place for place, field in places(PLC_WRITES, 0)}


def values(client: RawModbus) -> dict[str, int]:
    return unpack(PLC_READS, client.read(FROM_EDGECL, width(PLC_READS)))


def link(client: RawModbus) -> dict[str, int]:
    """Take up the session, and wait until edgecl is ready."""
    client.write(WRITES["session"], [values(client)["session"]])
    wait_until(lambda: values(client)["ready"] == 1)
    return values(client)


def trigger(client: RawModbus, part_id: int) -> None:
    number = successor(values(client)["trigger_ack"])
    client.write(WRITES["trigger"], [number, part_id >> 16, part_id & 0xFFFF])


def verdict(number: int, status: Status = Status.PASS, **more) -> Verdict:
    decision = Decision(status, "scratch", 0.98765, **more)
    now = time.monotonic_ns()
    return Verdict(number, now, 0, decision, {"total": 1}, act=PendingAct(None))


def outcome(given: Verdict) -> list[object]:
    """Whether the act was told, spared or failed; filled when that is known."""
    told: list[object] = []
    assert given.act is not None
    given.act.tell(lambda ended, missed: told.append("failed" if missed else bool(ended)))
    return told


def test_a_part_over_tcp(open_plc):
    sink, port = open_plc()
    client = RawModbus(port)
    early = verdict(3)
    sink.emit(early)
    told = outcome(early)
    wait_until(lambda: bool(told))
    assert told == [False]
    link(client)
    trigger(client, 70_001)
    on_time = verdict(4)
    sink.emit(on_time)
    told = outcome(on_time)
    wait_until(lambda: bool(told))
    assert told == [True]
    said = values(client)
    assert (said["results_valid"], said["part_id"], said["frame"]) == (1, 70_001, 4)
    assert (said["verdict"], said["label"], said["confidence"]) == (VerdictCode.PASS, 2, 9876)
    assert (
        client.read(FROM_EDGECL, width(PLC_READS), 4)[5:]
        == (client.read(FROM_EDGECL, width(PLC_READS))[5:])
    )
    client.write(WRITES["result_ack"], [said["sequence"]])
    assert values(client)["results_valid"] == 0
    assert (sink.acted, sink.lost) == (1, 0)


def test_a_verdict_beyond_its_deadline_is_late_for_the_plc(open_plc):
    sink, port = open_plc()
    client = RawModbus(port)
    link(client)
    trigger(client, 1)
    now = time.monotonic_ns()
    sink.emit(Verdict(1, now, 0, Decision(Status.PASS, "clean", 1.0), {}, act=PendingAct(now)))
    wait_until(lambda: values(client)["results_valid"] == 1)
    said = values(client)
    assert (said["verdict"], said["code"]) == (VerdictCode.LATE, ReasonCode.LATE)
    assert (sink.acted, sink.late_acts) == (1, 1)


def test_a_result_that_nobody_takes_is_counted(open_plc):
    sink, port = open_plc("?hold=1ms")
    client = RawModbus(port)
    link(client)
    trigger(client, 1)
    sink.emit(verdict(1))
    wait_until(lambda: values(client)["code"] == ReasonCode.STALE)
    wait_until(lambda: sink.late_acts == 1)


def test_the_heart_stops_with_the_sink(open_plc):
    sink, port = open_plc()
    client = RawModbus(port)
    first = values(client)["heartbeat"]
    wait_until(lambda: values(client)["heartbeat"] != first)
    sink.close()
    with pytest.raises(LinkLostError):
        values(client)
    with pytest.raises(LinkLostError):
        values(RawModbus(port))


def test_a_restart_finds_the_port_free_and_has_another_session(open_plc):
    sink, port = open_plc()
    client = RawModbus(port)
    before = link(client)["session"]
    sink.close()
    sink, port = open_plc(port=port)
    client = RawModbus(port)
    said = values(client)
    assert said["linked"] == 0
    client.write(WRITES["session"], [before])
    assert values(client)["linked"] == (said["session"] == before)


def test_a_recipe_changes_in_a_thread_of_its_own(open_plc):
    go, asked = threading.Event(), []

    def change(number: int) -> None:
        asked.append(number)
        assert go.wait(PATIENCE)
        if number == 9:
            raise InputError("there is no recipe 9", hint="see the list")
        if number == 10:
            raise OSError("the disk is gone")

    sink, port = open_plc()
    sink.offer_recipes(change)
    client = RawModbus(port)
    link(client)
    found = []
    for request, number in enumerate((8, 9, 10), start=1):
        go.clear()
        client.write(WRITES["recipe"], [number, request])
        assert values(client)["recipe_code"] == RecipeCode.WORKING
        go.set()
        wait_until(lambda: values(client)["recipe_code"] != RecipeCode.WORKING)
        found.append((values(client)["recipe_code"], values(client)["recipe"]))
    assert asked == [8, 9, 10]
    assert found == [(RecipeCode.DONE, 8), (RecipeCode.REFUSED, 8), (RecipeCode.FAILED, 8)]


def test_without_recipes_a_request_is_not_possible(open_plc):
    _, port = open_plc()
    client = RawModbus(port)
    link(client)
    client.write(WRITES["recipe"], [8, 1])
    said = values(client)
    assert (said["recipe_answered"], said["recipe_code"]) == (1, RecipeCode.NOT_POSSIBLE)


# -- Debian's mbpoll, which knows nothing of pymodbus ----------------------------------------------


def mbpoll(port: int, *arguments: str) -> str:
    """Run mbpoll once, with the addresses of the map."""
    found = shutil.which("mbpoll")
    if found is None:
        pytest.skip("needs mbpoll: apt install mbpoll")
    options = ["-m", "tcp", "-p", str(port), "-0", "-1", "-o", "10", "-q"]
    command = [found, *options, *arguments[:-1], "127.0.0.1", *arguments[-1].split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout + done.stderr


def polled(port: int, kind: str = "4") -> dict[str, int]:
    count = str(width(PLC_READS))
    text = mbpoll(port, "-t", kind, "-r", str(FROM_EDGECL), "-c", count, "")
    words = [int(word) & 0xFFFF for word in re.findall(r"^\[\d+\]:\s+(-?\d+)", text, re.MULTILINE)]
    assert len(words) == width(PLC_READS), text
    return unpack(PLC_READS, words)


@pytest.mark.parametrize("kind", ["4", "3"])
def test_mbpoll_takes_a_part_through_the_handshake(open_plc, kind):
    sink, port = open_plc()
    wait_until(lambda: polled(port, kind)["heartbeat"] > 0)
    session = polled(port, kind)["session"]
    assert "Written 1 references" in mbpoll(port, "-r", "0", str(session))
    assert polled(port, kind)["ready"] == 1
    assert "Written 3 references" in mbpoll(port, "-r", "1", "1 0 77")
    sink.emit(verdict(5, Status.REJECT))
    wait_until(lambda: sink.acted == 1)
    said = polled(port, kind)
    assert (said["results_valid"], said["verdict"], said["part_id"]) == (1, VerdictCode.REJECT, 77)
    assert "Written 1 references" in mbpoll(port, "-r", "4", "1")
    assert polled(port, kind)["results_valid"] == 0


def test_mbpoll_cannot_write_what_edgecl_says(open_plc):
    _, port = open_plc()
    assert "Illegal data address" in mbpoll(port, "-r", str(READS["verdict"]), "1")
    assert polled(port)["verdict"] == 0


# -- Clients that behave badly ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (struct.pack(">BHH", 3, 7, 1), 2),  # the gap
        (struct.pack(">BHH", 3, 0, 125), 2),
        (struct.pack(">BHH", 3, 99, 2), 2),
        (struct.pack(">BHH", 3, 65535, 1), 2),
        (struct.pack(">BHH", 6, FROM_EDGECL, 1), 2),
        (struct.pack(">BHHBHH", 16, 6, 2, 4, 1, 1), 2),
        (struct.pack(">BHH", 1, 0, 8), 1),
        (struct.pack(">BHH", 5, 0, 0xFF00), 1),
        (struct.pack(">BHH", 8, 4, 0), 1),  # force listen only mode
        (struct.pack(">BHHH", 22, 0, 0, 0xFFFF), 1),
        (struct.pack(">BBBB", 43, 14, 1, 0), 1),
        (bytes([99, 1, 2]), 1),
    ],
)
def test_what_is_not_in_the_map_is_refused_and_the_next_request_answered(open_plc, request_, code):
    _, port = open_plc()
    client = RawModbus(port)
    with pytest.raises(ModbusError) as raised:
        client.ask(request_)
    assert raised.value.code == code
    assert values(client)["map_version"] == 1


def test_read_and_write_in_one_request(open_plc):
    _, port = open_plc()
    client = RawModbus(port)
    session = values(client)["session"]
    head = struct.pack(">BHHHHBH", 23, READS["linked"], 1, 0, 1, 2, session)
    assert client.ask(head)[2:] == b"\0\1"


@pytest.mark.parametrize("unit", [0, 1, 17, 255])
def test_every_unit_is_answered(open_plc, unit):
    _, port = open_plc()
    assert RawModbus(port).ask(struct.pack(">BHH", 3, FROM_EDGECL, 1), unit)[2:] == b"\0\1"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(1000),
        b"\xff" * 1000,
        b"\0\1\0\0\0\6\1",
        b"\0\1\0\0\xff\xff\1\3\0\0",
        b"\0\1\0\0\0\2\1\x10",
        b"\0\1\0\0\0\5\1\x10\0\0\0",
    ],
)
def test_nonsense_harms_nobody_else(open_plc, data):
    _, port = open_plc()
    client = RawModbus(port)
    link(client)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as bad:
        bad.sendall(data)
        assert values(client)["linked"] == 1
    assert values(client)["linked"] == 1


def test_a_second_master_may_look_but_not_write_until_the_first_is_gone(open_plc, said):
    _, port = open_plc()
    first, second = RawModbus(port), RawModbus(port)
    link(first)
    for _ in range(3):
        with pytest.raises(ModbusError) as raised:
            second.write(WRITES["session"], [0])
        assert raised.value.code == 6
    assert values(second)["linked"] == 1
    assert [line for line in said if "second master" in line] == [
        "note: a second master, at 127.0.0.1, may not write while the first does"
    ]
    first.cut()

    def takes_over() -> bool:
        try:
            second.write(WRITES["session"], [0])
        except ModbusError:
            return False
        return True

    wait_until(takes_over)
    assert values(second)["linked"] == 0


def test_a_master_that_falls_silent_is_replaced(open_plc, monkeypatch):
    monkeypatch.setattr(plc_server, "SILENT_S", 0.05)
    _, port = open_plc()
    first, second = RawModbus(port), RawModbus(port)
    link(first)
    time.sleep(0.1)
    second.write(WRITES["session"], [0])
    assert values(first)["linked"] == 0


def test_many_connections_make_room_for_a_new_one_and_keep_the_one_that_asks(open_plc):
    _, port = open_plc()
    master = RawModbus(port)
    link(master)
    idle = []
    for _ in range(4 * plc_server.MOST_CONNECTIONS):
        idle.append(socket.create_connection(("127.0.0.1", port), PATIENCE))
        assert values(master)["linked"] == 1
    newest = RawModbus(port)
    assert values(newest)["linked"] == 1
    trigger(master, 7)
    for one in idle:
        one.close()


def test_a_client_that_leaves_answers_unread_is_let_go(open_plc, monkeypatch):
    _, port = open_plc()
    slow, other = RawModbus(port), RawModbus(port)
    assert values(slow)["map_version"] == 1
    monkeypatch.setattr(plc_server, "MOST_UNREAD", -1)  # as if the system's buffers were full
    with pytest.raises(LinkLostError):
        values(slow)
    monkeypatch.undo()
    assert values(other)["map_version"] == 1


def test_requests_that_do_not_wait_for_their_answers_are_bounded(open_plc):
    _, port = open_plc()
    request_ = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, FROM_EDGECL, width(PLC_READS))
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as hasty:
        hasty.sendall(request_ * 100_000)
        assert values(RawModbus(port))["map_version"] == 1


def test_one_that_asks_without_a_pause_is_slowed_down_and_others_are_not(open_plc):
    _, port = open_plc()
    eager, other = RawModbus(port), RawModbus(port)
    stop = threading.Event()
    count = 0

    def ask() -> None:
        nonlocal count
        while not stop.is_set():
            eager.read(FROM_EDGECL, 1)
            count += 1

    start = time.monotonic()
    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(50):
        values(other)
    stop.set()
    thread.join()
    assert count <= (time.monotonic() - start) / (plc_server.LOOKING * plc_server.GAP_S) + 2


# -- What cannot be opened -------------------------------------------------------------------------


def test_a_port_in_use_is_told(open_plc):
    _, port = open_plc()
    with pytest.raises(InputError) as raised:
        open_plc(port=port)
    assert str(raised.value).startswith(f"--sink modbus: 127.0.0.1:{port} cannot be had: Address ")
    assert "name another port" in raised.value.hint


def test_an_address_of_another_machine_is_told(tmp_path):
    with pytest.raises(InputError) as raised:
        open_modbus(SinkRequest("modbus", "203.0.113.7:5020", tmp_path))
    assert "cannot be had: Cannot assign requested address" in str(raised.value)
    assert "'ip address' lists them" in raised.value.hint


def test_without_pymodbus_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "runtime.stream.plc.server", None)
    with pytest.raises(InputError) as raised:
        open_modbus(SinkRequest("modbus", "127.0.0.1:0", tmp_path))
    assert "pip install 'edgecl[modbus]'" in raised.value.hint


def test_a_pymodbus_that_does_not_fit_is_told(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise TypeError("unexpected argument")

    monkeypatch.setattr(plc_server, "SimDevice", refuse)
    with pytest.raises(InputError, match="does not serve \\(unexpected argument\\)"):
        open_modbus(SinkRequest("modbus", "127.0.0.1:0", tmp_path))


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("dark: mean brightness 0.01", ReasonCode.DARK),
        ("missed-trigger", ReasonCode.MISSED_TRIGGER),
        ("size-changed: 3x4", ReasonCode.SIZE_CHANGED),
        ("OSError: no", ReasonCode.OTHER),
        ("", ReasonCode.OTHER),
    ],
)
def test_a_fault_has_the_number_of_its_health_fault(reason, code):
    assert fault_code(reason) is code


def test_a_label_has_the_number_that_it_has_in_the_recipe_that_judged(open_plc):
    sink, _ = open_plc("?frames=every")
    given: list[int] = []

    def judged(result):
        given.append(result.label)
        return True

    sink._table.judged = judged
    stain = Verdict(0, 0, 0, Decision(Status.REJECT, "stain", 0.9))
    for labels in ((), ("stain", "clean"), ("dent", "clean")):
        sink.act(replace(stain, labels=labels), Status.REJECT, 0)
    assert given == [3, 1, 0]
