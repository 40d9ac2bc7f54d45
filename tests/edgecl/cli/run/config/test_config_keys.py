"""Every option of `edgecl run` has its key in the file."""

import click

from edgecl.cli.run.command import command
from edgecl.cli.run.config.keys import KEYLESS, KEYS


def options():
    return {str(option.name): option for option in command.params}


def test_every_option_has_its_key_and_every_key_its_option():
    assert set(options()) == set(KEYS) | KEYLESS


def test_a_key_is_named_as_its_option():
    for name, path in KEYS.items():
        option = options()[name]
        assert isinstance(option, click.Option)
        plural = "s" if name == "recipe" else ""  # a table of tables, one for each
        assert path[-1] == max(option.opts, key=len).removeprefix("--") + plural


def test_no_two_options_share_a_key():
    assert len(set(KEYS.values())) == len(KEYS)
