"""Files of flat-fields: two arrays and a description in one .npz, without pickles."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from runtime.artifact.bundle import file_digest
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.files.document import parse_document, to_text
from runtime.image.flat.field import FlatField, FlatRecord

FLAT = "flat.npz"
"""Name of the file in a run and in a bundle."""

SUFFIX = ".npz"
_LARGEST_FILE = 4 << 30
_RECORD, _DARK, _BRIGHT = "record", "dark", "bright"
_BITS = range(8, 17)


def write_flat(path: Path, flat: FlatField) -> None:
    """Write a flat-field, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    arrays = {_RECORD: np.array(to_text(flat.record)), _DARK: flat.dark, _BRIGHT: flat.bright}
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def read_flat(path: Path) -> FlatField:
    """Read a flat-field.

    Raises:
        InputError: the file is missing, truncated, damaged, or of another kind.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is larger than any flat-field")
        if path.exists() and not path.is_file():  # a pipe would be waited for, without an end
            raise OSError(errno.EINVAL, "it is not a file")
        data = path.read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            text = str(file[_RECORD])
            dark, bright = (np.asarray(file[name]) for name in (_DARK, _BRIGHT))
        value = json.loads(text)
    except OSError as error:
        raise InputError(
            f"the flat-field {path} cannot be read ({error.strerror or error})",
            hint="pass a file of 'edgecl camera --record-flat'",
        ) from error
    except (ValueError, TypeError, KeyError, EOFError, RecursionError, MemoryError) as error:
        raise _damaged(path, error) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise _damaged(path, error) from error
    record = parse_document(value, FlatRecord, where=str(path))
    rows = record.height if record.per == "pixel" else 1
    for name, array in ((_DARK, dark), (_BRIGHT, bright)):
        if array.dtype != np.float32 or array.shape != (rows, record.width):
            raise _damaged(path, f"{name} is {array.dtype} {array.shape}")
    deep = record.dtype == "uint16"
    if record.bits not in _BITS or (not deep and record.bits != 8):
        raise _damaged(path, f"{record.dtype} with {record.bits} bits")
    if not (np.isfinite(dark).all() and np.isfinite(bright).all()) or bright.mean() <= dark.mean():
        raise _damaged(path, "its bright frame is not brighter than its dark one")
    return FlatField(record, dark, bright, hashlib.sha256(data).hexdigest())


def flat_beside(source: Path, digest: str) -> FlatField | None:
    """Return the flat-field that a model was trained with; None where it does not lie there.

    Args:
        source: a bundle, a file of one, or an engine that was built in it.
        digest: SHA-256 of the flat-field's file.

    Raises:
        InputError: it is there, and damaged.
    """
    for folder in (source, *source.absolute().parents[:2]):
        path = folder / FLAT
        if path.is_file() and file_digest(path) == digest:
            return read_flat(path)
    return None


def _damaged(path: Path, why: object) -> InputError:
    words = " ".join(str(why).split()) or type(why).__name__
    return InputError(
        f"{path} is not a whole flat-field ({words})",
        hint="copy it again, or record it again with 'edgecl camera --record-flat'",
    )
