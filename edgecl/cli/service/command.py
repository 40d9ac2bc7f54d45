"""`edgecl service`: a line as a service of systemd."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from edgecl.cli.options import ANY_PATH
from edgecl.cli.verb import Verb
from runtime.errors import EquipmentError, InputError

UNITS = Path("/etc/systemd/system")
RUNNING = Path("/run/systemd/system")
"""Is there where systemd is process 1."""


@click.command("service", cls=Verb, short_help="Let systemd run a line.")
@click.argument("action", type=click.Choice(["install", "show", "uninstall"]))
@click.option("--config", type=ANY_PATH, metavar="FILE", help="Configuration of 'edgecl run'.")
@click.option(
    "--name",
    default="edgecl",
    show_default=True,
    help="Name of the service and of its folders in /var/lib and /var/cache.",
)
@click.option(
    "--user",
    metavar="NAME",
    help="User that it runs as.  [default: one that systemd makes while it runs]",
)
@click.option(
    "--allow",
    "devices",
    multiple=True,
    metavar="DEVICE",
    help="Device that it may use beside the cameras and the GPU of the configuration, e.g. "
    "/dev/ttyUSB0 or char-gpiochip. Repeatable.",
)
@click.option(
    "--writable",
    multiple=True,
    type=ANY_PATH,
    metavar="FOLDER",
    help="Folder that it may write beside its own. Repeatable.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    type=ANY_PATH,
    metavar="FILE",
    help="File that systemd reads and hands to the service alone, as "
    "/run/credentials/NAME.service/FILE. Repeatable.",
)
@click.option(
    "--watchdog",
    type=click.IntRange(5, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="Start it again when no frame was judged for so long, unless its camera is lost.",
)
@click.option(
    "--units",
    type=ANY_PATH,
    default=UNITS,
    show_default=True,
    metavar="FOLDER",
    help="Folder of the unit.",
)
def command(
    action: str,
    config: Path | None,
    name: str,
    user: str | None,
    devices: tuple[str, ...],
    writable: tuple[Path, ...],
    secrets: tuple[Path, ...],
    watchdog: int,
    units: Path,
) -> int:
    """Write, print or remove the systemd unit of a line.

    The service restarts after a failure, but not after a mistake in its configuration, and when it
    hangs. 'systemctl reload' reads the configuration again.
    """
    from edgecl.cli.service.line import ServiceWishes, read_line, remarks_of, unit_of
    from runtime.files.atomic import write_text

    path = units / f"{name}.service"
    if action == "uninstall":
        _uninstall(path)
        return 0
    if config is None:
        raise InputError(
            f"'edgecl service {action}' needs a configuration",
            hint="pass the file that 'edgecl run --config' takes: --config line.toml",
        )
    config = config.absolute()
    choices = read_line(config)
    program = [sys.executable, "-m", "edgecl", "run", "--config", str(config)]
    wishes = ServiceWishes(user, devices, writable, secrets, watchdog)
    unit = unit_of(name, config, choices, wishes, program)
    for remark in remarks_of(unit, config, choices):
        click.echo(remark, err=True)
    if action == "show":
        click.echo(unit.text(), nl=False)
        return 0
    _require_own(path)
    write_text(path, unit.text())
    _systemctl("daemon-reload")
    click.echo(f"wrote {path}; start it with: systemctl enable --now {name}")
    return 0


def _uninstall(path: Path) -> None:
    from runtime.files.atomic import explained

    if not path.exists():
        raise InputError(f"there is no {path}", hint="name the service with --name")
    _require_own(path)
    _systemctl("disable", "--now", path.name)
    with explained(path):
        path.unlink()
    _systemctl("daemon-reload")
    click.echo(f"removed {path}; its files in /var/lib/{path.stem} stay")


def _require_own(path: Path) -> None:
    """Refuse a unit that somebody else wrote."""
    from edgecl.cli.service.unit import MARK

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", hint="choose another --name"
        ) from error
    if not text.startswith(MARK):
        raise InputError(
            f"{path} was not written by 'edgecl service'", hint="choose another --name"
        )


def _systemctl(*arguments: str) -> None:
    """Tell systemd, where it is process 1.

    Raises:
        EquipmentError: it refused.
    """
    if not RUNNING.is_dir():
        return
    try:
        done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=90)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EquipmentError(
            f"systemctl {arguments[0]} failed: {error}", hint="run it by hand"
        ) from error
    if done.returncode:
        told = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise EquipmentError(f"systemctl {arguments[0]} failed: {told}", hint="run it by hand")
