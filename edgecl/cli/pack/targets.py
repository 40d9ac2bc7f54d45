"""The machines that a pack can be made for: their Python, and the wheels that run there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.errors import InputError

_X86 = re.compile(r"x86-cp3(1\d)")

# Every glibc for which packages are built, up to the target's own.
_GLIBCS = (39, 38, 36, 35, 34, 31, 28, 27, 26, 24, 17)


@dataclass(frozen=True)
class PackTarget:
    """A kind of machine.

    Args:
        name: as `--target` takes it.
        python: its Python, as in `3.10`.
        machine: as `uname -m` says it.
        glibc: its glibc's minor version.
        extras: of edgecl, beside those that the configuration needs.
        system_packages: the environment sees packages of the system, as JetPack's TensorRT.
    """

    name: str
    python: str
    machine: str
    glibc: int
    extras: Sequence[str] = ()
    system_packages: bool = False

    @property
    def abi(self) -> str:
        """The tag of its Python, as in `cp310`."""
        return f"cp{self.python.replace('.', '')}"

    @property
    def platforms(self) -> list[str]:
        """The tags of wheels that run there, the newest first."""
        found = [f"manylinux_2_{minor}" for minor in _GLIBCS if minor <= self.glibc]
        old = ["manylinux2014"]
        if self.machine == "x86_64":
            old += ["manylinux2010", "manylinux1"]
        return [f"{tag}_{self.machine}" for tag in (*found, *old, "linux")]

    def environment(self) -> dict[str, str]:
        """Return what markers of requirements are compared with there (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "platform_python_implementation": "CPython",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }


JETSON = PackTarget("jetson-jp6", "3.10", "aarch64", 35, system_packages=True)
EXAMPLES = "jetson-jp6 or x86-cp311"


def target_of(name: str) -> PackTarget:
    """Return the target of a name.

    Raises:
        InputError: there is none of that name.
    """
    if name == JETSON.name:
        return JETSON
    match = _X86.fullmatch(name)
    if match is None:
        raise InputError(
            f"{name!r} is no target of a pack",
            hint=f"choose {EXAMPLES}, with the box's Python from x86-cp310 on",
        )
    # Ubuntu 22.04's glibc: what is built for it runs on Debian 12 too.
    return PackTarget(name, f"3.{match[1]}", "x86_64", 35, extras=("openvino",))
