"""`edgecl camera --record-flat` as a user calls it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.camera import command
from edgecl.cli.shell import run as edgecl
from runtime.image.flat.field import PER
from runtime.image.flat.file import read_flat
from runtime.image.view import FrameView, FrameViewer
from tests.edgecl.cli.camera.test_camera_command import refused


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def levels(bits: int = 8, *, height: int = 24, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Dark and bright frame of a camera, float64, without noise."""
    white = (1 << bits) - 1
    across = np.linspace(0, 1, width)
    dark = np.repeat((0.01 + 0.01 * across)[None] * white, height, 0)
    return dark, np.repeat((0.4 + 0.3 * across)[None] * white, height, 0)


def recording(folder: str, dark, bright, *, count: int = 4, noise: float = 1.0) -> str:
    """A folder of dark frames, then bright ones, as a camera records them."""
    Path(folder).mkdir()
    rng = np.random.default_rng(0)
    deep = bright.max() > 255
    for number in range(2 * count):
        pixels = (dark if number < count else bright) + rng.normal(0, noise, dark.shape)
        kind = np.uint16 if deep else np.uint8
        cv2.imwrite(
            f"{folder}/{number:03}.png", pixels.round().clip(0, 65535 if deep else 255).astype(kind)
        )
    return folder


def recorded(capfd, *arguments: object) -> dict[str, Any]:
    assert edgecl(["camera", *map(str, arguments), "--json"]) == 0, capfd.readouterr().err
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


@pytest.mark.parametrize("per", ["column", "pixel"])
@pytest.mark.parametrize("bits", [8, 12])
def test_a_folder_of_dark_and_bright_frames_becomes_a_flat_field(capfd, bits, per):
    dark, bright = levels(bits)
    recording("in", dark, bright, count=8)
    arguments = ["in", "--record-flat", "f.npz", "--flat-frames", 8, "--per", per]
    found = recorded(capfd, *arguments, *(["--bits", 12] if bits == 12 else []))
    flat = read_flat(Path("f.npz"))
    assert found["sha256"] == flat.digest
    assert (flat.record.per, flat.record.bits, flat.record.frames) == (per, bits, 8)
    assert (flat.record.height, flat.record.width) == (24, 40)
    assert "images in in" in flat.record.camera
    np.testing.assert_allclose(flat.dark, dark[: len(flat.dark)], atol=3)
    np.testing.assert_allclose(flat.bright, bright[: len(flat.bright)], atol=3)
    assert 0.7 < found["noise"] < 1.4
    assert found["dead"] == []
    see = FrameViewer(FrameView(None, flat))
    seen = see(bright.astype(np.uint8 if bits == 8 else np.uint16)).astype(int)
    assert np.ptp(seen) <= 3


def test_what_was_recorded_on_the_terminal(capfd):
    dark, bright = levels()
    bright[:, [7, 8]] = 5
    bright[:12] *= 0.8
    recording("in", dark, bright)
    assert edgecl(["camera", "in", "--record-flat", "f.npz", "--flat-frames", "4"]) == 0
    out = capfd.readouterr().out
    for words in (
        "40 wide and 24 high, uint8 with 8 bits, per column",
        "levels of one frame",
        "2 dead columns, which no gain can correct: 7; 8",
        "from row to row",
        "--per pixel",
        "f.npz",
    ):
        assert words in out


def test_frames_that_are_not_fit_for_it_leave_no_file(capfd):
    dark, bright = levels()
    over = np.full_like(bright, 255.0)
    for name, first, second, said in (
        ("light", bright, bright, "the dark frame is light: 5"),
        ("over", dark, over, "saturated in 100.0% of its pixels"),
        ("dim", dark, dark + 8, "% of white brighter than the dark one"),
    ):
        recording(name, first, second)
        line = refused(capfd, name, "--record-flat", "f.npz", "--flat-frames", 4)
        assert said in line
        assert "record the flat-field again" in line
    recording("short", dark, bright, count=3)
    said = "ended after 2 of 4 bright frames"
    assert said in refused(capfd, "short", "--record-flat", "f.npz", "--flat-frames", 4)
    recording("sizes", dark, bright)
    cv2.imwrite("sizes/006.png", np.zeros((24, 41), np.uint8))
    line = refused(capfd, "sizes", "--record-flat", "f.npz", "--flat-frames", 4)
    assert "a bright frame is 41 wide and 24 high" in line
    recording("deep", *levels(12))
    assert "--bits" in refused(capfd, "deep", "--record-flat", "f.npz", "--flat-frames", 4)
    assert not list(Path().glob("*f.npz*"))


def test_a_live_camera_waits_for_a_key_before_each_of_the_two(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\n"))
    arguments = ["demo", "--fps", 100, "--record-flat", "f.npz", "--flat-frames", 2]
    assert "the dark frame is light" in refused(capfd, *arguments)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert edgecl(["camera", *map(str, arguments)]) == 2
    err = capfd.readouterr().err
    assert "1/2 dark: cover the lens, then press Enter" in err
    assert "2/2 bright: uncover the lens" in err
    assert "standard input ended before the bright frames" in err.splitlines()[-1]


def test_the_choices_are_those_of_the_files():
    assert command.PER == PER


def test_options_without_effect_and_names_of_other_files(capfd):
    assert "add --record-flat" in refused(capfd, "demo", "--per", "pixel")
    assert "--record-flat records a flat-field" in refused(
        capfd, "demo", "--record-flat", "f.npz", "--record", 3
    )
    assert "does not end with .npz" in refused(capfd, "demo", "--record-flat", "f.png")
    Path("o").write_text("")
    Path("d.npz").mkdir()
    # Before the camera is opened, and anybody covers a lens.
    assert "cannot write o/f.npz" in refused(capfd, "nothing", "--record-flat", "o/f.npz")
    assert "a folder is there" in refused(capfd, "nothing", "--record-flat", "d.npz")


def test_ctrl_c_at_the_lens_leaves_no_file(capfd, monkeypatch):
    class Interrupted:
        def readline(self) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Interrupted())
    assert edgecl(["camera", "demo", "--record-flat", "f.npz"]) == 130
    assert not list(Path().iterdir())
