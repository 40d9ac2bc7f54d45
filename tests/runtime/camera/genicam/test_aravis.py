"""Aravis against its fake camera on loopback, in the system's Python, where PyGObject lives."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from runtime.camera import open_camera
from runtime.camera.genicam.aravis import PACKAGES
from runtime.errors import InputError

ROOT = Path(__file__).parents[4]
SYSTEM_PYTHON = "/usr/bin/python3"
TIMEOUT_S = 300


def environment() -> dict[str, str]:
    """The project, and the packages of this virtual environment: the versions are the same."""
    packages = Path(np.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{packages}", "OMP_NUM_THREADS": "1"}


@cache
def why_not() -> str:
    """Why these tests cannot run; empty where they can."""
    program = "import cv2, pytest, gi; gi.require_version('Aravis', '0.8')"
    try:
        done = subprocess.run(
            [SYSTEM_PYTHON, "-c", program],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return str(error)
    last = done.stderr.strip().splitlines()[-1:]
    return f"{''.join(last)}; apt-get install {PACKAGES}" if done.returncode else ""


def test_on_loopback():
    if why_not():
        pytest.skip(why_not())
    body = Path(__file__).with_name("on_loopback.py")
    done = subprocess.run(
        [SYSTEM_PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", str(body)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_without_aravis_one_line_names_the_packages(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gi", None)
    with pytest.raises(InputError) as caught:
        open_camera("aravis:192.168.0.10")
    assert caught.value.code == "package-missing"
    assert "\n" not in str(caught.value)
    assert "aravis-tools-cli gir1.2-aravis-0.8 python3-gi" in str(caught.value)
