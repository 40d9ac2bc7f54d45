"""Thresholds in a line's configuration: read with its other rules, and written."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runtime.errors import InputError


@dataclass(frozen=True)
class TunedLine:
    """Rules of a line, as far as a tuning needs them.

    Args:
        path: of the configuration; None without one.
        data: its bytes when it was read.
        values: by parameter of `edgecl run`.
    """

    path: Path | None = None
    data: bytes = b""
    values: Mapping[str, Any] | None = None

    def value(self, name: str, default: Any = None) -> Any:
        """Return the value of a parameter of `edgecl run`."""
        return default if self.values is None else self.values.get(name, default)

    def thresholds(self) -> tuple[float, Mapping[str, float]]:
        """Return the threshold for all labels, and those of single ones."""
        from runtime.stream.rules import parse_thresholds

        return parse_thresholds(self.value("unsure_below", ()))

    def write(self, thresholds: Mapping[str, float]) -> None:
        """Write thresholds into the configuration, which `edgecl run` has to take as it is then.

        Raises:
            InputError: it cannot be changed or written.
        """
        from edgecl.tuning.config_file import replace_text, with_thresholds

        assert self.path is not None
        text = with_thresholds(self.data.decode(), thresholds)
        with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8", newline="") as copy:
            copy.write(text)
            copy.flush()
            taken = _load(Path(copy.name))
        if not set(thresholds) <= {text.rpartition("=")[0] for text in taken["unsure_below"]}:
            raise InputError(
                f"{self.path} would not take the thresholds",
                hint="write them by hand: they are in the output",
            )
        replace_text(self.path, self.data, text)


def read_line(path: Path | None) -> TunedLine:
    """Read a configuration as `edgecl run --config` does.

    Raises:
        InputError: it cannot be read, or `edgecl run` would not take it.
    """
    if path is None:
        return TunedLine()
    values = _load(path)
    return TunedLine(path, path.read_bytes(), values)


def _load(path: Path) -> Mapping[str, Any]:
    from edgecl.cli.run.command import command as run_command
    from edgecl.cli.run.config.loading import load_config

    return load_config(path, click.Context(run_command, info_name="run")).values
