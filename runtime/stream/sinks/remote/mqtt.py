"""Verdicts to an MQTT 5 broker: what `--sink mqtt:URL` says, and who the line is there."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from runtime.errors import InputError
from runtime.files.secret_file import read_login
from runtime.stream.sinks.base import Sink, SinkRequest
from runtime.stream.sinks.remote.address import (
    MQTT,
    MQTT_PASSWORD,
    MQTT_USER,
    RemoteAddress,
    parse_address,
)
from runtime.stream.sinks.remote.broker import MqttCarrier
from runtime.stream.sinks.remote.spooled import open_spooled


def topic_prefix(address: RemoteAddress) -> str:
    """The beginning of the topics, with the slash at its end.

    Raises:
        InputError: the address names none, or one that MQTT does not allow.
    """
    prefix = address.path.strip("/")
    if not prefix or any(sign in prefix for sign in "+#\0") or len(prefix) > 1000:
        raise InputError(
            f"--sink mqtt: {address.path!r} is no prefix of topics",
            hint=f"end the address with one, without + and #, as in {MQTT.example}",
        )
    return f"{prefix}/"


def login_of(
    address: RemoteAddress, environment: Mapping[str, str] | None = None
) -> tuple[str, str] | None:
    """User and password of a broker, from a file or the environment; None where there are none.

    Raises:
        InputError: the file cannot be read, or has no two lines.
    """
    environment = os.environ if environment is None else environment
    path = address.options.get("login-file")
    if path is None:
        user = environment.get(MQTT_USER)
        return (user, environment.get(MQTT_PASSWORD, "")) if user else None
    return read_login(path, "login-file")


def open_mqtt(request: SinkRequest) -> Sink:
    """Open the sink of `--sink mqtt:URL`.

    Raises:
        InputError: the address or a file that it names cannot be used, the broker turns this
            client away, or its certificate is not to be trusted.
    """
    address = parse_address(request.target, MQTT)
    login = login_of(address)
    place = f"{socket.gethostname()} {_absolute(request, address)}"
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()
    client_id = address.options.get("client-id", f"edgecl-{digest[:16]}")
    carrier = MqttCarrier(address, topic_prefix(address), request.stream, client_id, login)
    if login is not None and login[1] and not address.is_encrypted:
        request.report(
            f"note: the password for {address.name} is sent without encryption; use mqtts:"
        )
    return open_spooled(request, address, carrier)


def _absolute(request: SinkRequest, address: RemoteAddress) -> Path:
    return address.spool_file(request.spool or request.folder).absolute()
