"""A folder as the documentation's examples find it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import MakeBundle


@pytest.fixture
def workplace(tmp_path: Path, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with `line.edgecl`, `parts/` (class folders) and `frames.npy`."""
    folder = tmp_path / "workplace"
    make_bundle(folder / "line.edgecl")
    for label, value in (("dark", 40), ("middle", 128), ("bright", 215)):
        (folder / "parts" / label).mkdir(parents=True)
        for number in (1, 2, 3):
            image = np.full((40, 60), value + number, np.uint8)
            cv2.imwrite(str(folder / "parts" / label / f"{number}.png"), image)
    frames = np.full((6, 40, 60), 215, np.uint8)
    frames[::2] = 40
    np.save(folder / "frames.npy", frames)
    monkeypatch.chdir(folder)
    return folder
