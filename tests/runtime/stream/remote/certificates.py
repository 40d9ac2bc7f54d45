"""Certificates of an authority that only the tests have."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, and a server's certificate by it for localhost."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path, *, days: tuple[int, int] = (-1, 30)) -> Certificates:
    """Write certificates that are valid between two days from now."""
    pytest.importorskip("cryptography", reason="needs cryptography: pip install 'edgecl[sign]'")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder.mkdir(parents=True)
    now = datetime.now(timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        for name in (f"authority {folder.name}", "localhost")
    ]
    written = []
    for index, name in enumerate(("authority", "server")):
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[index])
            .issuer_name(names[0])
            .public_key(keys[index].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0] if index else -400))
            .not_valid_after(now + timedelta(days=days[1] if index else 400))
            .add_extension(x509.BasicConstraints(ca=not index, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(keys[index].public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()),
                critical=False,
            )
        )
        if index:
            host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            names_of_host = x509.SubjectAlternativeName([x509.DNSName("localhost"), host])
            builder = builder.add_extension(names_of_host, critical=False)
        else:
            usage = x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        certificate = builder.sign(keys[0], hashes.SHA256())
        path = folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        written.append(path)
    key = folder / "server.key"
    key.write_bytes(
        keys[1].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Certificates(written[0], written[1], key)
