"""Needs of a configuration as a service: devices, files, rights."""

from __future__ import annotations

import grp
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.service.rights import write_refusal
from edgecl.cli.service.unit import ServiceUnit
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.run.choices import RunChoices
    from runtime.stream.outputs.plan import OutputPlan

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)

VIDEO = "char-video4linux"
USB = "char-usb_device"
GPIO = "char-gpiochip"
LOW_PORTS = 1024
GPU = (
    "char-nvidia*",
    # A Jetson's; not tried on one yet.
    "char-nvhost*",
    "char-nvgpu*",
    "/dev/nvmap",
    "/dev/dri/renderD128",
)
_KIND = re.compile(r"(char|block)-[A-Za-z0-9_*?.-]+")
_GROUPS = {
    GPIO: "gpio",
    VIDEO: "video",
    USB: "plugdev",
    GPU[0]: "video",
    "/dev/dri/renderD128": "render",
}
_SECRET_FILE = re.compile(r"(?:login|secret|ca)-?(?:file)?=([^&#]+)")


@dataclass(frozen=True)
class ServiceWishes:
    """Additions of the command line to a configuration.

    Args:
        user, devices, writable, secrets, watchdog_s: see `ServiceUnit`.
    """

    user: str | None = None
    devices: Sequence[str] = ()
    writable: Sequence[Path] = ()
    secrets: Sequence[Path] = ()
    watchdog_s: int = 30


def read_line(config: Path) -> RunChoices:
    """Read a configuration as `edgecl run` does.

    Raises:
        InputError: `edgecl run` would refuse it.
    """
    from edgecl.cli.run.cameras import camera_choices
    from edgecl.cli.run.choices import RunChoices
    from edgecl.cli.run.command import command
    from edgecl.cli.run.recipes.choices import recipe_choices

    try:
        context = command.make_context("run", ["--config", str(config)])
    except click.UsageError as error:
        raise InputError(
            f"{config}: {error.format_message().rstrip('.')}",
            hint=f"try it: edgecl run --config {config}",
        ) from error
    command.check(context)
    values = dict(context.params)
    values.pop("print_config", None)
    values["cameras"] = camera_choices(context, values)
    values["recipes"] = recipe_choices(context, values["recipe"], values["begin_with"])
    choices = RunChoices(**values)
    choices.rules(context)
    return choices


def unit_of(
    name: str, config: Path, choices: RunChoices, wishes: ServiceWishes, command: Sequence[str]
) -> ServiceUnit:
    """Return the unit of a line.

    Args:
        name: of the service.
        config: by its whole path.
        choices: in it.
        wishes: of the command line.
        command: that runs it.

    Raises:
        InputError: a name or a device is none.
    """
    if NAME.fullmatch(name) is None:
        raise InputError(
            f"{name!r} is not a name for a service",
            hint="use up to 31 lower-case letters, digits and -, a letter first",
        )
    for device in wishes.devices:
        if not device.startswith("/dev/") and _KIND.fullmatch(device) is None:
            raise InputError(
                f"{device!r} is no device", hint="as in /dev/ttyUSB0, or char-gpiochip for a kind"
            )
    devices = tuple(dict.fromkeys([*_devices(choices), *wishes.devices]))
    known = {entry.gr_name for entry in grp.getgrall()}
    groups = [_GROUPS[device] for device in devices if device in _GROUPS]
    places = [str(config), *command[:1], str(choices.model or "")]
    return ServiceUnit(
        name,
        command,
        user=wishes.user,
        groups=tuple(group for group in dict.fromkeys(groups) if group in known),
        devices=devices,
        writable=tuple(str(folder.absolute()) for folder in wishes.writable),
        secrets=tuple(str(file.absolute()) for file in wishes.secrets),
        watchdog_s=wishes.watchdog_s,
        low_port=any(map(_has_low_port, choices.sinks)),
        realtime=choices.realtime,
        home=any(place.startswith("/home/") for place in places),
    )


def remarks_of(unit: ServiceUnit, config: Path, choices: RunChoices) -> Iterator[str]:
    """Yield what the service will not be able to do, as far as the configuration tells."""
    from edgecl.cli.run.recipes.checking import looked_at_by_checks

    own = Path("/var/lib") / unit.name
    yield from _unwritable(unit, choices, own)
    if choices.model is None and not choices.recipes:
        yield f"note: {config} names no model; the service looks for one in {own}"
    bundles = [Path(recipe.model) for recipe in choices.recipes]
    checks = looked_at_by_checks(choices)
    for looked_at in checks:
        if not looked_at.exists():
            told = f"{looked_at}, which checks look at, is not there"
            yield f"note: {told}; the service will not start"
    for needed in (config, choices.model, *bundles, *checks, Path(sys.prefix)):
        below = needed is not None and str(needed.absolute()).startswith("/root/")
        if below and unit.user != "root":
            yield f"note: {needed} is below /root, which the service's user cannot read"
    if unit.user is None and not config.stat().st_mode & stat.S_IROTH:
        yield (
            f"note: the service's user cannot read {config}: chmod o+r {config}, with passwords in "
            "files of their own, or pass --user"
        )
    files = [name for text in choices.sinks for name in _SECRET_FILE.findall(text)]
    logins = [camera.login_file for camera in choices.cameras]
    files += [str(path) for path in (*logins, choices.server_token) if path is not None]
    for name in files:
        if not name.startswith("/run/credentials/") and name not in unit.secrets:
            yield (
                f"note: {name} must be readable by the service's user; or pass --secret "
                f"{name}, and name it /run/credentials/{unit.name}.service/{Path(name).name}"
            )


def _unwritable(unit: ServiceUnit, choices: RunChoices, own: Path) -> Iterator[str]:
    """Yield files, folders and devices that the service's user cannot write."""
    for what, path in _written(choices):
        if not path.is_absolute() or path.is_relative_to(own):
            continue
        if not any(path.is_relative_to(folder) for folder in unit.writable):
            yield (
                f"note: {what} is in {path}, which the service cannot write; put it below {own}, "
                f"or pass --writable {path.parent}"
            )
        elif refusal := write_refusal(path, unit.user, unit.groups):
            yield (
                f"note: {what} is in {path}, which the service's user cannot write: {refusal}; put "
                f"it below {own}, or pass --user"
            )
    for plan in _outputs(choices):
        refusal = write_refusal(Path(plan.place), unit.user, unit.groups)
        if plan.backend == "gpiod" and refusal:
            yield (
                f"note: --sink gpio drives {plan.place}, which the service's user cannot write: "
                f"{refusal}; let udev give it to the group gpio, or pass --user"
            )


def _outputs(choices: RunChoices) -> Iterator[OutputPlan]:
    from runtime.stream.outputs.plan import parse_outputs

    for text in choices.sinks:
        name, _, target = text.partition(":")
        if name == "gpio":
            yield parse_outputs(target)


def _devices(choices: RunChoices) -> Iterator[str]:
    for camera in choices.cameras:
        source = camera.source
        if re.fullmatch(r"\d{1,4}|/dev/video\d+|/dev/v4l/.*|csi:.*", source) or "v4l2src" in source:
            yield VIDEO
        if source.startswith(("aravis:", "gentl:")):
            yield USB
        if source.startswith("csi:") or "nvarguscamerasrc" in source:
            yield from GPU
    if any(text.startswith("gpio:") for text in choices.sinks):
        yield GPIO
    if choices.device != "cpu" and choices.engine in ("auto", "tensorrt"):
        yield from GPU


def _has_low_port(sink: str) -> bool:
    from runtime.stream.plc.address import parse_plc

    name, _, target = sink.partition(":")
    return name == "modbus" and parse_plc(target).port < LOW_PORTS


def _written(choices: RunChoices) -> Iterator[tuple[str, Path]]:
    if choices.out is not None:
        yield "--out", choices.out
    if choices.spool is not None:
        yield "--spool", choices.spool
    for text in choices.sinks:
        name, _, target = text.partition(":")
        if name in ("sqlite", "jsonl", "images"):
            yield f"--sink {name}", Path(target.partition("?")[0])
    for plan in _outputs(choices):
        if plan.backend == "file":
            yield "--sink gpio", Path(plan.place)
