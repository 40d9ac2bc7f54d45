"""Built-in kinds of things and those that installed packages add, by name.

A package adds one with an entry point, in its pyproject.toml:

    [project.entry-points."edgecl.cameras"]
    numpy = "my_package.numpy_camera:open_numpy"

Nothing is imported before it is asked for by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from runtime.errors import InputError

T = TypeVar("T")


class Plugins(Generic[T]):
    """Objects of one kind by name: built-in ones, and those of an entry-point group.

    Args:
        group: the entry points' group, such as `edgecl.cameras`.
        what: one of them in words, for messages: `camera`, `sink`.
        built_in: name → `module:attribute`. An installed package cannot replace one of these.
    """

    def __init__(self, group: str, what: str, built_in: Mapping[str, str]) -> None:
        self.group = group
        self._what = what
        self._built_in = dict(built_in)

    @property
    def added(self) -> Mapping[str, EntryPoint]:
        """The entry points that installed packages add, by name."""
        found = entry_points(group=self.group)
        return {entry.name: entry for entry in found if entry.name not in self._built_in}

    def __iter__(self) -> Iterator[str]:
        """Iterate over all names, the built-in ones first."""
        yield from self._built_in
        yield from sorted(self.added)

    def is_added(self, name: str) -> bool:
        """Return whether an installed package adds that name."""
        return name not in self._built_in and name in self.added

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self.added

    def __getitem__(self, name: str) -> T:
        """Import and return the object of a name.

        Raises:
            InputError: no such name, or its package cannot be imported.
        """
        if name in self._built_in:
            module, _, attribute = self._built_in[name].partition(":")
            value: T = getattr(importlib.import_module(module), attribute)
            return value
        added = self.added
        if name not in added:
            raise InputError(
                f"unknown {self._what} {name!r}", hint=f"choose from {', '.join(self)}"
            )
        return self._load(added[name])

    def _load(self, entry: EntryPoint) -> T:
        try:
            value: T = entry.load()
            return value
        except Exception as error:  # whatever the package does when it is imported
            package = entry.dist.name if entry.dist is not None else entry.module
            raise InputError(
                f"the {self._what} {entry.name!r} of the package {package} cannot be loaded "
                f"({type(error).__name__}: {error})",
                hint=f"update {package}, or uninstall it",
                code="plugin-invalid",
            ) from error
