"""A file in the current folder that hides one of edgecl's packages is named, in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edgecl.packages import HiddenPackageError, require_own_packages
from runtime.errors import InputError

ROOT = Path(__file__).parents[2]


def start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(["", str(ROOT)])  # the current folder goes first
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("hiding", ["runtime.py", "export/__init__.py", "calibration.py"])
def test_the_command_names_the_file(tmp_path, hiding):
    (tmp_path / hiding).parent.mkdir(exist_ok=True)
    (tmp_path / hiding).write_text("")
    done = start(tmp_path, "-m", "edgecl", "--help")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"edgecl: {tmp_path / hiding.partition('/')[0]} hides edgecl's package")
    assert line.endswith("[module-hidden]")


def test_json_has_the_error_as_an_object(tmp_path):
    (tmp_path / "runtime.py").touch()
    done = start(tmp_path, "-m", "edgecl", "doctor", "--json")
    error = json.loads(done.stdout)["error"]
    assert {*error} == {*InputError("x").to_json()}
    assert (error["code"], error["exit_code"]) == ("module-hidden", done.returncode)
    assert done.stderr == f"edgecl: {error['message']}; {error['hint']} [module-hidden]\n"


def test_a_folder_that_joins_an_editable_installation_is_named(tmp_path, monkeypatch):
    # setuptools' finder is asked last: a plain folder comes first, and Python joins the two.
    joined = ModuleType("edgecl")
    joined.__path__ = [str(tmp_path / "edgecl"), str(ROOT / "edgecl")]
    monkeypatch.setitem(sys.modules, "edgecl", joined)
    with pytest.raises(
        HiddenPackageError, match="edgecl hides edgecl's package 'edgecl'"
    ) as caught:
        require_own_packages()
    assert caught.value.path == str(tmp_path / "edgecl")


def test_a_folder_without_python_is_in_nobodys_way(tmp_path):
    (tmp_path / "export").mkdir()
    assert start(tmp_path, "-m", "edgecl", "--version").returncode == 0


def test_a_program_is_told_as_well(tmp_path):
    (tmp_path / "runtime.py").write_text("")
    done = start(tmp_path, "-c", "import edgecl; edgecl.open_session")
    assert "HiddenPackageError" in done.stderr.splitlines()[-1]
    assert "rename it" in done.stderr.splitlines()[-1]


def test_importing_edgecl_loads_neither_numpy_nor_torch():
    code = "import edgecl, sys; sys.exit(bool({'numpy', 'torch', 'cv2'} & set(sys.modules)))"
    assert start(ROOT, "-c", code).returncode == 0
