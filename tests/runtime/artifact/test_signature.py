"""Signed bundles: what is taken for signed, and every way in which it is not."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="signatures are an extra: edgecl[sign]")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edgecl.cli.shell import run as edgecl
from export.bundle.signing import load_signing_key, write_key_pair, write_signature
from runtime.artifact.bundle import MANIFEST, load_bundle, manifest_digest
from runtime.artifact.signature import SIGNATURE, load_public_key, load_signed_bundle
from runtime.errors import InputError
from runtime.session import open_session


@pytest.fixture
def keys(tmp_path) -> tuple[Path, Path]:
    private, public, _ = write_key_pair(tmp_path / "line")
    return private, public


@pytest.fixture
def signed(make_bundle, keys) -> Path:
    bundle: Path = make_bundle()
    write_signature(bundle, load_bundle(bundle).manifest.digest, load_signing_key(keys[0]))
    return bundle


def amend(bundle: Path, **changes: object) -> None:
    """Change the manifest and compute its digest anew, as a forger would."""
    manifest = json.loads((bundle / MANIFEST).read_text()) | changes
    manifest["digest"] = manifest_digest(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest))


def amend_signature(bundle: Path, **changes: object) -> None:
    path = bundle / SIGNATURE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_signed_bundle_is_accepted_and_runs(signed, keys):
    bundle = load_signed_bundle(signed, keys[1])
    with open_session(bundle, "fp32", engine="onnxruntime") as session:
        assert session.contract == bundle.contract
    load_bundle(signed)  # the signature lies beside what the manifest names


def test_a_manifest_written_anew_with_the_same_content_still_holds(signed, keys):
    manifest = json.loads((signed / MANIFEST).read_text())
    (signed / MANIFEST).write_text(json.dumps(dict(reversed(manifest.items())), indent=7))
    load_signed_bundle(signed, keys[1])


def test_no_signature(make_bundle, keys):
    with pytest.raises(InputError, match=r"is not signed .*--sign KEY"):
        load_signed_bundle(make_bundle(), keys[1])


def test_another_key(signed, tmp_path):
    _, other, _ = write_key_pair(tmp_path / "other")
    with pytest.raises(InputError, match="signed with a different key"):
        load_signed_bundle(signed, other)


def test_a_manifest_changed_without_its_digest(signed, keys):
    text = (signed / MANIFEST).read_text()
    (signed / MANIFEST).write_text(text.replace('"bright"', '"brightest"'))
    with pytest.raises(InputError, match="was changed after export"):
        load_signed_bundle(signed, keys[1])


def test_a_manifest_changed_with_its_digest(signed, keys):
    amend(signed, created="yesterday")
    load_bundle(signed)
    with pytest.raises(InputError, match="was changed after signing"):
        load_signed_bundle(signed, keys[1])


def test_a_manifest_changed_with_its_digest_and_the_signed_digest(signed, keys):
    amend(signed, created="yesterday")
    amend_signature(signed, digest=json.loads((signed / MANIFEST).read_text())["digest"])
    with pytest.raises(
        InputError, match="is not a valid signature of this manifest by the given key"
    ):
        load_signed_bundle(signed, keys[1])


def test_a_changed_file(signed, keys):
    model = signed / "model.fp32.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    with pytest.raises(InputError, match=r"model\.fp32\.onnx was changed after export"):
        load_signed_bundle(signed, keys[1])


def test_the_signature_of_another_bundle_of_the_same_key(signed, keys, make_bundle, tmp_path):
    other = make_bundle(tmp_path / "other.edgecl", labels=("a", "b"), pass_labels=())
    shutil.copy(signed / SIGNATURE, other)
    with pytest.raises(InputError, match="was changed after signing"):
        load_signed_bundle(other, keys[1])


def test_a_stranger_who_names_the_right_key(signed, keys, tmp_path):
    private, _, _ = write_key_pair(tmp_path / "stranger")
    own = json.loads((signed / SIGNATURE).read_text())["key"]
    write_signature(signed, load_bundle(signed).manifest.digest, load_signing_key(private))
    amend_signature(signed, key=own)
    with pytest.raises(
        InputError, match="is not a valid signature of this manifest by the given key"
    ):
        load_signed_bundle(signed, keys[1])


def test_a_signature_of_the_bare_digest_does_not_fit(signed, keys):
    """What a key signs elsewhere cannot be passed off as a bundle's signature."""
    digest = load_bundle(signed).manifest.digest
    value = load_signing_key(keys[0]).sign(digest.encode())
    amend_signature(signed, signature=base64.b64encode(value).decode())
    with pytest.raises(InputError, match="is not a valid signature"):
        load_signed_bundle(signed, keys[1])


@pytest.mark.parametrize("byte", range(0, 64, 9))
def test_one_changed_bit_of_the_signature(signed, keys, byte):
    value = bytearray(base64.b64decode(json.loads((signed / SIGNATURE).read_text())["signature"]))
    value[byte] ^= 1
    amend_signature(signed, signature=base64.b64encode(value).decode())
    with pytest.raises(InputError, match="is not a valid signature"):
        load_signed_bundle(signed, keys[1])


@pytest.mark.parametrize(
    "text",
    ["", "{]", "[]", "{}", "null", "\x00\x01", "[" * 30_000, " " * 70_000],
)
def test_a_damaged_signature(signed, keys, text):
    (signed / SIGNATURE).write_text(text)
    with pytest.raises(InputError, match="is damaged"):
        load_signed_bundle(signed, keys[1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"signature": "not base64!"}, "is damaged"),
        ({"signature": ""}, "is damaged"),
        ({"signature": "AAAA"}, "is damaged"),
        ({"signature": None}, "is damaged"),
        ({"schema": "one"}, "is damaged"),
        ({"algorithm": "none"}, "unsupported signature type"),
        ({"schema": 2}, "unsupported signature type"),
        ({"key": None}, "a different key"),
        ({"key": "\n\x1b[31m"}, "a different key"),
    ],
)
def test_fields_of_the_signature_that_do_not_hold(signed, keys, changes, said):
    amend_signature(signed, **changes)
    with pytest.raises(InputError, match=said):
        load_signed_bundle(signed, keys[1])


def test_a_folder_or_a_dead_link_in_the_signatures_place(signed, keys):
    (signed / SIGNATURE).unlink()
    (signed / SIGNATURE).symlink_to("nowhere")
    with pytest.raises(InputError, match="is damaged"):
        load_signed_bundle(signed, keys[1])
    (signed / SIGNATURE).unlink()
    (signed / SIGNATURE).mkdir()
    with pytest.raises(InputError, match="is damaged"):
        load_signed_bundle(signed, keys[1])


def pem_of(key) -> bytes:
    data: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hello", "not a public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key"),
        (b"x" * 70_000, "larger than"),
        (pem_of(rsa.generate_private_key(65537, 2048)), "is not an Ed25519 key"),
        (pem_of(ec.generate_private_key(ec.SECP256R1())), "is not an Ed25519 key"),
    ],
)
def test_files_that_are_no_public_key(tmp_path, content, said):
    path = tmp_path / "x.pub"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_public_key(path)


def test_a_private_key_a_folder_and_nothing(keys, tmp_path):
    with pytest.raises(InputError, match="is a private key"):
        load_public_key(keys[0])
    with pytest.raises(InputError, match="cannot be read"):
        load_public_key(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        load_public_key(tmp_path / "none.pub")


@pytest.mark.parametrize("verb", [["inspect"], ["run", "--camera", "demo", "--model"]])
def test_verbs_say_it_on_one_line_and_end_with_2(signed, tmp_path, capfd, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    _, other, _ = write_key_pair(tmp_path / "other")
    assert edgecl([*verb, str(signed), "--verify-key", str(other)]) == 2
    captured = capfd.readouterr()
    (line,) = captured.err.splitlines()
    assert "signed with a different key" in line
    assert captured.out == ""
    assert not (tmp_path / "streams").exists()


def test_run_takes_what_was_signed_and_no_lone_file(signed, keys, tmp_path, capfd):
    options = ["--camera", "demo", "--frames", "3", "--engine", "onnxruntime"]
    options += ["--out", str(tmp_path / "o"), "--verify-key", str(keys[1]), "--model"]
    assert edgecl(["run", *options, str(signed)]) == 0
    assert edgecl(["run", *options, str(signed / "model.fp32.onnx")]) == 2
    assert "only whole bundles are signed" in capfd.readouterr().err


def test_without_the_package_the_line_says_what_to_install(signed, keys):
    code = (
        "import sys\n"
        "sys.modules['cryptography'] = None\n"
        "from edgecl.cli.shell import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    start = [sys.executable, "-c", code, "inspect", str(signed)]
    plain = subprocess.run(start, capture_output=True, text=True)
    assert plain.returncode == 0, plain.stderr
    checked = subprocess.run([*start, "--verify-key", str(keys[1])], capture_output=True, text=True)
    assert checked.returncode == 2
    assert "pip install 'edgecl[sign]'" in checked.stderr
    assert checked.stderr.count("\n") == 1
