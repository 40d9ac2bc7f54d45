"""Verdicts to a real broker: mosquitto, lost and back, refusing, and behind TLS."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from runtime.errors import InputError
from runtime.files.document import parse_document
from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.remote import broker as broker_module
from runtime.stream.sinks.remote.address import MQTT, MQTT_PASSWORD, MQTT_USER, parse_address
from runtime.stream.sinks.remote.delivery import SpoolDelivery
from runtime.stream.sinks.remote.messages import LineStatus, VerdictMessage
from runtime.stream.sinks.remote.spool import Spool
from runtime.stream.sinks.remote.spooled import SpooledSink
from tests.runtime.stream.remote.broker import PREFIX, Broker, Subscriber, free_port
from tests.runtime.stream.remote.certificates import make_certificates
from tests.runtime.stream.remote.receivers import Gate, verdict
from tests.waiting import wait_until

SECRET = "geheim-4711"


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


def address(broker: Broker, scheme: str = "mqtt", options: str = "") -> str:
    return f"mqtt:{scheme}://localhost:{broker.port}/{PREFIX}{options}"


def emit(sink, first: int, last: int) -> None:
    for number in range(first, last):
        sink.emit(verdict(number))


def with_users(broker: Broker, tmp_path, *settings: str) -> None:
    """Let the broker know the user `box`."""
    users = tmp_path / "users"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(users), "box", SECRET], check=True, capture_output=True
    )
    users.chmod(0o600)
    broker.configure(f"password_file {users}", *settings)


def test_verdicts_and_status_as_a_subscriber_sees_them(broker, open_remote, said):
    broker.start()
    subscriber = Subscriber(broker.port)
    sink = open_remote(address(broker))
    emit(sink, 0, 200)
    wait_until(lambda: sink.delivered == 200, "200 verdicts")
    sink.close()
    wait_until(lambda: len(subscriber.states) == 2, "online and offline")
    subscriber.close()
    assert subscriber.frames == list(range(200))
    assert len(subscriber.verdicts) == 200
    assert (sink.lost, sink.waiting, sink.problem, said) == (0, 0, "", [])
    message = subscriber.verdicts[7]
    assert message.topic == f"{PREFIX}/verdict"
    assert message.properties.UserProperty == [("id", "run/7")]
    assert message.properties.ContentType == "application/json"
    document = parse_document(json.loads(message.payload), VerdictMessage, where="message")
    assert (document.id, document.run, document.frame) == ("run/7", "run", 7)
    assert (document.bundle, document.camera) == ("steel.edgecl", "camera 0")
    states = [
        parse_document(json.loads(state.payload), LineStatus, where="status").state
        for state in subscriber.states
    ]
    assert states == ["online", "offline"]
    late = Subscriber(broker.port)
    wait_until(lambda: len(late.states) == 1, "the retained status")
    late.close()
    assert late.states[0].retain
    assert b"offline" in late.states[0].payload


def _more(sink: SpooledSink, done: int) -> bool:
    return sink.delivered > done


def _tried(gate: Gate, tries: int) -> bool:
    return len(gate.pauses) > tries


def test_a_broker_that_is_killed_in_mid_stream_costs_nothing(broker, tmp_path):
    broker.start()
    subscriber = Subscriber(broker.port)
    said: list[str] = []
    gate = Gate()
    stream = StreamFacts("run")
    carrier = broker_module.MqttCarrier(
        parse_address(address(broker).partition(":")[2], MQTT), f"{PREFIX}/", stream, "edgecl-test"
    )
    spool = Spool(tmp_path / "s.sqlite")
    delivery = SpoolDelivery(spool, carrier, report=said.append, wait=gate.wait)
    delivery.start()
    sink = SpooledSink(spool, carrier, delivery, stream)
    for tries in range(3):
        done = sink.delivered
        emit(sink, 1000 * tries, 1000 * tries + 500)
        wait_until(partial(_more, sink, done), "some verdicts")
        subscriber.expect_loss()
        broker.kill()
        emit(sink, 1000 * tries + 500, 1000 * tries + 1000)
        wait_until(partial(_tried, gate, tries), "the loss is seen")
        broker.start()
        subscriber.wait_for_subscription()
        gate.let_through()
    wait_until(lambda: sink.delivered == 3000, "3000 verdicts")
    gate.let_through(100)
    sink.close()
    wait_until(lambda: subscriber.states[-1].payload.find(b"offline") > 0, "offline")
    subscriber.close()
    assert subscriber.frames == list(range(3000))
    assert (sink.lost, sink.waiting) == (0, 0)
    assert len(said) == 6
    assert all("verdicts wait in the spool" in line for line in said[::2])
    assert all("delivers again" in line for line in said[1::2])


PUBLISHER = """
import sys, time
from pathlib import Path
from runtime.stream.sinks import StreamFacts, open_sink
from runtime.stream.verdict import Decision, Status, Verdict
folder, text, first, last, rate = sys.argv[1:]
sink = open_sink(text, Path(folder), stream=StreamFacts("run"))
for number in range(int(first), int(last)):
    sink.emit(Verdict(number, 0, 0, Decision(Status.PASS, "good", 0.9), {"total": 1}))
    time.sleep(float(rate))
while sink.delivered < int(last) - int(first) and sink.waiting:
    time.sleep(0.01)
sink.close()
"""


def test_a_publisher_that_is_killed_is_offline_and_goes_on_at_its_next_start(
    broker, open_remote, tmp_path, said
):
    broker.start()
    subscriber = Subscriber(broker.port)
    arguments = [str(tmp_path), address(broker), "0", "100000", "0.001"]
    with subprocess.Popen([sys.executable, "-c", PUBLISHER, *arguments]) as process:
        wait_until(lambda: len(subscriber.frames) > 50, "50 verdicts")
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: b"offline" in subscriber.states[-1].payload, "the last will")
    before = subscriber.frames
    sink = open_remote(address(broker), spool=tmp_path)
    found = sink.waiting
    emit(sink, 200_000, 200_010)
    wait_until(lambda: subscriber.frames[-1] == 200_009, "the new verdicts")
    sink.close()
    subscriber.close()
    old = [frame for frame in subscriber.frames if frame < 200_000]
    assert old == list(range(len(old))), "a hole"
    assert len(old) >= len(before)
    assert not found or f"{found} verdicts of an earlier stream wait" in said[0]


def test_a_broker_that_is_down_at_the_start_gets_all_of_it_later(
    broker, open_remote, said, monkeypatch
):
    monkeypatch.setattr("runtime.stream.sinks.remote.delivery.LONGEST_PAUSE_S", 0.05)
    sink = open_remote(address(broker))
    emit(sink, 0, 30)
    wait_until(lambda: sink.waiting == 30, "30 in the spool")
    assert len(said) == 1
    assert "Connection refused; verdicts wait in" in said[0]
    broker.start()
    wait_until(lambda: sink.delivered == 30, "30 verdicts")
    assert "delivers again" in said[1]


def test_what_answers_and_is_no_broker_is_waited_for(open_remote, said, monkeypatch):
    pytest.importorskip("paho.mqtt.client")
    import socket

    monkeypatch.setattr(broker_module, "CONNECT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = open_remote(f"mqtt:mqtt://127.0.0.1:{server.getsockname()[1]}/{PREFIX}")
        sink.emit(verdict(0))
        wait_until(lambda: sink.waiting == 1, "one in the spool")
    assert "no answer to the connection; is it an MQTT broker?" in said[0]


def test_a_login_comes_from_a_file_or_the_environment(
    broker, open_remote, tmp_path, monkeypatch, said
):
    with_users(broker, tmp_path)
    broker.start()
    (tmp_path / "login").write_text(f"box\n{SECRET}\n")
    options = f"?login-file={tmp_path / 'login'}"
    open_remote(address(broker, options=options)).close()
    monkeypatch.setenv(MQTT_USER, "box")
    monkeypatch.setenv(MQTT_PASSWORD, SECRET)
    open_remote(address(broker)).close()
    assert all("sent without encryption" in line for line in said)
    assert len(said) == 2


@pytest.mark.parametrize("password", ["wrong-0815", ""])
def test_a_wrong_password_is_one_line_at_the_start_and_shows_nothing(
    broker, open_remote, tmp_path, monkeypatch, password
):
    with_users(broker, tmp_path)
    broker.start()
    monkeypatch.setenv(MQTT_USER, "box")
    monkeypatch.setenv(MQTT_PASSWORD, password)
    with pytest.raises(InputError, match="does not let this user and password in") as caught:
        open_remote(address(broker))
    assert "wrong-0815" not in str(caught.value)
    assert "EDGECL_MQTT_PASSWORD" in caught.value.hint
    monkeypatch.delenv(MQTT_USER)
    with pytest.raises(InputError, match="check the login"):
        open_remote(address(broker))
    monkeypatch.setenv(MQTT_USER, "box")
    monkeypatch.setenv(MQTT_PASSWORD, SECRET)
    open_remote(address(broker)).close()  # a refused start leaves no lock


def test_a_user_who_may_not_publish_there_is_told_at_the_start(
    broker, open_remote, tmp_path, monkeypatch
):
    (tmp_path / "acl").write_text("user box\ntopic write elsewhere/#\n")
    (tmp_path / "acl").chmod(0o600)
    with_users(broker, tmp_path, f"acl_file {tmp_path / 'acl'}")
    broker.start()
    monkeypatch.setenv(MQTT_USER, "box")
    monkeypatch.setenv(MQTT_PASSWORD, SECRET)
    with pytest.raises(InputError, match=f"does not take {PREFIX}/status") as caught:
        open_remote(address(broker))
    assert f"let this user publish to {PREFIX}/#" in caught.value.hint


def test_a_password_that_is_changed_in_service_costs_nothing(
    broker, open_remote, tmp_path, monkeypatch, said
):
    monkeypatch.setattr("runtime.stream.sinks.remote.delivery.LONGEST_PAUSE_S", 0.05)
    broker.start()
    sink = open_remote(address(broker))
    emit(sink, 0, 5)
    wait_until(lambda: sink.delivered == 5, "5 verdicts")
    broker.kill()
    with_users(broker, tmp_path)
    broker.start()
    emit(sink, 5, 10)
    wait_until(lambda: "uthorized" in sink.problem, "it is refused")
    broker.kill()
    broker.configure()
    broker.start()
    wait_until(lambda: sink.delivered == 10, "10 verdicts")
    assert (sink.lost, sink.waiting) == (0, 0)


def test_tls_is_verified_by_the_plants_authority(broker, open_remote, tmp_path, said, monkeypatch):
    good, other = make_certificates(tmp_path / "good"), make_certificates(tmp_path / "other")
    broker.configure(f"certfile {good.certificate}", f"keyfile {good.key}")
    broker.start()
    subscriber = Subscriber(broker.port, tls=ssl.create_default_context(cafile=good.authority))
    sink = open_remote(address(broker, "mqtts", f"?ca={good.authority}"))
    emit(sink, 0, 50)
    wait_until(lambda: sink.delivered == 50, "50 verdicts")
    sink.close()
    wait_until(lambda: len(subscriber.states) == 2, "online and offline")
    subscriber.close()
    assert subscriber.frames == list(range(50))
    for options in (f"?ca={other.authority}", ""):
        with pytest.raises(InputError, match="its certificate is not trusted") as caught:
            open_remote(address(broker, "mqtts", options))
        assert "with ca=" in caught.value.hint
    for file, reason in ((tmp_path / "none", "No such file"), (good.key, "no certificate in it")):
        with pytest.raises(InputError, match=f"ca={file} cannot be read: {reason}"):
            open_remote(address(broker, "mqtts", f"?ca={file}"))
    assert said == []
    sink = open_remote(address(broker))  # plain, to a port with TLS
    sink.emit(verdict(0))
    wait_until(lambda: sink.waiting == 1, "one in the spool")
    assert "verdicts wait in" in said[0]


def test_a_clock_that_is_wrong_keeps_no_line_from_judging(broker, open_remote, tmp_path, said):
    expired = make_certificates(tmp_path / "expired", days=(-30, -2))
    broker.configure(f"certfile {expired.certificate}", f"keyfile {expired.key}")
    broker.start()
    sink = open_remote(address(broker, "mqtts", f"?ca={expired.authority}"))
    sink.emit(verdict(0))
    wait_until(lambda: sink.waiting == 1, "one in the spool")
    assert "certificate has expired); check the clocks; verdicts wait in" in said[0]


def test_no_more_messages_are_open_than_the_broker_allows(broker):
    broker.configure("max_inflight_messages 3")
    broker.start()
    where = parse_address(address(broker).partition(":")[2], MQTT)
    carrier = broker_module.MqttCarrier(where, f"{PREFIX}/", StreamFacts("run"), "edgecl-test")
    carrier.connect()
    assert carrier.window == 3
    carrier.close()


def test_a_line_that_another_one_throws_out_says_so_without_a_verdict_too(
    broker, open_remote, tmp_path, said
):
    broker.start()
    open_remote(address(broker, options="?client-id=box"))
    open_remote(address(broker, options="?client-id=box"), spool=tmp_path / "copy")
    wait_until(lambda: len(said) >= 2, "told")
    assert "the connection ended" in said[0]
    assert "delivers again" in said[1]


def test_without_paho_the_command_that_installs_it_is_named(tmp_path, open_remote, monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    with pytest.raises(InputError, match="pip install 'edgecl") as caught:
        open_remote(f"mqtt:mqtt://localhost:{free_port()}/{PREFIX}")
    assert caught.value.code == "package-missing"
