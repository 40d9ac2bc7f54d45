"""Keys that sign: which files are taken, and what is said of the others."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess

import pytest

pytest.importorskip("cryptography", reason="signatures are an extra: edgecl[sign]")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from edgecl.cli.shell import run as edgecl
from export.bundle.signing import PASSWORD_VARIABLE, load_signing_key, sign_manifest, write_key_pair
from runtime.artifact.bundle import manifest_digest
from runtime.artifact.signature import Signature, fingerprint, load_public_key, verify_signature
from runtime.errors import InputError
from runtime.files.atomic import write_new

MANIFEST = {"files": {"a": {"sha256": "00"}}, "schema": 1}


def private_pem(key, form=serialization.PrivateFormat.PKCS8, password=None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    data: bytes = key.private_bytes(serialization.Encoding.PEM, form, encryption)
    return data


def test_a_pair_signs_and_checks(tmp_path):
    private, public, print_of = write_key_pair(tmp_path / "deep" / "line")
    assert (private.name, public.name) == ("line.key", "line.pub")
    key = load_public_key(public)
    signature = sign_manifest(manifest_digest(MANIFEST), load_signing_key(private))
    assert signature.key == print_of == fingerprint(key)
    verify_signature(manifest_digest(MANIFEST), signature, key, where=tmp_path)
    document = json.loads(json.dumps(signature.to_json()))
    assert document["algorithm"] == "Ed25519"
    assert isinstance(signature, Signature)
    with pytest.raises(InputError, match="was changed after signing"):
        verify_signature(manifest_digest({**MANIFEST, "schema": 2}), signature, key, where=tmp_path)


def test_the_private_key_is_for_its_owner_alone(tmp_path):
    private, public, _ = write_key_pair(tmp_path / "line")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"PRIVATE" not in public.read_bytes()


@pytest.mark.parametrize("there", ["line.key", "line.pub"])
def test_no_key_is_ever_overwritten(tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(InputError, match=f"{there} already exists"):
        write_key_pair(tmp_path / "line")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_half_a_pair_does_not_stay(tmp_path, monkeypatch):
    def full(path, data, mode):
        if path.suffix == ".pub":
            raise InputError("the disk is full")
        write_new(path, data, mode)

    monkeypatch.setattr("export.bundle.signing.write_new", full)
    with pytest.raises(InputError, match="full"):
        write_key_pair(tmp_path / "line")
    assert list(tmp_path.iterdir()) == []


def test_an_encrypted_key_wants_its_password(tmp_path):
    private, public, _ = write_key_pair(tmp_path / "line", "sesame")
    assert b"ENCRYPTED" in private.read_bytes()
    with pytest.raises(InputError, match=f"is encrypted; .*{PASSWORD_VARIABLE}"):
        load_signing_key(private)
    with pytest.raises(InputError, match="wrong password"):
        load_signing_key(private, "simsim")
    key = load_signing_key(private, "sesame")
    assert fingerprint(key.public_key()) == fingerprint(load_public_key(public))


def test_a_password_too_many_does_not_hurt(tmp_path):
    private, _, _ = write_key_pair(tmp_path / "line")
    load_signing_key(private, "sesame")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello", "not a private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a private key"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n", "is encrypted"),
        (private_pem(rsa.generate_private_key(65537, 2048)), "is not an Ed25519 key"),
    ],
)
def test_files_that_are_no_signing_key(tmp_path, content, said):
    path = tmp_path / "x.key"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_signing_key(path)


def test_a_public_key_a_folder_and_nothing(tmp_path):
    _, public, _ = write_key_pair(tmp_path / "line")
    with pytest.raises(InputError, match="is a public key"):
        load_signing_key(public)
    for path in (tmp_path, tmp_path / "none.key"):
        with pytest.raises(InputError, match="cannot be read"):
            load_signing_key(path)


def test_opensshs_own_form_is_taken_or_refused_in_words(tmp_path):
    path = tmp_path / "id"
    path.write_bytes(
        private_pem(ed25519.Ed25519PrivateKey.generate(), serialization.PrivateFormat.OpenSSH)
    )
    with pytest.raises(InputError, match="not a private key in PEM form"):
        load_signing_key(path)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_openssls_pair_is_taken(tmp_path):
    private, public = tmp_path / "o.key", tmp_path / "o.pub"
    for arguments in (
        ["genpkey", "-algorithm", "ed25519", "-out", private],
        ["pkey", "-in", private, "-pubout", "-out", public],
    ):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    signature = sign_manifest(manifest_digest(MANIFEST), load_signing_key(private))
    verify_signature(manifest_digest(MANIFEST), signature, load_public_key(public), where=tmp_path)


def test_the_verb(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "sesame")
    assert edgecl(["keys", str(tmp_path / "line")]) == 0
    out = capfd.readouterr().out
    assert fingerprint(load_public_key(tmp_path / "line.pub")) in out
    assert b"ENCRYPTED" in (tmp_path / "line.key").read_bytes()
    assert edgecl(["keys", str(tmp_path / "line")]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "never overwritten" in line
    monkeypatch.chdir(tmp_path)
    assert edgecl(["keys", "."]) == 2
