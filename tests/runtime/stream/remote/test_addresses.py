"""Addresses of receivers: their forms, wrong ones, and passwords that never show."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.stream.sinks.remote import mqtt, webhook
from runtime.stream.sinks.remote.address import (
    MQTT,
    MQTT_PASSWORD,
    MQTT_USER,
    WEBHOOK,
    WEBHOOK_SECRET,
    check_sink,
    parse_address,
)
from runtime.stream.sinks.remote.spool import MIB, SpoolLimit


def test_what_an_address_says():
    address = parse_address("mqtts://[::1]/plant/line-3?ca=/etc/ca.pem&limit=64MiB", MQTT)
    assert (address.scheme, address.host, address.port) == ("mqtts", "::1", 8883)
    assert mqtt.topic_prefix(address) == "plant/line-3/"
    assert address.limit == SpoolLimit(None, 64 * MIB)
    assert address.name == "mqtt [::1]:8883/plant/line-3"
    address = parse_address("https://mes.plant/hook?token=abc#limit=1000", WEBHOOK)
    assert (address.port, address.path) == (443, "/hook?token=abc")
    assert address.limit == SpoolLimit(1000, None)
    assert "abc" not in address.name


def test_a_spool_belongs_to_a_receiver_whatever_the_options(tmp_path):
    first, second, other = (
        parse_address(text, MQTT).spool_file(tmp_path)
        for text in ("mqtt://a/b", "mqtt://a:1883/b?limit=5", "mqtt://a/c")
    )
    assert first == second != other


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no mqtt:// or mqtts:// address"),
        ("broker", "is no mqtt:// or mqtts:// address"),
        ("//broker/line", "is no mqtt:// or mqtts:// address"),
        ("http://broker/line", "is no mqtt:// or mqtts:// address"),
        ("mqtt://:1883/line", "is no mqtt:// or mqtts:// address"),
        ("mqtt://broker:many/line", "is no mqtt:// or mqtts:// address"),
        ("mqtt://broker:70000/line", "is no mqtt:// or mqtts:// address"),
        ("mqtt://[broker/line", "is no mqtt:// or mqtts:// address"),
        ("mqtt://broker/a line", "there is a blank in the address"),
        ("mqtt://broker/line?qos=2", "'qos' is no option"),
        ("mqtt://broker/line?ca=a.pem", "ca has no effect without TLS"),
        ("mqtts://broker/line?ca=", "ca has no value"),
        ("mqtts://broker/line?ca=a&ca=b", "each name once"),
        ("mqtt://broker/line?limit=5GB", "is no limit of a spool"),
    ],
)
def test_wrong_addresses_of_brokers(text, said):
    with pytest.raises(InputError, match=said):
        check_sink(f"mqtt:{text}")


@pytest.mark.parametrize(
    "text", ["mqtt://broker", "mqtt://broker/", "mqtt://b/a/+", "mqtt://b/%23#"]
)
def test_a_prefix_that_is_none(text):
    with pytest.raises(InputError, match="is no"):
        mqtt.topic_prefix(parse_address(text, MQTT))


@pytest.mark.parametrize("text", ["", "mes", "ftp://mes/a", "http://", "https://mes/a#token=1"])
def test_wrong_addresses_of_servers(text):
    with pytest.raises(InputError, match="is no"):
        check_sink(f"webhook:{text}")


@pytest.mark.parametrize(
    "target",
    [
        "mqtt:mqtt://me:geheim@broker/line",
        "mqtt:mqtt://me:ge@heim@broker/line",
        "mqtt:mqtt://me:geheim/x@broker/line",
        "mqtt:mqtt://me:geheim?x@broker/line",
        "mqtt:mqtt://me:?geheim=x@broker/line",
        "mqtt:mqtt://me:geheim#x@broker/line",
        "mqtt:me:geheim@broker",
        "mqtt:mqtts://geheim@broker/line",
        "webhook:https://me:geheim@mes/line",
        "webhook:https://me:geheim#x@mes/line",
        "webhook:https://me:geheim/x@mes/line",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_shown(target):
    with pytest.raises(InputError, match="must not stand in the address") as caught:
        check_sink(target)
    assert "heim" not in str(caught.value)


def test_addresses_of_other_sinks_are_left_alone():
    check_sink("jsonl:a@b")
    check_sink("mine:db://me:pw@host")


def test_a_login_file_has_two_lines(tmp_path):
    def login(text: str) -> tuple[str, str] | None:
        (tmp_path / "login").write_text(text)
        address = parse_address(f"mqtt://b/a?login-file={tmp_path / 'login'}", MQTT)
        return mqtt.login_of(address, {})

    assert login("box\ngeheim\n") == ("box", "geheim")
    assert login("box\r\n geheim with blanks ") == ("box", " geheim with blanks ")
    assert login("box\n") == ("box", "")
    for text in ("", "\n", "\nbox", "box\ngeheim\nmore\n"):
        with pytest.raises(InputError, match=r"login.*first line is the user") as caught:
            login(text)
        assert "geheim" not in str(caught.value)
    with pytest.raises(InputError, match="none cannot be read: No such file"):
        mqtt.login_of(parse_address("mqtt://b/a?login-file=none", MQTT), {})
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="it is not text in UTF-8"):
        mqtt.login_of(parse_address(f"mqtt://b/a?login-file={tmp_path / 'bytes'}", MQTT), {})


def test_the_environment_gives_what_no_file_does():
    address = parse_address("mqtt://b/a", MQTT)
    assert mqtt.login_of(address, {}) is None
    assert mqtt.login_of(address, {MQTT_PASSWORD: "x"}) is None
    assert mqtt.login_of(address, {MQTT_USER: "box", MQTT_PASSWORD: "x"}) == ("box", "x")
    address = parse_address("http://b/a", WEBHOOK)
    assert webhook.read_signing_secret(address, {}) is None
    assert webhook.read_signing_secret(address, {WEBHOOK_SECRET: "x"}) == b"x"
