"""The option `--config`: what a file says becomes the default of the other options."""

from __future__ import annotations

from pathlib import Path

import click

from edgecl.cli.options import ANY_PATH
from edgecl.cli.results import Results
from edgecl.cli.verb import PLACES


def _load(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    if path is not None:
        from edgecl.cli.run.cameras import OWN_VALUES
        from edgecl.cli.run.config.loading import load_config
        from edgecl.cli.run.recipes.choices import RECIPE_RULES

        config = load_config(path, context)
        context.default_map = {**(context.default_map or {}), **config.values}
        context.meta[PLACES] = config.places
        context.meta[OWN_VALUES] = config.cameras
        context.meta[RECIPE_RULES] = config.recipes
        if isinstance(context.obj, Results):
            context.obj.json_asked = bool(config.values.get("as_json"))
    return path


CONFIG_OPTION = click.option(
    "--config",
    type=ANY_PATH,
    is_eager=True,
    expose_value=False,
    callback=_load,
    metavar="FILE",
    help="TOML file with a key for each of these options; the command line goes before it.",
)
