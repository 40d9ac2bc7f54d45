"""A served line for tests, and clients of it: asyncua's, and node-opcua in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.stream.opcua.certificate import kept_identity
from runtime.stream.sinks import LineControls, Sink, StreamFacts, open_sink
from runtime.stream.verdict import Decision, Status, Verdict

MODULES = "EDGECL_NODE_MODULES"
"""Environment variable with a folder `node_modules` that has node-opcua; or NODE_PATH."""

PATIENCE_S = 120.0
"""Time for what a busy machine may be slow at, in seconds."""

USER, PASSWORD = "operator", "correct-horse"
STANDARD = "http://opcfoundation.org/UA/MachineVision"
OWN = "urn:edgecl:machine-vision"
INSTANCE = "urn:edgecl:line"


def node_modules() -> Path | None:
    """The folder with node-opcua; None where there is none."""
    for name in (MODULES, "NODE_PATH"):
        for entry in os.environ.get(name, "").split(os.pathsep):
            if entry and (Path(entry) / "node-opcua-client").is_dir():
                return Path(entry)
    return None


def nodeset() -> Path | None:
    """The Machine Vision node set; None where it is not installed."""
    modules = node_modules()
    if modules is None:
        return None
    path = modules / "node-opcua-nodesets/nodesets/Opc.Ua.MachineVision.NodeSet2.xml"
    return path if path.is_file() else None


def a_verdict(number: int, status: Status = Status.PASS) -> Verdict:
    decision = Decision(status, "clean", 0.9)
    steps = {"capture": 1_000_000, "total": 5_000_000}
    return Verdict(number, time.monotonic_ns(), time.time_ns(), decision, steps)


class ServedLine:
    """A line that is served, with a user.

    Args:
        folder: for the certificate and the users.
        options: of the address, beside the users.
    """

    def __init__(self, folder: Path, options: str = "", *, users: bool = True) -> None:
        self.folder = folder
        self.options = options
        self.said: list[str] = []
        path = folder / "users"
        path.write_text(f"{USER}:{PASSWORD}\n")
        path.chmod(0o600)
        query = "&".join(filter(None, [f"users={path}" if users else "", options]))
        self.facts = StreamFacts("run", "steel.edgecl", "camera 0", digest="ab" * 32, lot="4711")
        self.sink: Sink = open_sink(
            f"opcua:127.0.0.1:0?{query}" if query else "opcua:127.0.0.1:0",
            folder,
            stream=self.facts,
            report=self.said.append,
        )
        self.port: int = self.sink.sink.port  # type: ignore[attr-defined]
        self.url = f"opc.tcp://127.0.0.1:{self.port}/edgecl"
        self.emitted = 0

    @property
    def event_type(self) -> str:
        """The node id of the type of events about results."""
        import asyncio

        async def find() -> str:
            async with self.client() as seen:
                root = seen.client.nodes.base_event_type
                node = await root.get_child(f"{seen.standard}:ResultReadyEventType")
                text: str = node.nodeid.to_string()
                return text

        return asyncio.run(find())

    def emit(self, count: int = 1, status: Status = Status.PASS) -> str:
        """Emit verdicts; return the id of the last one."""
        for _ in range(count):
            self.sink.emit(a_verdict(self.emitted, status))
            self.emitted += 1
        return f"{self.facts.run}/{self.emitted - 1}"

    def control(self, controls: LineControls) -> None:
        self.sink.attach(controls)

    def close(self) -> None:
        self.sink.close()

    @asynccontextmanager
    async def client(
        self, user: str = "", password: str = PASSWORD, *, encrypted: bool = False
    ) -> Any:
        """Connect, and yield the line as a client of asyncua sees it."""
        from asyncua import Client, ua
        from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

        client = Client(self.url, timeout=PATIENCE_S, watchdog_intervall=PATIENCE_S)
        client.session_timeout = 60_000
        if encrypted:
            own = self.folder.parent / "client"  # its key is made once for lines beside each other
            identity = kept_identity(own, "client", lambda text: None)
            client.application_uri = identity.application
            await client.set_security(
                SecurityPolicyBasic256Sha256,
                str(own / "opcua-certificate.pem"),
                str(own / "opcua-key.pem"),
                mode=ua.MessageSecurityMode.SignAndEncrypt,
            )
        if user:
            client.set_user(user)
            client.set_password(password)
        async with client:
            await client.load_data_type_definitions()
            yield await SeenLine.of(client)

    def peer(self, **wish: Any) -> Peer:
        """Start node-opcua; skip the test where it is missing."""
        return Peer({"url": self.url, "pki": str(self.folder.parent / "pki"), **wish})


class SeenLine:
    """The line as a client of asyncua sees it."""

    def __init__(self, client: Any, standard: int, instance: int) -> None:
        self.client = client
        self.standard = standard
        self.instance = instance

    @classmethod
    async def of(cls, client: Any) -> SeenLine:
        spaces = await client.get_namespace_array()
        standard = STANDARD if STANDARD in spaces else OWN
        return cls(client, spaces.index(standard), spaces.index(INSTANCE))

    async def node(self, path: str) -> Any:
        """A node by names; those that OPC UA has itself begin with `0:`."""
        parts: list[str] = []
        for name in path.split("/"):
            own = name in ("VisionSystem", "Newest") or (not parts and name == "Line")
            plain = bool(parts) and parts[0].endswith(":Line")
            space = self.instance if own or plain else self.standard
            parts.append(name if ":" in name else f"{space}:{name}")
        return await self.client.nodes.objects.get_child(parts)

    async def value(self, path: str) -> Any:
        return await (await self.node(path)).read_value()

    async def state(self) -> tuple[str, str]:
        """The state of the vision system, and within the automatic mode."""
        machine = "VisionSystem/VisionStateMachine"
        top = await self.value(f"{machine}/0:CurrentState")
        automatic = await self.value(f"{machine}/AutomaticModeStateMachine/0:CurrentState")
        return top.Text or "", automatic.Text or ""

    async def call(self, path: str, *arguments: Any) -> Any:
        """Call a method, as in `RecipeManagement/PrepareRecipe`; raises what it is refused with."""
        owner, _, name = path.rpartition("/")
        where = {
            "Vision": "VisionSystem/VisionStateMachine",
            "Automatic": "VisionSystem/VisionStateMachine/AutomaticModeStateMachine",
        }.get(owner, f"VisionSystem/{owner}")
        node = await self.node(where)
        return await node.call_method(f"{self.standard}:{name}", *arguments)

    async def stop(self) -> Any:
        return await self.call("Automatic/Stop", int32(0), "because")

    async def start(self, name: str = "StartContinuous", part: Any = None) -> Any:
        return await self.call(f"Automatic/{name}", None, part, None, None, None)

    async def listen(
        self, *types: str, at: Any = None, pause_ms: int = 100, queue: int = 0
    ) -> Heard:
        """Subscribe to events."""
        heard = Heard()
        subscription = await self.client.create_subscription(pause_ms, heard)
        kinds = []
        for name in types:
            root = self.client.nodes.base_event_type
            if name in ("StateChangedEventType", "ErrorEventType", "ErrorResolvedEventType"):
                root = self.client.get_node("i=2311")
            kinds.append(await root.get_child(f"{self.standard}:{name}"))
        await subscription.subscribe_events(at or self.client.nodes.server, kinds, queuesize=queue)
        return heard


class Heard:
    """What a subscription told."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def event_notification(self, event: Any) -> None:
        self.events.append(event)


def int32(value: int) -> Any:
    from asyncua import ua

    return ua.Variant(value, ua.VariantType.Int32)


def uint32(value: int) -> Any:
    from asyncua import ua

    return ua.Variant(value, ua.VariantType.UInt32)


class Peer:
    """node-opcua, doing what `peer.js` is told.

    Args:
        wish: what it is told.
    """

    def __init__(self, wish: dict[str, Any]) -> None:
        modules, node = node_modules(), shutil.which("node")
        if modules is None or node is None:
            pytest.skip(f"needs node and node-opcua-client: name its node_modules in {MODULES}")
        self._process = subprocess.Popen(
            [node, str(Path(__file__).with_name("peer.js")), json.dumps(wish)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "NODE_PATH": str(modules), "HOME": wish["pki"]},
        )

    def wait_for(self, line: str) -> None:
        """Wait until it says that."""
        assert self._process.stdout is not None
        for text in self._process.stdout:
            if text.strip() == line:
                return
        raise AssertionError(f"node-opcua never said {line}")

    def told(self) -> dict[str, Any]:
        """What it found, once it is done."""
        out, _ = self._process.communicate(timeout=PATIENCE_S * 2)
        answer: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return answer


async def until(condition: Any, what: str = "it") -> None:
    """Wait for a condition that is awaited; fail where it does not come."""
    import asyncio

    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, f"{what} never happened"
        await asyncio.sleep(0.05)


def names_below(tree: dict[str, Any], *path: str) -> Sequence[str]:
    """Names without their namespace below a path of such names."""
    for name in path:
        tree = next(value for key, value in tree.items() if key.partition(":")[2] == name)
    return [key.partition(":")[2] or key for key in tree]
