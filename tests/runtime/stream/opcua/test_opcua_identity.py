"""The server's certificate and its users: read, made, and refused with one line each."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from runtime.errors import InputError
from runtime.stream.opcua.certificate import CERTIFICATE, KEY, kept_identity, read_identity
from runtime.stream.opcua.users import Logins, read_users

pytest.importorskip("cryptography", reason="needs cryptography: pip install 'edgecl[opcua]'")


def made_by_openssl(folder: Path, *options: str, name: str = "line") -> tuple[Path, Path]:
    """A certificate as a plant's authority would make it: by another program."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    files = ("-out", str(certificate), "-keyout", str(key))
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-subj", f"/CN={name}", *files, *options],
        check=True,
        capture_output=True,
    )
    return certificate, key


RSA = ("-newkey", "rsa:2048", "-days", "30")
NAMED = ("-addext", "subjectAltName=URI:urn:line-3:edgecl,DNS:line-3")


def test_a_certificate_is_made_once_and_kept(tmp_path):
    said: list[str] = []
    first = kept_identity(tmp_path, "line-3", said.append)
    assert len(said) == 1
    assert str(tmp_path / CERTIFICATE) in said[0]
    assert first.application == "urn:line-3:edgecl"
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
    assert kept_identity(tmp_path, "line-3", said.append) == first
    assert len(said) == 1


def test_a_key_alone_is_replaced_with_its_certificate(tmp_path):
    kept_identity(tmp_path, "line-3", lambda text: None)
    (tmp_path / CERTIFICATE).unlink()
    said: list[str] = []
    kept_identity(tmp_path, "line-3", said.append)
    assert "made a certificate" in said[0]


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_certificate_of_another_program(tmp_path, form):
    certificate, key = made_by_openssl(tmp_path, *RSA, *NAMED)
    if form == "DER":
        for verb, path in (("x509", certificate), ("rsa", key)):
            out = ["-out", str(path), "-outform", "DER"]
            subprocess.run(
                ["openssl", verb, "-in", str(path), *out], check=True, capture_output=True
            )
    said: list[str] = []
    assert read_identity(certificate, key, said.append).application == "urn:line-3:edgecl"
    assert said == []


def test_one_that_has_expired_is_told_and_used(tmp_path):
    dates = ("-not_before", "20200101000000Z", "-not_after", "20210101000000Z")
    try:
        certificate, key = made_by_openssl(tmp_path, "-newkey", "rsa:2048", *dates, *NAMED)
    except subprocess.CalledProcessError:
        certificate, key = _expired(tmp_path)
    said: list[str] = []
    read_identity(certificate, key, said.append)
    assert len(said) == 1
    assert "expired on 2021-01-01" in said[0]


def _expired(folder: Path) -> tuple[Path, Path]:
    """The same, where OpenSSL is too old to be told the dates."""
    from datetime import datetime, timezone

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([])
    uri = x509.UniformResourceIdentifier("urn:line-3:edgecl")
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), 7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=timezone.utc))
        .add_extension(x509.SubjectAlternativeName([uri]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate, key = folder / "old.pem", folder / "old.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key


def refusal(certificate: Path, key: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_identity(certificate, key, lambda text: None)
    assert raised.value.hint
    return raised.value.problem


def test_the_key_of_another_certificate(tmp_path):
    certificate, _ = made_by_openssl(tmp_path, *RSA, *NAMED)
    _, key = made_by_openssl(tmp_path, *RSA, *NAMED, name="other")
    assert "does not belong to the certificate" in refusal(certificate, key)


def test_a_certificate_without_an_application(tmp_path):
    assert "names no application URI" in refusal(*made_by_openssl(tmp_path, *RSA))


def test_a_key_that_the_policy_does_not_take(tmp_path):
    options = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    problem = refusal(*made_by_openssl(tmp_path, *options, *NAMED))
    assert "not one that Basic256Sha256 takes" in problem


def test_an_encrypted_key(tmp_path):
    certificate, key = made_by_openssl(tmp_path, *RSA, *NAMED)
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "rsa", "-in", str(key), "-aes128", "-passout", "pass:x", "-out", str(locked)],
        check=True,
        capture_output=True,
    )
    assert "is encrypted" in refusal(certificate, locked)


def test_files_that_are_none(tmp_path):
    certificate, key = made_by_openssl(tmp_path, *RSA, *NAMED)
    assert "cannot be read: No such file" in refusal(tmp_path / "gone", key)
    assert "is no certificate" in refusal(key, key)
    assert "is no private key" in refusal(certificate, certificate)


def users_file(folder: Path, text: str) -> str:
    path = folder / "users"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_users(tmp_path):
    said: list[str] = []
    path = users_file(tmp_path, "# the line\noperator:correct:horse\n\nplc:abcdefgh\n")
    assert read_users(path, said.append) == {"operator": "correct:horse", "plc": "abcdefgh"}
    assert said == []
    os.chmod(path, 0o644)  # noqa: PTH101 - a text here
    read_users(path, said.append)
    assert "chmod 600" in said[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("operator", "users:1 is not NAME:PASSWORD"),
        (":password", "users:1 is not NAME:PASSWORD"),
        ("a:abcdefgh\nb:short\n", "users:2: the password of 'b' is shorter than 8"),
        ("a:abcdefgh\na:abcdefgh\n", "users:2: the user 'a' is there twice"),
        ("# nobody\n", "has no users"),
        ("", "is empty"),
    ],
)
def test_mistakes_in_the_file_of_users(tmp_path, text, problem):
    with pytest.raises(InputError, match=problem):
        read_users(users_file(tmp_path, text), lambda text: None)


def test_no_file_of_users(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_users(str(tmp_path / "gone"), lambda text: None)


def test_logins_fit_whole_and_refusals_are_counted():
    logins = Logins({"operator": "correct-horse"})
    assert logins.fits("operator", "correct-horse")
    for name, password in (("operator", "correct-hors"), ("nobody", "correct-horse"), ("", "")):
        assert not logins.fits(name, password)
    assert logins.refused == 3
    assert not Logins({}).fits("", "")
