"""The walk over a folder: what is taken, and a reason for all else."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest

from runtime.errors import InputError
from runtime.image.folder import walk as walking
from runtime.image.folder.notes import notes_on, shown
from runtime.image.folder.walk import Walk, walk_images
from runtime.image.formats.kinds import READ, SNIFFED, image_kind

NOBODY = 65534


def image(path: Path, seed: int = 0) -> Path:
    """A small file of the format that its suffix names, or PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 8), np.uint8)
    suffix = {".jfif": ".jpg", ".jpe": ".jpg"}.get(path.suffix, path.suffix)
    known = suffix in {".jpg", ".bmp", ".tif", ".webp", ".pgm", ".ppm"}
    if suffix == ".ppm":
        pixels = np.dstack([pixels] * 3)
    path.write_bytes(cv2.imencode(suffix if known else ".png", pixels)[1].tobytes())
    return path


def names(walk: Walk) -> list[str]:
    return [str(name) for name in walk.images]


def reasons(walk: Walk) -> dict[str, str]:
    return {str(item.name): item.reason for item in walk.left_out}


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A folder of one's own, as somebody whom permissions hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            for path in folder.rglob("*"):
                if path.is_dir():
                    path.chmod(0o700)


def test_images_come_in_natural_order_and_equal_numbers_by_name(tmp_path):
    for name in ("f_10.png", "f_2.png", "F_1.JPG", "sub/f_1.png", "f_02.png", "f_002.png"):
        image(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    assert names(walk_images(tmp_path)) == [
        "F_1.JPG",
        "f_002.png",
        "f_02.png",
        "f_2.png",
        "f_10.png",
        "sub/f_1.png",
    ]


@pytest.mark.parametrize(
    "name", ["a.jfif", "a.jpe", "a.ppm", "a", "a.png~", "a.v2", "20240101_120000", "a.data"]
)
def test_what_is_an_image_by_its_content_is_taken(tmp_path, name):
    image(tmp_path / name)
    walk = walk_images(tmp_path)
    assert (names(walk), walk.left_out) == ([name], [])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp", ".pgm", ".ppm"])
def test_every_format_that_is_decoded_is_known_without_its_suffix(tmp_path, suffix):
    data = image(tmp_path / f"x{suffix}").read_bytes()
    assert image_kind(data[:SNIFFED]) in READ


@pytest.mark.parametrize(
    ("head", "suffix", "kind"),
    [
        (b"P3\n# made by hand\n2 2\n255\n", ".pnm", "PNM"),
        (b"P7\nWIDTH 4\nHEIGHT 4\n", ".pam", "PNM"),
        (b"MM\0*" + bytes(40), ".scan", "TIFF"),
        (b"GIF89a" + bytes(40), ".gif", "GIF"),
        (b"GIF87a" + bytes(40), "", "GIF"),
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf", ".avif", "AVIF"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1avifmiaf", ".heif", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ".heic", "HEIC"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20), ".jp2", "JPEG 2000"),
        (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2", ".mp4", "video"),
        (b"RIFF\x10\x10\0\0AVI LIST", ".avi", "video"),
        (b"\x1aE\xdf\xa3" + bytes(20), ".mkv", "video"),
        (b"II*\0" + bytes(40), ".dng", "camera raw"),
        (bytes(128) + b"DICM", "", "DICOM"),
        (b"\x93NUMPY\x01\0", ".npy", "NumPy"),
        (b"BMW parts, by station\n", ".txt", ""),
        (b"P1 is the first press\n", ".txt", ""),
        (b"RIFF\x10\x10\0\0WAVEfmt ", ".wav", ""),
        (b"", "", ""),
    ],
)
def test_kinds_by_their_first_bytes(head, suffix, kind):
    assert image_kind(head, suffix) == kind


def test_links_are_followed_once_and_loops_end(tmp_path):
    data, outside = tmp_path / "data", tmp_path / "outside"
    image(data / "crack" / "1.png")
    image(outside / "good" / "lot" / "2.png")
    image(outside / "3.png")
    (data / "good").symlink_to(outside / "good")
    (data / "4.png").symlink_to(outside / "3.png")
    (data / "crack" / "again").symlink_to("..")
    (data / "all").symlink_to(tmp_path)
    (data / "self").symlink_to("self")
    (outside / "good" / "lot" / "back").symlink_to(outside)
    (data / "better").symlink_to(data / "crack")
    walk = walk_images(data)
    assert names(walk) == ["4.png", "crack/1.png", "good/lot/2.png"]
    assert reasons(walk) == {
        "all": walking.LOOP,
        "better": walking.TWICE,
        "crack/again": walking.LOOP,
        "good/lot/back": walking.LOOP,
        "self": walking.BROKEN_LINK,
    }
    others = {str(item.name): str(item.other) for item in walk.left_out if item.other is not None}
    assert others == {"better": "crack", "crack/again": "."}
    assert "skipped better: a folder that was already read (as crack)" in notes_on(walk.left_out)


def test_a_real_place_is_preferred_and_of_two_links_the_first_is_taken(tmp_path):
    image(tmp_path / "data" / "zinc" / "1.png")
    image(tmp_path / "lot" / "2.png")
    (tmp_path / "data" / "alias").symlink_to("zinc")
    for name in ("b", "a", "c"):
        (tmp_path / "data" / name).symlink_to(tmp_path / "lot")
    walk = walk_images(tmp_path / "data")
    assert names(walk) == ["a/2.png", "zinc/1.png"]
    assert {str(item.name): str(item.other) for item in walk.left_out} == {
        "alias": "zinc",
        "b": "a",
        "c": "a",
    }


def test_hidden_files_and_what_systems_leave_behind(tmp_path):
    image(tmp_path / "a.png")
    for name in (".b.png", "._a.png", ".ipynb_checkpoints/a.png", "__MACOSX/a.png", "@eaDir/a.png"):
        image(tmp_path / name)
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    walk = walk_images(tmp_path)
    assert names(walk) == ["a.png"]
    assert set(reasons(walk).values()) == {walking.HIDDEN}
    assert notes_on(walk.left_out) == ["skipped 6 files and folders: hidden (first: ._a.png)"]


def test_pipes_and_sockets_are_named_and_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_pipe.jpg").symlink_to("pipe")
    (tmp_path / "null.png").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.png"))
        walk = walk_images(tmp_path)
    assert names(walk) == []
    assert set(reasons(walk).values()) == {walking.IRREGULAR}
    assert len(walk.left_out) == 5


def test_without_permission_folders_and_files_are_named():
    with as_nobody() as folder:
        image(folder / "a" / "1.png")
        image(folder / "b" / "2.png")
        (folder / "b" / "notes").write_text("secret")
        (folder / "b" / "notes").chmod(0)
        (folder / "b" / "into").symlink_to(folder / "a" / "1.png")
        (folder / "a").chmod(0)
        walk = walk_images(folder)
        assert names(walk) == ["b/2.png"]
        assert set(reasons(walk)) == {"a", "b/into", "b/notes"}
        assert set(reasons(walk).values()) == {"Permission denied"}
        assert notes_on(walk.left_out) == [
            "skipped 3 files and folders: Permission denied (first: a)"
        ]
        with pytest.raises(InputError, match=r"a cannot be used: Permission denied; .*--strict"):
            walk_images(folder, strict=True)
        with pytest.raises(InputError, match=r"cannot read .*a: Permission denied"):
            walk_images(folder / "a")
        with pytest.raises(InputError, match=r"cannot read .*x: Permission denied"):
            walk_images(folder / "a" / "x")


def test_other_files_are_counted_by_suffix(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.xml").write_text("<annotation/>")
    (tmp_path / "b.TXT").write_text("b")
    (tmp_path / "list").write_text("b")
    (tmp_path / "c.gif").write_bytes(b"GIF89a" + bytes(30))
    assert notes_on(walk_images(tmp_path).left_out) == [
        "skipped 5 files: not an image (.xml: 3, .txt: 1, without suffix: 1; first: 0.xml)",
        "skipped c.gif: GIF is not supported",
    ]


def test_names_are_shown_as_one_line_of_text(tmp_path):
    assert shown("a\nb.png") == "a�b.png"
    assert shown(PurePosixPath(os.fsdecode(b"rost\xfcbersicht.png"))).isprintable()
    (tmp_path / os.fsdecode(b"\xfc\n.gif")).write_bytes(b"GIF89a")
    (note,) = notes_on(walk_images(tmp_path).left_out)
    note.encode()
    assert "\n" not in note


def test_disks_that_number_nothing_lose_nothing(tmp_path, monkeypatch):
    image(tmp_path / "a" / "1.png")
    image(tmp_path / "b" / "2.png")
    whole = Path.stat

    class Unnumbered:
        def __init__(self, status: os.stat_result) -> None:
            self.st_mode, self.st_dev, self.st_ino = status.st_mode, 7, 0

    monkeypatch.setattr(Path, "stat", lambda path, **options: Unnumbered(whole(path, **options)))
    assert names(walk_images(tmp_path)) == ["a/1.png", "b/2.png"]
