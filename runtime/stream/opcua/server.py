"""The server's rights and limits: who may read, who may call, and how much anybody may ask for."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession

from runtime.stream.opcua.messages import ServerSetup
from runtime.stream.opcua.users import Logins

MOST_CONNECTIONS = 32
MOST_SUBSCRIPTIONS = 64
MOST_ITEMS = 1000
"""Nodes that all clients together may watch."""

MOST_WAITING = 2000
"""Notifications that may wait for a client that watches a node; then the oldest goes."""

LEAST_INTERVAL_MS = 50.0
"""Shortest pause between notifications; a client may ask for none, and would get a busy loop."""

MOST_MESSAGE = 1 << 22
"""Longest request, in bytes."""

MOST_UNREAD = 1 << 22
"""Bytes of answers that may wait for a client that does not read; then it is cut off."""

ACTIVATION_S = 10.0
"""Time that a connection has to log in, in seconds."""

_LOOK_S = 0.5


class LineSession(InternalSession):  # type: ignore[misc]
    """A client's session: it reads, and calls methods only with a user; nobody writes."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        # asyncua counts its tokens, so that anybody could guess one and take a session over.
        self.iserver.unregister_external_session(self)
        self.auth_token = ua.NodeId(secrets.token_bytes(32), 0)
        self.iserver.register_external_session(self)

    def activate_session(
        self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None
    ) -> ua.ActivateSessionResult:
        """Log in; without encryption only where that is offered, which asyncua does not ask."""
        if self.iserver.encrypted_only and not peer_certificate:
            raise ServiceError(ua.StatusCodes.BadSecurityModeInsufficient)
        return super().activate_session(params, peer_certificate)

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """Call methods, where this user may."""
        if self.user is None or self.user.role is not UserRole.User:
            denied = ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)
            return [ua.CallMethodResult(StatusCode=denied) for _ in params]
        results: list[ua.CallMethodResult] = await super().call(params)
        return results

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        """Refuse to write."""
        return [ua.StatusCode(ua.StatusCodes.BadNotWritable) for _ in params.NodesToWrite]

    async def history_read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """Refuse: nothing is historised."""
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        request_callback: Callable[..., Any] | None = None,
    ) -> ua.CreateSubscriptionResult:
        """Subscribe, with pauses that the process can keep."""
        params.RequestedPublishingInterval = max(
            LEAST_INTERVAL_MS, params.RequestedPublishingInterval
        )
        made = await super().create_subscription(params, callback, request_callback)
        self._count_missed(self.subscription_service.subscriptions[made.SubscriptionId])
        return made

    def _count_missed(self, subscription: Any) -> None:
        """Count the events that a client's full queue pushes out: asyncua does not."""
        enqueue = subscription.enqueue_event

        async def counted(item: int, event: ua.EventFieldList, most: int) -> None:
            waiting = subscription._triggered_events.get(item, ())
            self.iserver.missed += 0 < most <= len(waiting)
            await enqueue(item, event, most)

        subscription.enqueue_event = counted

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        """Watch nodes, up to a number."""
        watched = sum(
            len(subscription.monitored_item_srv._monitored_items)
            for subscription in self.subscription_service.subscriptions.values()
        )
        if watched + len(params.ItemsToCreate) > MOST_ITEMS:
            raise ServiceError(ua.StatusCodes.BadTooManyMonitoredItems)
        results: list[ua.MonitoredItemCreateResult] = await super().create_monitored_items(params)
        return results


class LineServer(InternalServer):  # type: ignore[misc]
    """Part behind the protocol: sessions of ours, and no register of other servers.

    Attributes:
        encrypted_only: whether connections without encryption are turned away.
        missed: events that clients missed, since they do not ask often enough.
    """

    encrypted_only: bool = False
    missed: int = 0

    def create_session(
        self,
        name: str,
        user: User = User(),  # noqa: B008 - asyncua's own
        external: bool = False,
    ) -> InternalSession:
        """Return a session for a client."""
        kind = LineSession if external else InternalSession
        return kind(
            self, self.aspace, self.subscription_service, name, user=user, external=external
        )

    def register_server(self, server: Any, conf: Any = None) -> None:
        """Refuse: this is no discovery server, and anybody could fill its memory."""
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)


class ClientAccess:
    """Tells who a client is, for asyncua.

    Args:
        logins: the users.
        anonymous: whether clients without a user may read.
        refused: called with the name of each login that is refused.
    """

    def __init__(self, logins: Logins, *, anonymous: bool, refused: Callable[[str], None]) -> None:
        self._logins = logins
        self._anonymous = anonymous
        self._refused = refused

    def get_user(
        self,
        iserver: InternalServer,
        username: str | None = None,
        password: str | bytes | None = None,
        certificate: Any = None,
    ) -> User | None:
        """Return the user of a login; None refuses it."""
        if username is None and not password:
            return User(UserRole.Anonymous) if self._anonymous else None
        text = password.decode("utf-8", "replace") if isinstance(password, bytes) else password
        if self._logins.fits(str(username), text or ""):
            return User(UserRole.User, str(username))
        self._refused(str(username))
        return None


class Rights:
    """Requests that are answered at all; a session decides what comes of them."""

    _DENIED = frozenset(
        ua.NodeId(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"))
        for name in ("AddNodes", "DeleteNodes", "AddReferences", "DeleteReferences")
    )

    def check_validity(self, user: User, action_type: ua.NodeId, body: Any) -> bool:
        """Whether a request may go on."""
        return action_type not in self._DENIED


async def make_server(setup: ServerSetup, refused: Callable[[str], None]) -> Server:
    """Return a server that is not yet started, with an empty address space.

    Args:
        refused: called with the name of each login that is refused.
    """
    access = ClientAccess(Logins(setup.users), anonymous=setup.anonymous, refused=refused)
    inner = LineServer(user_manager=access)
    inner.allow_remote_admin = False
    inner.encrypted_only = not setup.open
    inner.max_connections = MOST_CONNECTIONS
    inner.max_subscriptions = MOST_SUBSCRIPTIONS
    inner.max_monitored_item_queue_size = MOST_WAITING
    inner.max_unacked_messages_per_subscription = 100
    inner.max_pending_messages_per_connection = 100
    inner.max_pending_activation_seconds = ACTIVATION_S
    inner.max_session_timeout_ms = 120_000
    server = Server(iserver=inner)
    await server.init()
    await server.set_application_uri(setup.application)
    server.product_uri = "urn:edgecl"
    server.manufacturer_name = "edgecl"
    server.application_type = ua.ApplicationType.Server
    server.set_server_name(f"edgecl on {setup.host_name}")
    host = f"[{setup.host}]" if ":" in setup.host else setup.host
    server.set_endpoint(f"opc.tcp://{host}:{setup.port}/edgecl")
    server.socket_address = (setup.host, setup.port)
    server.limits.max_message_size = MOST_MESSAGE
    server.limits.max_chunk_count = MOST_MESSAGE // server.limits.max_recv_buffer + 1
    policies = [ua.SecurityPolicyType.NoSecurity] if setup.open else []
    if setup.certificate:
        policies.append(ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt)
        await server.load_certificate(setup.certificate, "der")
        await server.load_private_key(setup.key, format="der")
    server.set_security_policy(policies, permission_ruleset=Rights())
    tokens: list[type] = [ua.AnonymousIdentityToken] if setup.anonymous else []
    server.set_identity_tokens([*tokens, *([ua.UserNameIdentityToken] if setup.users else [])])
    return server


async def cut_off_who_does_not_read(server: Server) -> None:
    """Close connections whose answers pile up, until cancelled."""
    while True:
        await asyncio.sleep(_LOOK_S)
        for transport in tuple(server.iserver.asyncio_transports):
            if transport.get_write_buffer_size() > MOST_UNREAD:
                transport.abort()
