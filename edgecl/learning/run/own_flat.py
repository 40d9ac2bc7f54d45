"""The flat-field of a run: copied into its directory, so that nothing depends on the original."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgecl.learning.config import TrainConfig
from runtime.artifact.bundle import file_digest
from runtime.errors import InputError
from runtime.files.atomic import explained, replacing
from runtime.image.flat.file import FLAT, read_flat


def flat_digest(config: TrainConfig) -> str | None:
    """SHA-256 of the file that the choices name, in hexadecimal; None without one.

    Raises:
        InputError: it is not a whole flat-field.
    """
    return read_flat(Path(config.flat)).digest if config.flat else None


def keep_flat(config: TrainConfig, run: Path, digest: str | None) -> None:
    """Copy the flat-field into the run.

    Args:
        digest: of the file that the images were corrected with; None for no flat-field.

    Raises:
        InputError: the file was changed since then, or the copy cannot be written.
    """
    if digest is None or Path(config.flat).resolve() == (run / FLAT).resolve():
        return
    with explained(run / FLAT):
        data = Path(config.flat).read_bytes()
    with replacing(run / FLAT) as path:
        path.write_bytes(data)
        if file_digest(path) != digest:
            raise _changed(Path(config.flat))


def with_own_flat(config: TrainConfig, run: Path, digest: str | None) -> TrainConfig:
    """Return the choices of a run with its own copy of the flat-field.

    Args:
        digest: that the run recorded; None for no flat-field.

    Raises:
        InputError: the copy is gone, or was changed.
    """
    if digest is None:
        return config
    path = run / FLAT
    if read_flat(path).digest != digest:
        raise _changed(path)
    return replace(config, flat=str(path))


def _changed(path: Path) -> InputError:
    return InputError(
        f"the flat-field {path} was changed since the training began",
        hint="restore the file, or train again",
    )
