"""The server's own certificate: read and checked, or made at the first start and kept."""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import InputError
from runtime.files.atomic import write_new
from runtime.progress import Say

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

CERTIFICATE, KEY = "opcua-certificate.pem", "opcua-key.pem"
DAYS = 3650
KEY_BITS = (2048, 4096)
"""Sizes of keys that the policy Basic256Sha256 takes, from the first to the second."""


@dataclass(frozen=True)
class Identity:
    """Certificate and key of the server.

    Args:
        certificate, key: DER.
        application: the URI that the certificate names, by which clients know the server.
    """

    certificate: bytes
    key: bytes
    application: str


def kept_identity(folder: Path, host: str, report: Say) -> Identity:
    """Return the certificate of a folder; make it where there is none.

    Args:
        host: name of this machine.
        report: is told that one was made, or that it is not valid today.

    Raises:
        InputError: it cannot be read or written.
    """
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not certificate.exists() or not key.exists():
        _make(certificate, key, host)
        report(f"note: OPC UA: made a certificate, {certificate}; clients have to trust it once")
    return read_identity(certificate, key, report)


def read_identity(certificate: Path, key: Path, report: Say) -> Identity:
    """Read a certificate and its key, PEM or DER.

    Args:
        report: is told where it is not valid today; clients may refuse it then.

    Raises:
        InputError: a file cannot be read, the key is another one's, or OPC UA cannot use them.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    found, private = _certificate(certificate), _key(key)
    if found.public_key() != private.public_key():
        raise InputError(
            f"the key in {key} does not belong to the certificate in {certificate}",
            hint="pass the key that the certificate was made for",
        )
    application = ""
    with contextlib.suppress(x509.ExtensionNotFound):
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        application = next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")
    if not application:
        raise InputError(
            f"the certificate in {certificate} names no application URI",
            hint="have it made with one, as in subjectAltName=URI:urn:line-3:edgecl,DNS:line-3",
        )
    now = datetime.now(timezone.utc)
    if now > found.not_valid_after_utc or now < found.not_valid_before_utc:
        word = "expired on" if now > found.not_valid_after_utc else "is not valid before"
        when = found.not_valid_after_utc if "expired" in word else found.not_valid_before_utc
        # The clock may be wrong after a power cut, and the line has to judge.
        report(
            f"note: OPC UA: the certificate in {certificate} {word} {when:%Y-%m-%d}; clients may "
            "refuse it until it is renewed, or the clock is right"
        )
    return Identity(
        found.public_bytes(Encoding.DER),
        private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        application,
    )


def _certificate(path: Path) -> x509.Certificate:
    from cryptography import x509

    data = _read(path, "certificate")
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise InputError(
            f"{path} is no certificate", hint="name a PEM or DER file with certificate="
        ) from error


def _key(path: Path) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_der_private_key,
        load_pem_private_key,
    )

    data = _read(path, "key")
    try:
        load = load_pem_private_key if b"-----BEGIN" in data else load_der_private_key
        key = load(data, password=None)
    except TypeError as error:  # it has a password
        raise InputError(
            f"the key in {path} is encrypted, and nobody could type its password",
            hint="pass a key without one, readable by its owner alone",
        ) from error
    except Exception as error:  # ValueError, or an algorithm that the library does not know
        raise InputError(
            f"{path} is no private key", hint="name a PEM or DER file with key="
        ) from error
    least, most = KEY_BITS
    if not isinstance(key, RSAPrivateKey) or not least <= key.key_size <= most:
        raise InputError(
            f"the key in {path} is not one that Basic256Sha256 takes",
            hint=f"make an RSA key of {least} to {most} bits",
        )
    return key


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"--sink opcua: {option} {path} cannot be read: {error.strerror or error}",
            hint="name a PEM or DER file that this user may read",
        ) from error


def _make(certificate: Path, key: Path, host: str) -> None:
    """Make a certificate that signs itself, as OPC UA has them where no authority is at hand."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS[0])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"edgecl on {host}"[:64])])
    now = datetime.now(timezone.utc)
    identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        # A clock that goes a little wrong is no reason to refuse it.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.UniformResourceIdentifier(application_of(host)),
                    x509.DNSName(host),
                    x509.DNSName("localhost"),
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                ]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=True,
                key_encipherment=True,
                data_encipherment=True,
                key_agreement=False,
                key_cert_sign=True,  # clients ask it of certificates that sign themselves
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .sign(private, hashes.SHA256())
    )
    for path in (certificate, key):  # one without the other helps nobody
        path.unlink(missing_ok=True)
    write_new(
        key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600
    )
    write_new(certificate, made.public_bytes(Encoding.PEM), mode=0o644)


def application_of(host: str) -> str:
    """The URI by which clients know the server of a machine."""
    safe = "".join(sign if sign.isalnum() or sign in "-." else "-" for sign in host)
    return f"urn:{safe}:edgecl"
