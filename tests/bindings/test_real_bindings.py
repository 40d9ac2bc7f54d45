"""The real bindings, where they are installed, over a driver in C: they take every call we make.

What neither this nor the doubles can prove, that a GPU does it, is in tests/gpu.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def package_of(name: str) -> Path | None:
    """The folder of a package that may be broken without a driver, so nothing is imported."""
    try:
        found = importlib.util.find_spec({"cuda-bindings": "cuda.bindings"}.get(name, name))
    except ModuleNotFoundError:
        return None
    return Path(found.origin).parent if found and found.origin else None


def build_driver(folder: Path, package: Path) -> None:
    """Compile the driver, with an empty body for every other symbol that a package asks for."""
    source = (HERE / "driver.c").read_text(encoding="utf-8")
    wanted: set[str] = set()
    for library in package.glob("_driver*.so"):  # pycuda's; cuda-bindings looks its calls up
        symbols = subprocess.check_output(["nm", "-D", "--undefined-only", library], text=True)
        wanted |= set(re.findall(r"\b(cu[A-Z]\w+)", symbols))
    own = set(re.findall(r"^Result (cu\w+)\(", source, re.MULTILINE))
    rest = "".join(f"Result {name}(void) {{ return 801; }}\n" for name in sorted(wanted - own))
    (folder / "driver.c").write_text(source + rest, encoding="utf-8")
    subprocess.run(
        [
            *("cc", "-shared", "-fPIC", "-w", "-Wl,-soname,libcuda.so.1"),
            *("-o", str(folder / "libcuda.so.1"), str(folder / "driver.c"), "-ldl"),
        ],
        check=True,
    )


@pytest.mark.parametrize("name", ["pycuda", "cuda-bindings"])
def test_they_take_every_call(name, tmp_path):
    package = package_of(name)
    if package is None:
        pytest.skip(f"{name} is not installed")
    if not (shutil.which("cc") and shutil.which("nm")):
        pytest.skip("no C compiler")
    build_driver(tmp_path, package)
    libraries = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("LD_LIBRARY_PATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bindings.real_calls", name],
        cwd=HERE.parent.parent,
        env={**os.environ, "LD_LIBRARY_PATH": libraries},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
