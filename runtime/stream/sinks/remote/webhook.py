"""Verdicts to a web server, a POST each."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import quote

from runtime.files.secret_file import read_secret
from runtime.stream.sinks.base import Sink, SinkRequest
from runtime.stream.sinks.remote.address import (
    WEBHOOK,
    WEBHOOK_SECRET,
    RemoteAddress,
    connect_failure,
    parse_address,
    tls_failure,
)
from runtime.stream.sinks.remote.carrier import Carrier, RefusedVerdict, Undelivered
from runtime.stream.sinks.remote.spool import SpoolRecord
from runtime.stream.sinks.remote.spooled import open_spooled

TIMEOUT_S = 10.0
"""Longest silence of a server, in seconds."""

SIGNATURE = "Edgecl-Signature"
IDEMPOTENCY = "Idempotency-Key"

_FOR_NOW = frozenset({408, 425, 429})
_LONGEST_ANSWER = 65_536


class WebhookCarrier(Carrier):
    """Posts verdicts over one connection, and again where a server does not say that it has them.

    Args:
        address: the server's.
        secret: of the signature; None for no signature.

    Raises:
        InputError: the file of `ca` cannot be used.
    """

    def __init__(self, address: RemoteAddress, secret: bytes | None = None) -> None:
        self.name = address.name
        self._address = address
        self._secret = secret
        self._tls = address.tls()
        self._connection: http.client.HTTPConnection | None = None

    def connect(self) -> None:
        """Have a connection.

        Raises:
            Mistaken: the server is not to be trusted.
            Undelivered: there is none.
        """
        if self._connection is not None:
            return
        host, port, timeout = self._address.host, self._address.port, TIMEOUT_S
        connection = (
            http.client.HTTPConnection(host, port, timeout=timeout)
            if self._tls is None
            else http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        )
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise tls_failure(error, host) from error
        except (OSError, UnicodeError) as error:  # the latter of a malformed host
            reason = connect_failure(error) if isinstance(error, OSError) else str(error)
            raise Undelivered(reason) from error
        self._connection = connection

    def send(self, records: Sequence[SpoolRecord]) -> None:
        """Post verdicts, one after the other."""
        for index, record in enumerate(records):
            try:
                self._post(record)
            except Undelivered as error:
                error.delivered = index
                raise

    def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def headers(self, record: SpoolRecord) -> Mapping[str, str]:
        """Headers of a request."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "edgecl",
            IDEMPOTENCY: quote(record.id),  # a camera may have any name
        }
        if self._secret is not None:
            digest = hmac.new(self._secret, record.body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        return headers

    def _post(self, record: SpoolRecord) -> None:
        reused = self._connection is not None
        self.connect()
        try:
            status = self._exchange(record)
        except (ConnectionError, http.client.RemoteDisconnected):
            # Servers close a connection that was idle; a new one tells whether they are there.
            self.close()
            if not reused:
                raise Undelivered("it closed the connection without an answer") from None
            self._post(record)
            return
        except OSError as error:
            self.close()
            raise Undelivered(connect_failure(error)) from error
        except (http.client.HTTPException, ValueError) as error:
            self.close()
            raise Undelivered(f"its answer is not HTTP ({type(error).__name__})") from error
        if 200 <= status < 300:
            return
        problem = f"HTTP {status} {_phrase(status)}".rstrip()
        if status >= 500 or status < 200 or status in _FOR_NOW:
            raise Undelivered(problem)
        raise RefusedVerdict(problem)  # a redirection too: a signed verdict goes nowhere else

    def _exchange(self, record: SpoolRecord) -> int:
        connection = self._connection
        assert connection is not None
        path = self._address.path
        path = path if path.startswith("/") else f"/{path}"
        connection.request("POST", path, body=record.body, headers=dict(self.headers(record)))
        response = connection.getresponse()
        response.read(_LONGEST_ANSWER)
        if not response.isclosed():
            self.close()
        return response.status


def read_signing_secret(
    address: RemoteAddress, environment: Mapping[str, str] | None = None
) -> bytes | None:
    """The secret of signatures, from a file or the environment; None where there is none.

    Raises:
        InputError: the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    path = address.options.get("secret-file")
    if path is None:
        return environment.get(WEBHOOK_SECRET, "").encode("utf-8", "surrogateescape") or None
    return read_secret(path, "secret-file", "it holds the secret alone").encode()


def open_webhook(request: SinkRequest) -> Sink:
    """Open the sink of `--sink webhook:URL`.

    Raises:
        InputError: the address or a file that it names cannot be used, or the server's
            certificate is not to be trusted.
    """
    address = parse_address(request.target, WEBHOOK)
    return open_spooled(request, address, WebhookCarrier(address, read_signing_secret(address)))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
