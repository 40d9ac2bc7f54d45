"""Keys, and signatures made with them; `runtime.artifact.signature` checks them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runtime.artifact.signature import (
    SIGNATURE,
    Signature,
    cryptography_missing,
    fingerprint,
    read_key_file,
    signed_message,
)
from runtime.errors import InputError
from runtime.files.atomic import write_json, write_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PASSWORD_VARIABLE = "EDGECL_KEY_PASSWORD"
"""Environment variable for the password of an encrypted key, since arguments are public."""

PRIVATE_SUFFIX = ".key"
PUBLIC_SUFFIX = ".pub"

_NAMED = "make a key pair with 'edgecl keys NAME' or 'openssl genpkey -algorithm ed25519'"


def load_signing_key(path: Path, password: str | None = None) -> Ed25519PrivateKey:
    """Read a private key from a PEM file (PKCS 8).

    Args:
        password: for a key that is encrypted; not looked at for others.

    Raises:
        InputError: it cannot be read, is no private Ed25519 key, the password is missing or
            wrong, or `cryptography` is not installed.
    """
    data = read_key_file(path)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise cryptography_missing() from error
    if b"PUBLIC KEY-----" in data:
        raise InputError(
            f"{path} is a public key and cannot sign", hint="use the private key of the pair"
        )
    encrypted = b"ENCRYPTED" in data
    if encrypted and not password:
        raise InputError(f"{path} is encrypted", hint=f"set {PASSWORD_VARIABLE} to its password")
    try:
        key = load_pem_private_key(data, password.encode() if encrypted and password else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise InputError(
                f"{path} cannot be decrypted: wrong password or damaged file",
                hint=f"correct the password in {PASSWORD_VARIABLE}",
            ) from error
        raise InputError(f"{path} is not a private key in PEM form", hint=_NAMED) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path} is not an Ed25519 key", hint=_NAMED)
    return key


def sign_manifest(digest: str, key: Ed25519PrivateKey) -> Signature:
    """Sign a manifest by its digest, and with it every file whose digest it holds."""
    return Signature(
        key=fingerprint(key.public_key()), digest=digest, value=key.sign(signed_message(digest))
    )


def write_signature(folder: Path, digest: str, key: Ed25519PrivateKey) -> None:
    """Sign the manifest with that digest and write `signature.json` beside it.

    Raises:
        InputError: the folder cannot be written.
    """
    write_json(folder / SIGNATURE, sign_manifest(digest, key).to_json())


def write_key_pair(name: Path, password: str | None = None) -> tuple[Path, Path, str]:
    """Make a pair of keys: `NAME.key`, readable by its owner alone, and `NAME.pub`.

    Args:
        name: path without suffix.
        password: encrypts the private key.

    Returns:
        Private and public file, and the fingerprint.

    Raises:
        InputError: one of the files is there already, or the folder cannot be written.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            NoEncryption,
            PrivateFormat,
            PublicFormat,
        )
    except ImportError as error:
        raise cryptography_missing() from error
    if not name.name:
        raise InputError(
            f"{name} is not a valid name for a key pair", hint="use a name such as line-3"
        )
    private, public = (
        name.with_name(name.name + suffix) for suffix in (PRIVATE_SUFFIX, PUBLIC_SUFFIX)
    )
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise InputError(
                f"{path} already exists, and keys are never overwritten",
                hint="choose another name, or move the old pair",
            )
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    write_new(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), 0o600)
    try:
        write_new(
            public,
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            0o666,
        )
    except BaseException:
        private.unlink()  # half a pair would be in the way of the next try
        raise
    return private, public, fingerprint(key.public_key())
