"""Options of `edgecl run`, by what they are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgecl.cli.options import option_group
from edgecl.cli.run.options.inputs import camera_options, config_options, model_options
from edgecl.cli.run.options.outputs import output_options, serve_options
from edgecl.cli.run.options.rules import check_options, machine_options, rule_options


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `edgecl run` its options."""
    return option_group(
        config_options,
        camera_options,
        model_options,
        rule_options,
        output_options,
        serve_options,
        check_options,
        machine_options,
    )(command)
