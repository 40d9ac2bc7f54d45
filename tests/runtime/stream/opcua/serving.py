"""A served line for tests, and clients of it: asyncua's, and node-opcua in a process of its own."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runtime.stream.opcua.certificate import kept_identity
from runtime.stream.sinks import LineControls, Sink, StreamFacts, open_sink
from runtime.stream.verdict import Decision, Status, Verdict

PATIENCE_S = 120.0
"""Time for what a busy machine may be slow at, in seconds."""

SESSION_S = 120.0
"""Time that a session lasts without a request, in seconds: the longest that the server allows."""

KEEP_ALIVE_S = 45.0
"""Pause after which an idle client asks for something, in seconds."""

USER, PASSWORD = "operator", "correct-horse"
STANDARD = "http://opcfoundation.org/UA/MachineVision"
OWN = "urn:edgecl:machine-vision"
INSTANCE = "urn:edgecl:line"


def a_verdict(number: int, status: Status = Status.PASS) -> Verdict:
    decision = Decision(status, "clean", 0.9)
    steps = {"capture": 1_000_000, "total": 5_000_000}
    return Verdict(number, time.monotonic_ns(), time.time_ns(), decision, steps)


def patient_client(url: str) -> Any:
    """A client of asyncua whose session outlasts every wait of a test."""
    from asyncua import Client

    client = Client(url, timeout=PATIENCE_S, watchdog_intervall=KEEP_ALIVE_S)
    client.session_timeout = SESSION_S * 1000
    return client


_structures: set[str] = set()
"""Namespaces whose structures are known: asyncua keeps them for all clients of a process."""


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
            async with patient_client(self.url) as client:
                standard = (await SeenLine.of(client)).standard
                root = client.nodes.base_event_type
                node = await root.get_child(f"{standard}:ResultReadyEventType")
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
        from asyncua import ua
        from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

        client = patient_client(self.url)
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
            seen = await SeenLine.of(client)
            if seen.names not in _structures:
                await client.load_data_type_definitions()
                _structures.add(seen.names)
            yield seen


class SeenLine:
    """The line as a client of asyncua sees it."""

    def __init__(self, client: Any, names: str, standard: int, instance: int) -> None:
        self.client = client
        self.names = names
        self.standard = standard
        self.instance = instance

    @classmethod
    async def of(cls, client: Any) -> SeenLine:
        spaces = await client.get_namespace_array()
        standard = STANDARD if STANDARD in spaces else OWN
        return cls(client, standard, spaces.index(standard), spaces.index(INSTANCE))

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


async def until(condition: Any, what: str = "it") -> None:
    """Wait for a condition that is awaited; fail where it does not come."""
    import asyncio

    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, f"{what} never happened"
        await asyncio.sleep(0.05)
