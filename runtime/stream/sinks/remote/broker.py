"""The connection to an MQTT 5 broker, through paho-mqtt.

Source: MQTT 5.0 (OASIS) and paho-mqtt 2. Each connection has a client of its own: paho's queue of
messages that were not acknowledged would compete with the spool.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Any

from runtime.errors import InputError
from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.remote.address import (
    MQTT_PASSWORD,
    MQTT_USER,
    RemoteAddress,
    connect_failure,
    tls_failure,
)
from runtime.stream.sinks.remote.carrier import Carrier, Mistaken, RefusedVerdict, Undelivered
from runtime.stream.sinks.remote.messages import status_message
from runtime.stream.sinks.remote.spool import SpoolRecord

CONNECT_S = 5.0
ANSWER_S = 10.0
"""Time that a broker has to acknowledge messages, in seconds."""

WINDOW = 20
"""Messages that are sent before the first of them is acknowledged, if the broker allows as many."""

FAREWELL_S = 1.0
KEEP_ALIVE_S = 30
VERDICT, STATUS = "verdict", "status"

_WRONG_LOGIN = frozenset({0x86, 0x87, 0x8A, 0x8C})
_WRONG_PROTOCOL = frozenset({0x84, 0x85})
_REFUSED_MESSAGE = frozenset({0x90, 0x95, 0x99})
_UNSPECIFIED = 0x80
_QOS = 1


def load_paho() -> tuple[Any, Any, Any]:
    """Return paho.mqtt.client and its classes of properties and packet types.

    Raises:
        InputError: it is not installed, or older than version 2.
    """
    try:
        from paho.mqtt import client
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        client.CallbackAPIVersion.VERSION2  # noqa: B018 - absent before 2.0
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"--sink mqtt needs paho-mqtt 2, which is not installed ({error})",
            hint="install it: pip install 'edgecl[mqtt]'",
            code="package-missing",
        ) from error
    return client, Properties, PacketTypes


class MqttCarrier(Carrier):
    """Publishes verdicts to `PREFIX/verdict` with QoS 1, and the line's status to `PREFIX/status`.

    Args:
        address: the broker's.
        prefix: of the topics, with the slash at its end.
        stream: what the status says about it.
        client_id: by which the broker tells that an old connection of this line is dead.
        login: user and password; None for neither. The password may be empty.

    Attributes:
        window: messages that may be open.

    Raises:
        InputError: paho-mqtt is not installed, or the file of `ca` cannot be used.
    """

    # More than the window: TCP acknowledges with the next message, where a broker that gathers
    # its answers would wait 40 ms for an acknowledgement alone.
    at_once = 200

    def __init__(
        self,
        address: RemoteAddress,
        prefix: str,
        stream: StreamFacts,
        client_id: str,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.name = address.name
        self._library = load_paho()
        self.window = WINDOW
        self._address = address
        self._prefix = prefix
        self._stream = stream
        self._client_id = client_id
        self._login = login
        self._tls = address.tls()
        self._client: Any = None
        self._changed = threading.Condition()
        self._connected: Any = None  # the broker's answer to this connection
        self._ended: str | None = None  # why the connection is over
        self._answers: dict[int, Any] = {}

    def connect(self) -> None:
        """Have a connection, and be announced as online.

        Raises:
            Mistaken: the broker does not trust this client, or is not to be trusted.
            Undelivered: there is no connection.
        """
        if self._client is not None:
            if self._ended is None:
                return
            self._drop()
            raise Undelivered(self._ended)
        client = self._new_client()
        try:
            client.connect(self._address.host, self._address.port, KEEP_ALIVE_S, clean_start=True)
        except ssl.SSLCertVerificationError as error:
            raise tls_failure(error, self._address.host) from error
        except (OSError, ValueError) as error:  # paho's own: a malformed host
            reason = connect_failure(error) if isinstance(error, OSError) else str(error)
            raise Undelivered(reason) from error
        self._client = client
        client.loop_start()
        with self._changed:
            self._changed.wait_for(self._is_answered, CONNECT_S)
            answer, ended = self._connected, self._ended
        if answer is None or answer.is_failure:
            self._drop()
            raise self._rejection(answer, ended)
        self._publish([self._status("online")])

    def send(self, records: Sequence[SpoolRecord]) -> None:
        """Publish verdicts and wait for the broker to have them."""
        topic = f"{self._prefix}{VERDICT}"
        self._publish(
            [(topic, record.body, False, self._properties(record.id)) for record in records]
        )

    def close(self) -> None:
        """Announce that the line is offline, and end the connection."""
        if self._client is not None and self._ended is None:
            with contextlib.suppress(Undelivered):
                self._publish([self._status("offline")], FAREWELL_S)
                if self._client is not None:
                    self._client.disconnect()
            with self._changed:
                self._changed.wait_for(lambda: self._ended is not None, FAREWELL_S)
        self._drop()

    def _new_client(self) -> Any:
        paho = self._library[0]
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        if self._login is not None:
            client.username_pw_set(*self._login)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        topic, body, retain, _ = self._status("offline")
        client.will_set(topic, body, _QOS, retain)
        self._connected, self._ended = None, None
        answers: dict[int, Any] = {}
        self._answers = answers

        def on_connect(_: Any, __: Any, ___: Any, reason: Any, properties: Any) -> None:
            with self._changed:
                if self._answers is answers:  # else of an earlier connection
                    self._connected = reason
                    self.window = min(getattr(properties, "ReceiveMaximum", WINDOW), WINDOW)
                    self._changed.notify_all()

        def on_disconnect(_: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
            with self._changed:
                # The broker's own reason comes first; that of the socket follows it.
                if self._answers is answers and self._ended is None:
                    told = "" if reason.value == _UNSPECIFIED else f" ({reason})"
                    self._ended = f"the connection ended{told}"
                    self._changed.notify_all()

        def on_publish(_: Any, __: Any, number: int, reason: Any, ___: Any) -> None:
            with self._changed:
                answers[number] = reason
                self._changed.notify_all()

        client.on_connect, client.on_disconnect = on_connect, on_disconnect
        client.on_publish = on_publish
        return client

    def _publish(
        self, messages: Sequence[tuple[str, bytes, bool, Any]], timeout_s: float = ANSWER_S
    ) -> None:
        self._answers.clear()
        numbers: list[int] = []
        for topic, body, retain, properties in messages:
            if not self._wait_for_answers(len(numbers) + 1 - self.window, timeout_s):
                break
            sent = self._client.publish(topic, body, _QOS, retain, properties)
            numbers.append(sent.mid)
        self._wait_for_answers(len(numbers), timeout_s)
        with self._changed:
            answers = [self._answers.get(number) for number in numbers]
            answers += [None] * (len(messages) - len(numbers))
            ended = self._ended
        failures = (
            index for index, reason in enumerate(answers) if reason is None or reason.is_failure
        )
        delivered = next(failures, None)
        if delivered is None:
            return
        reason = answers[delivered]
        if reason is None:
            self._drop()
            raise Undelivered(
                ended or f"no acknowledgement within {timeout_s:g} s", delivered=delivered
            )
        problem = f"it does not take {messages[delivered][0]} ({reason})"
        if reason.value in _REFUSED_MESSAGE:
            raise RefusedVerdict(problem, delivered=delivered)
        if reason.value == 0x87 and messages[delivered][0].endswith(STATUS):
            self._drop()
            raise Mistaken(problem, hint=f"let this user publish to {self._prefix}#")
        raise Undelivered(problem, delivered=delivered)

    def _wait_for_answers(self, count: int, timeout_s: float) -> bool:
        """Wait for that many acknowledgements; False where they do not come."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended is not None or len(self._answers) >= count, timeout_s
            )
            return self._ended is None and len(self._answers) >= count

    def _rejection(self, answer: Any, ended: str | None) -> Undelivered:
        if answer is None:
            return Undelivered(ended or "no answer to the connection; is it an MQTT broker?")
        if answer.value in _WRONG_LOGIN:
            who = "a user" if self._login is None else "this user and password"
            return Mistaken(
                f"it does not let {who} in ({answer})" if self._login else f"{answer}",
                hint=f"check the login: ?login-file=FILE, or {MQTT_USER} and {MQTT_PASSWORD}",
            )
        if answer.value in _WRONG_PROTOCOL:
            return Mistaken(f"{answer}", hint="use a broker of MQTT 5")
        return Undelivered(f"it refuses the connection ({answer})")

    def _is_answered(self) -> bool:
        return self._connected is not None or self._ended is not None

    def _status(self, state: Any) -> tuple[str, bytes, bool, Any]:
        return f"{self._prefix}{STATUS}", status_message(state, self._stream), True, None

    def _properties(self, name: str) -> Any:
        _, properties_class, packets = self._library
        properties = properties_class(packets.PUBLISH)
        properties.PayloadFormatIndicator = 1
        properties.ContentType = "application/json"
        properties.UserProperty = ("id", name)
        return properties

    def _drop(self) -> None:
        """Let go of the connection. paho's thread stays while messages are open, unless it ends."""
        client, self._client = self._client, None
        if client is None:
            return
        connection = client.socket()
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        client.loop_stop()
