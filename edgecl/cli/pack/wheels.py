"""The wheels of a pack: fetched for another machine, and held to being all that it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

from edgecl.cli.pack.targets import PackTarget
from runtime.errors import InputError
from runtime.progress import Say

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PIP_S = 1800
PROJECT = "edgecl"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "edgecl", "export", "calibration", "runtime")
ROUNDS = 5
"""Times that what is still missing is fetched: pip asks markers of its own machine."""


def gather_wheels(
    target: PackTarget,
    extras: Sequence[str],
    place: Path,
    *,
    given: Path | None,
    index: bool,
    say: Say,
) -> None:
    """Fill a folder with edgecl's wheel and all that it needs on the target.

    Args:
        extras: of edgecl.
        place: an empty folder.
        given: a folder of wheels; None where there is none.
        index: fetch from the package index what is missing.
        say: is told what happens.

    Raises:
        InputError: a wheel is missing, or does not run on the target.
    """
    if given is not None:
        _copy(given, place, target)
    if not _of_project(place):
        _build(place, say)
    for _ in range(ROUNDS if index else 0):
        missing = missing_wheels(place, target, extras)
        if not missing:
            break
        say(f"fetching for {target.name}: {', '.join(map(str, missing))}")
        _download([str(requirement) for requirement in missing], place, target)
    missing = missing_wheels(place, target, extras)
    if missing:
        told = ", ".join(sorted(map(str, missing)))
        raise InputError(
            f"no wheel for {target.name} of {told}",
            hint="put it into --wheels FOLDER" if not index else "name another version there",
        )
    # pip's own wheel makes the box independent of Debian's python3-venv.
    if index and not list(place.glob("pip-*.whl")):
        _download(["pip"], place, target)


def missing_wheels(place: Path, target: PackTarget, extras: Sequence[str]) -> list[Requirement]:
    """Return what edgecl and its packages need on the target, and no wheel in a folder is."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    wheels = {canonicalize_name(name): held for name, held in _metadata(place)}
    wanted = [Requirement(f"{PROJECT}[{','.join(extras)}]" if extras else PROJECT)]
    missing: dict[str, Requirement] = {}
    seen: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found = wheels.get(canonicalize_name(requirement.name))
        if found is None or not requirement.specifier.contains(found.version, prereleases=True):
            missing[str(requirement)] = requirement
            continue
        for text in found.requires:
            further = Requirement(text)
            if _holds(further, requirement.extras, target):
                further.marker = None
                wanted.append(further)
    return list(missing.values())


def _holds(requirement: Requirement, extras: set[str], target: PackTarget) -> bool:
    if requirement.marker is None:
        return True
    environment = target.environment()
    return any(
        requirement.marker.evaluate({**environment, "extra": extra}) for extra in (*extras, "")
    )


@dataclass(frozen=True)
class _Held:
    """A wheel's version, and what it requires."""

    version: str
    requires: Sequence[str]


def _metadata(place: Path) -> Iterator[tuple[str, _Held]]:
    for wheel in sorted(place.glob("*.whl")):
        try:
            with zipfile.ZipFile(wheel) as archive:
                (name,) = (
                    entry
                    for entry in archive.namelist()
                    if entry.endswith(".dist-info/METADATA") and entry.count("/") == 1
                )
                text = archive.read(name).decode("utf-8", "replace")
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{wheel} is no wheel", hint="fetch it again") from error
        headers = Parser().parsestr(text, headersonly=True)
        requires = [str(entry) for entry in headers.get_all("Requires-Dist", [])]
        yield str(headers["Name"]), _Held(str(headers["Version"]), requires)


def _copy(given: Path, place: Path, target: PackTarget) -> None:
    from packaging.tags import cpython_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    if not given.is_dir():
        raise InputError(f"--wheels {given} is not a folder", hint="pass a folder of wheels")
    major, minor = map(int, target.python.split("."))
    own = set(cpython_tags((major, minor), [target.abi], [*target.platforms, "any"]))
    generic = {("py3", "none", "any"), (f"py3{minor}", "none", "any")}
    for wheel in sorted(given.glob("*.whl")):
        try:
            _, _, _, tags = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename as error:
            raise InputError(f"{wheel} is not named as a wheel", hint="rename it") from error
        if not tags & own and not any(_is_generic(tag, generic, target) for tag in tags):
            raise InputError(
                f"{wheel} does not run on {target.name}", hint="put no other wheels there"
            )
        shutil.copy(wheel, place / wheel.name)


def _is_generic(tag: object, generic: set[tuple[str, str, str]], target: PackTarget) -> bool:
    interpreter, abi, platform = str(tag).split("-")
    if (interpreter, abi, platform) in generic:
        return True
    return interpreter.startswith("py3") and abi == "none" and platform in target.platforms


def _of_project(place: Path) -> bool:
    return any(wheel.name.startswith(f"{PROJECT}-") for wheel in place.glob("*.whl"))


def _build(place: Path, say: Say) -> None:
    """Build edgecl's own wheel from its sources."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "pyproject.toml").is_file():
        raise InputError(
            "edgecl's own wheel is not there, and these are not its sources",
            hint=f"put {PROJECT}-VERSION-py3-none-any.whl into --wheels FOLDER",
        )
    say("building edgecl's wheel")
    with tempfile.TemporaryDirectory() as copied:
        # A build leaves files among the sources, and takes those of an earlier one for its own.
        for name in SOURCES:
            source, copy = root / name, Path(copied) / name
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy)
        arguments = ("wheel", "--no-deps", "--wheel-dir", str(place), copied)
        _pip(*arguments, what="building edgecl's wheel")


def _download(wanted: Sequence[str], place: Path, target: PackTarget) -> None:
    platforms = [option for tag in target.platforms for option in ("--platform", tag)]
    _pip(
        "download",
        *("--only-binary", ":all:", "--implementation", "cp", "--abi", target.abi),
        *("--abi", "abi3", "--abi", "none", "--python-version", target.python),
        *platforms,
        *("--find-links", str(place), "--dest", str(place)),
        *wanted,
        what=f"fetching wheels for {target.name}",
    )


def _pip(*arguments: str, what: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{what} failed: {error}", hint="try again") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        told = lines[-1].removeprefix("ERROR: ") if lines else "pip gave no reason"
        raise InputError(
            f"{what} failed: {told}", hint="put the wheels into a folder and pass --wheels FOLDER"
        )
