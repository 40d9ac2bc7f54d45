"""Ed25519 signature (RFC 8032) of a bundle, read and checked. `export` signs.

What is signed is the digest of the manifest, which holds the digest of every file. The package
`cryptography` is loaded only where a key is used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.artifact.bundle import MANIFEST, Bundle, load_bundle
from runtime.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE = "signature.json"
SIGNATURE_SCHEMA = 1
ALGORITHM = "Ed25519"

_LARGEST = 64 * 1024
"""Maximum bytes of a key or a signature file: neither has a thousand."""

_NAMED = "use the .pub file of a pair made by 'edgecl keys NAME' or openssl"


@dataclass(frozen=True)
class Signature:
    """Claims of `signature.json`, unverified.

    Args:
        key: fingerprint of the key that signed.
        digest: of the manifest that was signed, SHA-256 in hexadecimal.
        value: the signature, 64 bytes.
    """

    key: str
    digest: str
    value: bytes

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            "schema": SIGNATURE_SCHEMA,
            "algorithm": ALGORITHM,
            "key": self.key,
            "digest": self.digest,
            "signature": base64.b64encode(self.value).decode(),
        }


def load_signed_bundle(path: Path, public_key: Path) -> Bundle:
    """Read a bundle, verify every file in it, and that the key's owner signed it.

    Args:
        path: the bundle's folder.
        public_key: a PEM file.

    Raises:
        InputError: whatever `load_bundle` raises; no usable key; or no signature by that key.
    """
    if path.is_file():
        raise InputError(
            f"{path} is a single file, but only whole bundles are signed",
            hint="pass the bundle's folder, or omit --verify-key",
        )
    key = load_public_key(public_key)
    bundle = load_bundle(path)
    _require_signature(bundle, key)
    return bundle


def load_verified_bundle(path: Path, public_key: Path | None) -> Bundle:
    """Read a bundle and verify every file in it, and its signature where a key is named.

    Args:
        path: the bundle's folder.
        public_key: a PEM file; None where nobody has to have signed it.

    Raises:
        InputError: as `load_bundle` and `load_signed_bundle` do.
    """
    return load_bundle(path) if public_key is None else load_signed_bundle(path, public_key)


def require_signed(bundle: Bundle, public_key: Path) -> None:
    """Check that the key's owner signed a bundle that was verified before.

    Args:
        public_key: a PEM file.

    Raises:
        InputError: no usable key, or no signature by it.
    """
    _require_signature(bundle, load_public_key(public_key))


def _require_signature(bundle: Bundle, key: Ed25519PublicKey) -> None:
    signature = read_signature(bundle.path)
    verify_signature(bundle.manifest.digest, signature, key, where=bundle.path)


def read_signature(bundle: Path) -> Signature | None:
    """Return the bundle's signature, unchecked; None if it has none.

    Raises:
        InputError: it is damaged, or of another algorithm.
    """
    path = bundle / SIGNATURE
    if not path.exists() and not path.is_symlink():
        return None
    try:
        value = json.loads(_read_small(path))
        if value["schema"] > SIGNATURE_SCHEMA or value["algorithm"] != ALGORITHM:
            raise InputError(
                f"{path} has an unsupported signature type "
                f"({str(value['algorithm'])[:20]}, schema {value['schema']})",
                hint="update edgecl on this machine, or ask for a new signed export",
            )
        signature = Signature(
            str(value["key"]),
            str(value["digest"]),
            base64.b64decode(value["signature"], validate=True),
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        raise _damaged(path) from error
    if len(signature.value) != 64:
        raise _damaged(path)
    return signature


def verify_signature(
    digest: str, signature: Signature | None, key: Ed25519PublicKey, *, where: Path
) -> None:
    """Check a manifest against its signature.

    Args:
        digest: of the manifest, computed anew, as `load_bundle` did.
        signature: as read; None where there is none.
        key: whose signature is expected.
        where: the bundle, for the error.

    Raises:
        InputError: no signature, another key's, one of another manifest, or a forged one.
    """
    from cryptography.exceptions import InvalidSignature

    if signature is None:
        raise InputError(
            f"{where} is not signed (it has no {SIGNATURE})",
            hint="export it with 'edgecl export --sign KEY'",
        )
    own = fingerprint(key)
    if signature.key != own:
        raise InputError(
            f"{where} was signed with a different key ({signature.key[:16]!s}…, not {own[:16]}…)",
            hint="if you trust that key, pass it with --verify-key; otherwise do not use "
            "the bundle",
        )
    if signature.digest != digest:
        raise InputError(
            f"{where / MANIFEST} was changed after signing",
            hint="copy the bundle again from its source",
        )
    try:
        key.verify(signature.value, signed_message(digest))
    except InvalidSignature:
        raise InputError(
            f"{where / SIGNATURE} is not a valid signature of this manifest by the given key",
            hint="do not use this bundle; copy it again from its source",
        ) from None


def signed_message(digest: str) -> bytes:
    """The bytes that are signed for a manifest's digest.

    They say what they are for, so that a signature made for something else never fits.
    """
    return f"edgecl bundle manifest, schema {SIGNATURE_SCHEMA}, SHA-256 {digest}".encode()


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the public key's 32 bytes, in hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key from a PEM file.

    Raises:
        InputError: it cannot be read, is no public Ed25519 key, or `cryptography` is missing.
    """
    data = read_key_file(path)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise cryptography_missing() from error
    if b"PRIVATE KEY-----" in data:
        raise InputError(
            f"{path} is a private key, which must not be used here",
            hint=f"{_NAMED}; keep the private key secret",
        )
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{path} is not a public key in PEM form", hint=_NAMED) from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path} is not an {ALGORITHM} key", hint=_NAMED)
    return key


def read_key_file(path: Path) -> bytes:
    """The bytes of a key file.

    Raises:
        InputError: there is no such file, it is empty, or too large for a key.
    """
    try:
        data = _read_small(path)
    except OSError as error:
        raise InputError(
            f"the key {path} cannot be read ({error.strerror or error})",
            hint="make a key pair with 'edgecl keys NAME'",
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is not a key: it is {error}", hint=_NAMED) from error
    if not data.strip():
        raise InputError(f"{path} is not a key: it is empty", hint=_NAMED)
    return data


def cryptography_missing() -> InputError:
    """Return the error for the missing cryptography package."""
    return InputError(
        "signatures need the cryptography package, which is not installed",
        hint="install it: pip install 'edgecl[sign]'",
    )


def _read_small(path: Path) -> bytes:
    with open(path, "rb") as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"larger than {_LARGEST // 1024} KiB")
    return data


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path} is damaged, so the bundle's signer cannot be verified",
        hint="copy the bundle again, or ask for a new signed export",
    )
