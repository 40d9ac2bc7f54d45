"""The server's certificate: read, compared with its key, and asked how long it is valid."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.stream.sinks.remote.address import CLOCK_ERRORS


@dataclass(frozen=True)
class ServerCertificate:
    """Certificate and key of the server.

    Args:
        certificate: PEM file, with the chain behind it.
        key: PEM file; None where the certificate's has it too.
        names: hosts that it is for.
        problem: why browsers will not trust it today; empty where it is valid.
    """

    certificate: Path
    key: Path | None
    names: tuple[str, ...] = ()
    problem: str = ""

    def context(self) -> ssl.SSLContext:
        """Return TLS of a server with it.

        Raises:
            InputError: a file cannot be read, or the key is another one's or encrypted.
        """
        return _server_context(self.certificate, self.key)


def read_certificate(certificate: Path, key: Path | None) -> ServerCertificate:
    """Read a certificate, and try it.

    Raises:
        InputError: a file cannot be read, or the key is another one's or encrypted.
    """
    names, problem = _tried(_server_context(certificate, key), certificate)
    return ServerCertificate(certificate, key, names, problem)


def _server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for option, path in (("--serve-cert", certificate), ("--serve-key", key or certificate)):
        try:
            path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{option} {path} cannot be read: {error.strerror or error}",
                hint="name a PEM file that this user may read",
            ) from error
    try:
        # Without a function OpenSSL would ask the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKeyError:
        raise InputError(
            f"the key in {key or certificate} is encrypted, and nobody could type its password",
            hint="pass a key without one, readable by its owner alone",
        ) from None
    except ssl.SSLError as error:
        raise _unusable(certificate, key, error) from error
    except ValueError as error:
        raise _unusable(certificate, key, None) from error
    return context


class _EncryptedKeyError(Exception):
    """The key has a password."""


def _no_password() -> str:
    raise _EncryptedKeyError


def _unusable(certificate: Path, key: Path | None, error: ssl.SSLError | None) -> InputError:
    reason = "" if error is None else (error.reason or "")
    if reason == "KEY_VALUES_MISMATCH":
        return InputError(
            f"the key in {key or certificate} does not belong to the certificate in {certificate}",
            hint="pass the key that the certificate was made for",
        )
    file = certificate if _has_no(certificate, "CERTIFICATE") else key or certificate
    what = "certificate" if file == certificate and _has_no(file, "CERTIFICATE") else "private key"
    told = f" ({reason.replace('_', ' ').lower()})" if reason else ""
    return InputError(
        f"{file} has no {what} that can be used{told}",
        hint="pass PEM files: --serve-cert line.pem --serve-key line.key",
    )


def _has_no(path: Path, what: str) -> bool:
    return f"-----BEGIN {what}-----".encode() not in path.read_bytes()


def _tried(server: ssl.SSLContext, certificate: Path) -> tuple[tuple[str, ...], str]:
    """Shake hands in memory, with a client that trusts this very certificate.

    Returns:
        The hosts that it is for, and why it is not valid today.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        client.load_verify_locations(certificate)
        found = _handshake(client, server)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in CLOCK_ERRORS:
            return (), error.verify_message
        return (), ""  # whom browsers trust is not known here
    except ssl.SSLError:
        return (), ""
    names = [str(value) for kind, value in found.get("subjectAltName", ()) if kind == "DNS"]
    return tuple(names), ""


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, Any]:
    """Return the server's certificate as the client sees it.

    Raises:
        ssl.SSLError: the client does not take it.
    """
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for side in tuple(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
            if not side.server_side:
                return dict(side.getpeercert() or {})
    return {}
