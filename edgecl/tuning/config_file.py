"""The thresholds in a line's configuration: one key is changed, all else stays as it was."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.files.atomic import explained

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RULES, KEY, GLOBAL = "rules", "unsure-below", "*"
_BOM = "\ufeff"


def require_editor() -> None:
    """Require what changes a TOML file and keeps its comments.

    Raises:
        InputError: it is not installed.
    """
    if importlib.util.find_spec("tomlkit") is None:
        raise InputError(
            "--config needs tomlkit, which is not installed",
            hint="install it: pip install 'edgecl[tune]'; without --config nothing is written",
            code="package-missing",
        )


def with_thresholds(text: str, thresholds: Mapping[str, float]) -> str:
    """Return a configuration with these thresholds of confidence.

    Args:
        text: TOML that was checked before.
        thresholds: by label; those of other labels stay.

    Raises:
        InputError: it cannot be changed without changing something else.
    """
    import tomlkit

    mark, body = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    try:
        document = tomlkit.parse(body)
        if RULES not in document:
            document[RULES] = tomlkit.table()
        rules: Any = document[RULES]
        before = rules.get(KEY)
        if isinstance(before, dict):
            for label, threshold in thresholds.items():
                before[label] = threshold
        else:
            table = tomlkit.inline_table()
            if before is not None:
                table[GLOBAL] = before
            table.update(thresholds)
            rules[KEY] = table
        changed = tomlkit.dumps(document)
        if tomllib.loads(changed) != _expected(tomllib.loads(body), thresholds):
            raise ValueError("more than the thresholds would change")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"[{RULES}] {KEY} cannot be changed in this file ({error})",
            hint="write the thresholds by hand: they are in the output",
        ) from error
    return mark + changed


def _expected(document: dict[str, Any], thresholds: Mapping[str, float]) -> dict[str, Any]:
    rules = dict(document.get(RULES, {}))
    before = rules.get(KEY, {})
    table = before if isinstance(before, dict) else {GLOBAL: before}
    rules[KEY] = {**table, **thresholds}
    return {**document, RULES: rules}


def replace_text(path: Path, before: bytes, text: str) -> None:
    """Write a configuration whole or not at all; who may read it stays.

    Args:
        before: what was in it when it was read.

    Raises:
        InputError: it cannot be written, or somebody else has changed it meanwhile.
    """
    path = path.resolve()  # a link stays one
    with explained(path):
        status = path.stat()
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with open(handle, "wb") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())
            with contextlib.suppress(PermissionError):
                os.chown(temporary, status.st_uid, status.st_gid)
            temporary.chmod(status.st_mode & 0o7777)
            if path.read_bytes() != before:
                raise InputError(
                    f"{path} was changed while its thresholds were sought",
                    hint="run the command again",
                )
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
