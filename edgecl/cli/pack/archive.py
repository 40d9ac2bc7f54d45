"""The archive of a pack: its files, their hashes, the signature. The same input, the same bytes."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import InputError
from runtime.files.atomic import replacing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = "edgecl-pack"
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
NAME = re.compile(r"[A-Za-z0-9_.+/@ -]+")
"""Names of files that `install.py` takes."""

HEADING = "# edgecl pack, schema 1\n"
"""First line of what is signed: a signature made for something else never fits. sha256sum takes it
for a comment."""


def write_pack(path: Path, files: Mapping[str, Path | bytes], key: Ed25519PrivateKey | None) -> str:
    """Write a pack.

    Args:
        path: of the archive.
        files: by their names in it; what they hold, or where it is.
        key: signs the list of hashes; None for no signature.

    Returns:
        The SHA-256 of the list of hashes.

    Raises:
        InputError: it cannot be written.
        EquipmentError: the disk is full.
    """
    sums = sums_of(files)
    held: dict[str, Path | bytes] = {**files, SUMS: sums}
    if key is not None:
        held[SIGNATURE] = key.sign(sums)
    with replacing(path) as temporary, tarfile.open(temporary, "w") as archive:
        for name in sorted(held):
            content = held[name]
            entry = tarfile.TarInfo(f"{ROOT}/{name}")
            entry.mode = 0o755 if name == "install.py" else 0o644
            if isinstance(content, bytes):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.size = content.stat().st_size
                with content.open("rb") as stream:
                    archive.addfile(entry, stream)
    return hashlib.sha256(sums).hexdigest()


def sums_of(files: Mapping[str, Path | bytes]) -> bytes:
    """Return the list of hashes as `sha256sum --check` takes it.

    Raises:
        InputError: a name has signs that the installation refuses.
    """
    for name in files:
        if NAME.fullmatch(name) is None:
            raise InputError(
                f"{name!r} cannot be packed under that name",
                hint="rename it: letters, digits, blanks and any of _.+/@- are allowed",
            )
    lines = (f"{_digest(files[name])}  {name}\n" for name in sorted(files))
    return (HEADING + "".join(lines)).encode()


def files_below(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Yield name in the pack and path of each file of a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"{prefix}/{path.relative_to(folder).as_posix()}", path


def _digest(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    with content.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()
