"""Checks of texts where the command line or a file gives them."""

from __future__ import annotations

from collections.abc import Callable

from runtime.errors import InputError

LONGEST_LOT = 200


def check_budget(text: str) -> object:
    """Read a budget; an InputError says what is wrong with it."""
    from runtime.stream.budget import parse_budget

    return parse_budget(text)


def check_threshold(text: str) -> object:
    """Read a threshold; an InputError says what is wrong with it."""
    from runtime.stream.rules import parse_threshold

    return parse_threshold(text)


def check_debounce(text: str) -> object:
    """Read a debounce; an InputError says what is wrong with it."""
    from runtime.stream.rules import parse_debounce

    return parse_debounce(text)


def check_window(text: str) -> object:
    """Read a window; an InputError says what is wrong with it."""
    from runtime.stream.parts.rule import parse_window

    return parse_window(text)


def check_time(text: str) -> object:
    """Read a time; an InputError says what is wrong with it."""
    from runtime.stream.budget import parse_time

    return parse_time(text, "for example: --part-deadline 500ms")


def check_cpus(text: str) -> object:
    """Read a list of cores; an InputError says what is wrong with it."""
    from runtime.realtime import parse_cpus

    return parse_cpus(text)


def check_setting(text: str) -> object:
    """Read a setting; an InputError says what is wrong with it."""
    from runtime.camera.settings import parse_setting

    return parse_setting(text)


def check_health_limit(text: str) -> object:
    """Read a health limit; an InputError says what is wrong with it."""
    from runtime.health.limits import parse_health_limit

    return parse_health_limit(text)


def check_sink(text: str) -> object:
    """Read the address of a sink; an InputError says what is wrong with it."""
    from runtime.stream.opcua.address import parse_opcua
    from runtime.stream.outputs.plan import parse_outputs
    from runtime.stream.plc.address import parse_plc
    from runtime.stream.sinks.images.choice import parse_images
    from runtime.stream.sinks.journal_rules import parse_journal
    from runtime.stream.sinks.remote.address import check_sink as check

    name, _, target = text.partition(":")
    parsers: dict[str, Callable[[str], object]] = {
        "gpio": parse_outputs,
        "modbus": parse_plc,
        "images": parse_images,
        "jsonl": parse_journal,
        "opcua": parse_opcua,
    }
    parse = parsers.get(name)
    return parse(target) if parse is not None else check(text)


def check_rotate(text: str) -> object:
    """Read when a file is rotated; an InputError says what is wrong with it."""
    from runtime.stream.sinks.journal_rules import parse_rotate

    return parse_rotate(text)


def check_serve(text: str) -> object:
    """Read an address to serve at; an InputError says what is wrong with it."""
    from runtime.serving.address import parse_serve

    return parse_serve(text)


def check_serve_name(text: str) -> object:
    """Read a host's name; an InputError says what is wrong with it."""
    from runtime.serving.address import parse_name

    return parse_name(text)


def check_metrics(text: str) -> object:
    """Read the address of metrics; an InputError says what is wrong with it."""
    from runtime.stream.metrics.address import parse_metrics

    return parse_metrics(text)


def check_label(text: str) -> object:
    """Read a label; an InputError says what is wrong with it."""
    if not text:
        raise InputError(f"{text!r} is empty", hint="name a label of the model")
    return text


def check_recipe(text: str) -> object:
    """Read a recipe; an InputError says what is wrong with it."""
    from edgecl.cli.run.recipes.choices import parse_recipe

    return parse_recipe(text)


def check_lot(text: str) -> object:
    """Read the name of a lot; an InputError says what is wrong with it."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_LOT:
        raise InputError(
            f"{text!r} is not a name of 1 to {LONGEST_LOT} printable characters",
            hint="pass what stands on the lot's papers",
        )
    return text
