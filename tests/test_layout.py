"""The house rules: one-way imports, a runtime without torch, one name for one thing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.slow_tier import LONG, SLOW

ROOT = Path(__file__).parent.parent
PACKAGES = ("edgecl", "export", "calibration", "runtime")
MOST_FILES = 12
TRAINING_ONLY = ("torch", "onnx", "onnxscript", "sklearn", "safetensors", "tensorboard")


@pytest.mark.parametrize("name", sorted({*SLOW, *LONG}))
def test_the_tiers_name_tests_that_exist(name):
    file, _, function = name.partition("::")
    assert f"def {function}(" in (ROOT / file).read_text() if function else (ROOT / file).is_file()


def test_imports_run_one_way():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; exit(lint_imports())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_room_has_more_than_twelve_loose_files():
    crowded = {
        str(folder.relative_to(ROOT)): count
        for top in ("edgecl", "export", "calibration", "runtime", "tests")
        for folder in (ROOT / top, *(ROOT / top).rglob("*"))
        if folder.is_dir()
        and (count := sum(path.name != "__init__.py" for path in folder.glob("*.py"))) > MOST_FILES
    }
    assert not crowded


def test_every_runtime_module_imports_without_what_training_needs():
    modules = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "runtime").rglob("*.py")
        if path.name != "__init__.py"
    )
    assert len(modules) > 10
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in TRAINING_ONLY)
    code = f"import importlib, sys\n{blocked}" + "".join(
        f"importlib.import_module({name!r})\n" for name in modules
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_loads_neither_numpy_nor_torch():
    code = (
        "import sys\n"
        "from edgecl.cli.shell import run\n"
        "code = run(['--help'])\n"
        "assert not {'numpy', 'torch', 'cv2', 'rich'} & set(sys.modules), sorted(sys.modules)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout


def test_no_two_modules_name_a_public_class_or_type_alike():
    places = defaultdict(list)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for name in _types(ast.parse(path.read_text(encoding="utf-8"))):
                places[name].append(str(path.relative_to(ROOT)))
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def _types(module: ast.Module) -> list[str]:
    """Public names in capitals and small letters that a module defines; constants have none."""
    names = []
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return [name for name in names if re.match(r"[A-Z]\w*[a-z]", name)]
