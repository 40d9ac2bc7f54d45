"""Addresses of receivers, and the secrets that stand elsewhere."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from runtime.errors import InputError
from runtime.secrets import redact
from runtime.stream.sinks.remote.carrier import Mistaken, Undelivered
from runtime.stream.sinks.remote.spool import SpoolLimit

MQTT_USER = "EDGECL_MQTT_USER"
MQTT_PASSWORD = "EDGECL_MQTT_PASSWORD"
WEBHOOK_SECRET = "EDGECL_WEBHOOK_SECRET"

CLOCK_ERRORS = frozenset({9, 10})
"""OpenSSL's codes for certificates that are not yet, or no longer, valid: a box whose clock is
wrong after a power cut must judge all the same."""


@dataclass(frozen=True)
class AddressForm:
    """Form of the address that a sink takes.

    Args:
        sink: its name.
        ports: of each scheme, where the address names none.
        encrypted: the scheme with TLS.
        mark: what stands before the options.
        options: names that may stand there.
        example: an address.
    """

    sink: str
    ports: Mapping[str, int]
    encrypted: str
    mark: str
    options: Sequence[str]
    example: str


MQTT = AddressForm(
    "mqtt",
    {"mqtt": 1883, "mqtts": 8883},
    "mqtts",
    "?",
    ("ca", "login-file", "client-id", "limit"),
    "mqtt:mqtts://broker/plant/line-3",
)
# A fragment is never sent, and a query is the receiver's.
WEBHOOK = AddressForm(
    "webhook",
    {"http": 80, "https": 443},
    "https",
    "#",
    ("ca", "secret-file", "limit"),
    "webhook:https://mes.plant/verdicts",
)


@dataclass(frozen=True)
class RemoteAddress:
    """Address of a receiver.

    Args:
        form: what it was parsed by.
        scheme: of `form.ports`.
        host: name or number, without brackets.
        port: given, or the scheme's.
        path: as it is sent to the receiver, with its query.
        options: of `form.options`.
        limit: the bound of its spool.
    """

    form: AddressForm
    scheme: str
    host: str
    port: int
    path: str
    options: Mapping[str, str] = field(default_factory=dict)
    limit: SpoolLimit = field(default_factory=SpoolLimit)

    @property
    def name(self) -> str:
        """The address for messages, without what may be a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = redact(self.path).partition("?")[0]
        return f"{self.form.sink} {host}:{self.port}{path if self.form is MQTT else ''}"

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection has TLS."""
        return self.scheme == self.form.encrypted

    def spool_file(self, folder: Path) -> Path:
        """The file in which verdicts wait for this receiver, whatever the options."""
        place = f"{self.scheme}://{self.host}:{self.port}{self.path}"
        digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        return folder / f"{self.form.sink}-{digest}.sqlite"

    def tls(self) -> ssl.SSLContext | None:
        """TLS that verifies the receiver; None where there is none.

        Raises:
            InputError: the file of `ca` cannot be used.
        """
        if not self.is_encrypted:
            return None
        ca = self.options.get("ca")
        try:
            return ssl.create_default_context(cafile=ca)
        except ssl.SSLError:
            reason = "no certificate in it"
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"--sink {self.form.sink}: ca={ca} cannot be read: {reason}",
            hint="name the PEM file of the authority that signed the receiver's certificate",
        )


def parse_address(text: str, form: AddressForm) -> RemoteAddress:
    """Parse what follows the sink's name.

    Raises:
        InputError: it is no such address, or it holds a password.
    """
    sink = f"--sink {form.sink}"
    address, _, rest = text.partition(form.mark)
    pairs = parse_qsl(rest, keep_blank_values=True)
    # A password may hold every sign, and cut the address anywhere.
    if "@" in address or ("@" in rest and any(name not in form.options for name, _ in pairs)):
        raise InputError(
            f"{sink}: a user or password must not stand in the address, which is kept and shown",
            hint=f"{_SECRETS[form.sink]}; write %40 for an @ in a path",
        )
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in form.ports or not parts.hostname or "#" in address:
        schemes = " or ".join(f"{scheme}://" for scheme in form.ports)
        raise InputError(
            f"{sink}: {redact(text)!r} is no {schemes} address", hint=f"as in {form.example}"
        )
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if any(ord(sign) <= 32 or ord(sign) == 127 for sign in path + parts.netloc):
        raise InputError(
            f"{sink}: there is a blank in the address", hint="write %20 for one in a path"
        )
    options = _options(pairs, rest, form)
    if "ca" in options and parts.scheme != form.encrypted:
        raise InputError(
            f"{sink}: ca has no effect without TLS", hint=f"write {form.encrypted}://, or drop it"
        )
    return RemoteAddress(
        form,
        parts.scheme,
        parts.hostname,
        form.ports[parts.scheme] if port is None else port,
        path,
        options,
        SpoolLimit.parse(options["limit"]) if "limit" in options else SpoolLimit(),
    )


def check_sink(text: str) -> object:
    """Check a sink's address, where that is one of these.

    Raises:
        InputError: it is not of the form, or it holds a password.
    """
    name, _, target = text.partition(":")
    form = {form.sink: form for form in (MQTT, WEBHOOK)}.get(name)
    return None if form is None else parse_address(target, form)


def tls_failure(error: ssl.SSLCertVerificationError, name: str) -> Undelivered:
    """Return the outcome of an untrusted certificate: a mistake, unless a clock may be wrong."""
    reason = f"its certificate is not trusted ({error.verify_message.rstrip('.')})"
    if error.verify_code in CLOCK_ERRORS:
        return Undelivered(f"{reason}; check the clocks")
    return Mistaken(
        reason, hint=f"name the file of {name}'s authority with ca=, and the host as certified"
    )


def connect_failure(error: OSError) -> str:
    """Return the reason for a missing connection, in words."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with it ({error.reason or 'it closed the connection'})"
    return (error.strerror or str(error) or type(error).__name__).rstrip(".")


def _options(pairs: Sequence[tuple[str, str]], text: str, form: AddressForm) -> Mapping[str, str]:
    options = dict(pairs)
    names = ", ".join(form.options)
    for name, value in pairs:
        if name not in form.options:
            raise InputError(
                f"--sink {form.sink}: {name!r} is no option of its address", hint=f"use {names}"
            )
        if not value or "\0" in value:
            raise InputError(
                f"--sink {form.sink}: {name} has no value", hint=f"write {form.mark}{name}=…"
            )
    if len(options) < len(pairs) or (text and not pairs):
        raise InputError(
            f"--sink {form.sink}: what follows {form.mark!r} is not NAME=VALUE, each name once",
            hint=f"use {names}, with & between them",
        )
    return options


_SECRETS = {
    "mqtt": "put both into a file, a line each: ?login-file=FILE; or into "
    f"{MQTT_USER} and {MQTT_PASSWORD}",
    "webhook": f"sign the requests: #secret-file=FILE, or {WEBHOOK_SECRET}",
}
