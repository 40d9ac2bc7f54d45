"""Sessions by themselves, without a server that listens: what asyncua leaves open is closed."""

from __future__ import annotations

import asyncio

import pytest

ua = pytest.importorskip("asyncua.ua", reason="needs asyncua: pip install 'edgecl[opcua]'")


def sessions(*, encrypted_only: bool, count: int = 1):
    from runtime.stream.opcua.server import ClientAccess, LineServer
    from runtime.stream.opcua.users import Logins

    logins = Logins({"operator": "correct-horse"})
    access = ClientAccess(logins, anonymous=True, refused=lambda name: None)
    server = LineServer(user_manager=access)
    server.encrypted_only = encrypted_only
    return [server.create_session("client", external=True) for _ in range(count)]


def activated(session, certificate: bytes | None):
    async def activate():
        return session.activate_session(ua.ActivateSessionParameters(), certificate)

    return asyncio.run(activate())


@pytest.mark.parametrize("certificate", [None, b""])
def test_without_encryption_nobody_logs_in_where_it_is_not_offered(certificate):
    from asyncua.common.utils import ServiceError

    (session,) = sessions(encrypted_only=True)
    with pytest.raises(ServiceError) as raised:
        activated(session, certificate)
    assert raised.value.code == ua.StatusCodes.BadSecurityModeInsufficient
    assert not session.is_activated()


@pytest.mark.parametrize(("encrypted_only", "certificate"), [(False, None), (True, b"der")])
def test_a_client_logs_in_as_it_is_offered(encrypted_only, certificate):
    (session,) = sessions(encrypted_only=encrypted_only)
    activated(session, certificate)
    assert session.is_activated()


def test_nobody_guesses_the_token_of_a_session():
    first, second = sessions(encrypted_only=False, count=2)
    assert first.auth_token != second.auth_token
    assert first.auth_token.NodeIdType == ua.NodeIdType.ByteString
    assert len(first.auth_token.Identifier) == 32
    assert first.iserver.lookup_external_session(first.auth_token) is first
    for number in range(1000, 1100):
        assert first.iserver.lookup_external_session(ua.NodeId(number)) is None


def test_other_servers_are_not_registered():
    from asyncua.common.utils import ServiceError

    (session,) = sessions(encrypted_only=False)
    with pytest.raises(ServiceError):
        session.iserver.register_server(None)


@pytest.mark.parametrize(
    ("name", "password", "role"),
    [
        (None, None, "Anonymous"),
        ("operator", "correct-horse", "User"),
        ("operator", b"correct-horse", "User"),
        ("operator", "wrong", None),
        ("operator", None, None),
        (None, "correct-horse", None),
        ("", "", None),
        ("Admin", "", None),
    ],
)
def test_who_a_login_is(name, password, role):
    from runtime.stream.opcua.server import ClientAccess
    from runtime.stream.opcua.users import Logins

    refused: list[str] = []
    logins = Logins({"operator": "correct-horse"})
    access = ClientAccess(logins, anonymous=True, refused=refused.append)
    user = access.get_user(None, name, password)
    assert (user and user.role.name) == role
    assert bool(refused) == (role is None)
