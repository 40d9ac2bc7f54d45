"""A mosquitto that a test starts, kills and starts again, and a subscriber that keeps it all."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.stream.remote.receivers import frames
from tests.waiting import wait_until

PREFIX = "plant/line-3"


def find_mosquitto() -> str:
    """Return mosquitto's path; skip the test where it is missing."""
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt: pip install 'edgecl[mqtt]'")
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("needs mosquitto: apt install mosquitto")
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


class Broker:
    """Mosquitto on a port of its own.

    Args:
        settings: lines of its configuration; anybody may come where they name no file of users.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        self._command = find_mosquitto()
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self.configure(*settings)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, *settings: str) -> None:
        """Write the configuration; it holds from the next start on."""
        known = any(line.startswith("password_file") for line in settings)
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'false' if known else 'true'}",
            "max_queued_messages 0",
            *settings,
        ]
        if os.geteuid() == 0:  # else it becomes a user who cannot read the test's files
            lines.insert(0, "user root")
        self._config.write_text("\n".join(lines) + "\n")

    def start(self) -> Broker:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._command, "-c", str(self._config)], stdout=log, stderr=log
            )
        wait_until(self._is_up, f"mosquitto is up; {self._log.read_text()}")
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0


class Subscriber:
    """Keeps what is published below the prefix.

    With QoS 0: a broker that is killed then leaves nothing unread in its socket, so that what it
    has sent still arrives.
    """

    def __init__(self, port: int, *, tls: Any = None, login: tuple[str, str] | None = None) -> None:
        from paho.mqtt import client as paho

        self.messages: list[Any] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if tls is not None:
            self._client.tls_set_context(tls)
        if login is not None:
            self._client.username_pw_set(*login)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _, __, message: self.messages.append(message)
        self._client.connect("localhost", port)
        self._client.loop_start()
        self.wait_for_subscription()

    def wait_for_subscription(self) -> None:
        wait_until(self._subscribed.is_set, "subscribed")

    def expect_loss(self) -> None:
        """Before the broker is killed: the next subscription is another one."""
        self._subscribed.clear()

    @property
    def verdicts(self) -> list[Any]:
        return [message for message in list(self.messages) if message.topic.endswith("/verdict")]

    @property
    def frames(self) -> list[int]:
        return frames([message.payload for message in self.verdicts])

    @property
    def states(self) -> list[Any]:
        return [message for message in list(self.messages) if message.topic.endswith("/status")]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe(f"{PREFIX}/#", 0)
