"""Keys of `edgecl run --config`: one table, from each option to its place in the file."""

from __future__ import annotations

from collections.abc import Mapping

KeyPath = tuple[str, ...]

GLOBAL = "*"
"""Key of the threshold that holds for every label without its own."""

KEYS: Mapping[str, KeyPath] = {
    "source": ("camera", "camera"),
    "fps": ("camera", "fps"),
    "login_file": ("camera", "login-file"),
    "give_up_after": ("camera", "give-up-after"),
    "trigger": ("camera", "trigger"),
    "settings": ("camera", "set"),
    "bits": ("camera", "bits"),
    "roi": ("camera", "roi"),
    "flat": ("camera", "flat"),
    "health": ("camera", "health"),
    "health_limits": ("camera", "health-limit"),
    "every_frame": ("camera", "every-frame"),
    "frames": ("camera", "frames"),
    "model": ("model", "model"),
    "begin_with": ("model", "begin-with"),
    "shadow": ("model", "shadow"),
    "verify_key": ("model", "verify-key"),
    "precision": ("model", "precision"),
    "engine": ("model", "engine"),
    "device": ("model", "device"),
    "url": ("engine", "url"),
    "server_model": ("engine", "server-model"),
    "server_token": ("engine", "server-token"),
    "server_ca": ("engine", "server-ca"),
    "server_give_up_after": ("engine", "server-give-up-after"),
    "workspace": ("model", "workspace"),
    "builder_level": ("model", "builder-level"),
    "threads": ("model", "threads"),
    "workers": ("model", "workers"),
    "budget": ("budget",),
    "max_misses": ("rules", "max-misses"),
    "on_late": ("rules", "on-late"),
    "pass_labels": ("rules", "pass-label"),
    "unsure_below": ("rules", "unsure-below"),
    "debounce": ("rules", "debounce"),
    "unknown": ("rules", "unknown"),
    "unknown_above": ("rules", "unknown-above"),
    "part_of": ("rules", "part-of"),
    "part_deadline": ("rules", "part-deadline"),
    "sinks": ("output", "sink"),
    "lot": ("output", "lot"),
    "journal_rotate": ("output", "journal-rotate"),
    "journal_keep": ("output", "journal-keep"),
    "journal_fsync": ("output", "journal-fsync"),
    "metrics": ("output", "metrics"),
    "heat_maps": ("output", "heat-maps"),
    "spool": ("output", "spool"),
    "out": ("output", "out"),
    "serve": ("output", "serve"),
    "serve_token": ("output", "serve-token"),
    "serve_cert": ("output", "serve-cert"),
    "serve_key": ("output", "serve-key"),
    "serve_names": ("output", "serve-name"),
    "as_json": ("output", "json"),
    "check_parts": ("check", "check-parts"),
    "check_wrong": ("check", "check-wrong-at-most"),
    "check_reference": ("check", "check-reference"),
    "realtime": ("machine", "realtime"),
    "cpus": ("machine", "cpus"),
    "recipe": ("recipes",),
}
"""Table and key of each option, by its parameter; the key is the option without dashes.

`budget` is a table of its own, from step to time, and `recipes` one of tables, by id."""

KEYLESS = frozenset({"config", "print_config"})
"""Options about the file itself."""

PAIRED = frozenset({"budget", "health_limits", "settings", "unsure_below"})
"""Options that take NAME=VALUE: in the file a table, from name to value."""

PATHS = frozenset(
    {"model", "verify_key", "out", "flat", "spool", "shadow", "check_parts", "check_reference"}
    | {"login_file", "serve_token", "serve_cert", "serve_key", "server_token", "server_ca"}
)
"""Options that take a file or folder; a relative one belongs to the config's folder."""

OR_NONE = frozenset({"flat"})
"""Options of `PATHS` that take `none` too."""


def tables() -> tuple[str, ...]:
    """The tables in the order in which they are written."""
    return tuple(dict.fromkeys(path[0] for path in KEYS.values()))


def keys_of(table: str) -> Mapping[str, str]:
    """The parameters of a table, by key."""
    return {path[1]: name for name, path in KEYS.items() if len(path) > 1 and path[0] == table}
