"""A class never vanishes from a training in silence, and the line takes what training takes."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.data.reading import read_labelled, read_unlabelled
from edgecl.learning.run.preparation import prepare
from runtime.artifact.contract import InputContract
from runtime.camera import open_camera
from runtime.errors import InputError
from runtime.image.folder.class_folders import check_class_folders
from runtime.image.folder.layouts import arrange
from runtime.image.folder.walk import walk_images
from tests.runtime.image.folder.test_folder import as_nobody

CONTRACT = InputContract(16, 16)


def make(folder: Path, *files: str) -> Path:
    for number, file in enumerate(files):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (20, 20), dtype=np.uint8)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return folder


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    return make(tmp_path / "data", "crack/1.png", "pits/2.png")


def labels_in(folder: Path) -> dict[str, str]:
    dataset = read_labelled(folder, CONTRACT)
    names = [dataset.labels[target] for target in dataset.targets]
    return dict(zip(dataset.files, names, strict=True))


def test_a_class_folder_that_is_a_link_is_read(parts, tmp_path):
    make(tmp_path / "elsewhere", "lot 7/3.png", "4")
    (parts / "good").symlink_to(tmp_path / "elsewhere")
    assert labels_in(parts) == {
        "crack/1.png": "crack",
        "good/4": "good",
        "good/lot 7/3.png": "good",
        "pits/2.png": "pits",
    }
    assert len(read_unlabelled([parts], CONTRACT)) == 4


def broken_link(folder: Path) -> None:
    folder.symlink_to(folder.parent / "moved" / "good")


def loop(folder: Path) -> None:
    folder.symlink_to("../" * (len(folder.parts) - 1))


def other_kinds(folder: Path) -> None:
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.gif").write_bytes(b"GIF89a" + bytes(30))
    (folder / "list.xml").write_text("<a/>")


def below(folder: Path) -> None:
    (folder / "lot").mkdir(parents=True)
    (folder / "lot" / "1.npy").write_bytes(b"\x93NUMPY\x01\0")


def pipe(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "1.png")


def hidden(folder: Path) -> None:
    make(folder, ".1.png")


def checkpoints(folder: Path) -> None:
    make(folder, ".ipynb_checkpoints/1.png")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (broken_link, "skipped good: a broken link"),
        (loop, "skipped good: a link to a parent folder"),
        (
            other_kinds,
            r"skipped 3 files: GIF is not supported \(first: good/0\.gif\); .*list\.xml",
        ),
        (below, r"skipped good/lot/1\.npy: NumPy is not supported"),
        (pipe, r"skipped good/1\.png: a pipe, socket or device"),
        (hidden, r"skipped good/\.1\.png: hidden"),
        (checkpoints, r"skipped good/\.ipynb_checkpoints: hidden"),
    ],
)
@pytest.mark.parametrize("above", ["", "train/images"])
def test_a_class_that_loses_everything_is_refused_by_name(tmp_path, spoil, why, above):
    make(tmp_path / above, "crack/1.png", "pits/2.png")
    spoil(tmp_path / above / "good")
    place = f"{above}/good" if above else "good"
    with pytest.raises(
        InputError, match=f"the class folder {place} in .* has no usable image"
    ) as error:
        read_labelled(tmp_path, CONTRACT)
    assert error.match(why.replace("good", place))
    assert len(read_unlabelled([tmp_path], CONTRACT)) == 2


@pytest.mark.parametrize("target", [".", ".."])
def test_a_link_back_into_the_set_loses_nothing_and_is_a_note(tmp_path, target):
    make(tmp_path, "train/crack/1.png", "train/good/2.png", "test/good/3.png")
    (tmp_path / "train" / "latest").symlink_to(target)
    (tmp_path / "test" / "good" / "up").symlink_to("..")
    dataset = read_labelled(tmp_path, CONTRACT)
    assert (len(dataset), dataset.labels) == (3, ("crack", "good"))
    assert dataset.notes[0] == (
        "skipped 2 folders: a link to a parent folder (first: test/good/up)"
    )


def test_a_broken_link_with_a_dot_in_its_name_may_be_a_class(parts):
    (parts / "good.2024").symlink_to("/nowhere")
    with pytest.raises(InputError, match=r"the class folder good\.2024 .*broken link"):
        labels_in(parts)
    (parts / "good.2024").unlink()
    (parts / "notes.txt").symlink_to("/nowhere")
    assert len(labels_in(parts)) == 2


def test_a_part_that_cannot_be_entered_may_hold_a_class():
    with as_nobody() as folder:
        make(folder, "val/crack/1.png", "val/pits/2.png", "train/good/3.png")
        (folder / "train").chmod(0)
        try:
            with pytest.raises(InputError, match=r"the folder train .*may contain classes"):
                labels_in(folder)
        finally:
            (folder / "train").chmod(0o755)


def test_a_class_folder_without_permission_is_refused():
    with as_nobody() as folder:
        make(folder, "crack/1.png", "pits/2.png", "good/3.png")
        (folder / "good").chmod(0)
        walk = walk_images(folder)
        with pytest.raises(InputError, match=r"good in .*: skipped good: Permission denied"):
            check_class_folders(walk, arrange(walk))


@pytest.mark.parametrize("traces", [(), (".gitkeep",), (".DS_Store", "Thumbs.db")])
def test_an_empty_class_folder_is_named(parts, traces):
    (parts / "good" / "lot").mkdir(parents=True)
    for name in traces:
        (parts / "good" / name).write_bytes(b"\0")
    notes = read_labelled(parts, CONTRACT).notes
    assert "this class folder is empty and not a class of the model: good" in notes


def test_a_class_that_one_part_lacks_is_a_note(tmp_path):
    make(tmp_path, "train/crack/1.png", "train/good/2.png", "test/crack/3.png")
    (tmp_path / "test" / "good").symlink_to("nowhere")
    dataset = read_labelled(tmp_path, CONTRACT)
    assert dataset.labels == ("crack", "good")
    assert "skipped test/good: a broken link" in dataset.notes


def test_folders_beside_those_of_the_images_are_no_classes(tmp_path):
    make(tmp_path, "JPEGImages/crack_1.png", "JPEGImages/good_2.png")
    for name in ("Annotations", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.txt").write_text("a")
    assert read_labelled(tmp_path, CONTRACT).labels == ("crack", "good")
    make(tmp_path / "gc10", "1/a.png", "2/b.png")
    (tmp_path / "gc10" / "lable").mkdir()
    (tmp_path / "gc10" / "lable" / "a.xml").write_text("<a/>")
    assert read_labelled(tmp_path / "gc10", CONTRACT).labels == ("punching_hole", "welding_line")


@pytest.mark.parametrize("target", ["crack", "crack/lot"])
def test_a_link_to_another_class_is_refused(parts, target):
    make(parts, "crack/lot/7.png")
    (parts / "good").symlink_to(parts / target)
    with pytest.raises(
        InputError, match=rf"good and {target} in .* are the same folder: .*belong to both"
    ):
        read_labelled(parts, CONTRACT)
    assert len(read_unlabelled([parts], CONTRACT)) == 3


def test_a_class_of_which_nothing_can_be_decoded_is_refused(parts):
    for number in range(2):
        path = make(parts, f"good/{number}.png") / "good" / f"{number}.png"
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"none of the 2 images of class good .* \(good/0\.png: "):
        read_labelled(parts, CONTRACT)
    make(parts, "good/whole.png")
    assert read_labelled(parts, CONTRACT).labels == ("crack", "good", "pits")


def test_strict_refuses_what_cannot_be_read(parts):
    (parts / "crack" / "2.png").symlink_to("nowhere.png")
    assert "skipped crack/2.png: a broken link" in read_labelled(parts, CONTRACT).notes
    with pytest.raises(InputError, match=r"crack/2\.png cannot be used"):
        read_labelled(parts, CONTRACT, strict=True)
    with pytest.raises(InputError, match=r"crack/2\.png cannot be used"):
        read_unlabelled([parts], CONTRACT, strict=True)


def test_what_was_left_out_stands_in_the_notes_of_a_training(tiny_config, tmp_path):
    data = shutil.copytree(tiny_config.data, tmp_path / "data")
    (data / "bars" / "a.gif").write_bytes(b"GIF89a")
    make(tmp_path / "more", "a.png")
    (tmp_path / "more" / "link").symlink_to("..")
    for number in range(5):
        (data / "blob" / f"cut_{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    config = replace(tiny_config, data=str(data), unlabelled=(str(tmp_path / "more"),))
    notes = prepare(config, lambda *_: None).notes
    assert "skipped bars/a.gif: GIF is not supported" in notes
    assert "skipped link: a link to a parent folder" in notes
    (cut,) = [note for note in notes if "blob/cut_0.png" in note]
    assert cut.startswith("skipped 5 files: ")


def test_the_audit_says_what_it_left_out(parts, tmp_path, capsys):
    (parts / "crack" / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    out = tmp_path / "groups.csv"
    assert edgecl(["audit", str(parts), "--out", str(out), "--json"]) == 0
    note = f"{parts}: skipped crack/a.heic: HEIC is not supported"
    assert json.loads(capsys.readouterr().out)["notes"] == [note]
    assert edgecl(["audit", str(parts), "--out", str(out)]) == 0
    assert f"note: {note}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "files",
    [
        ("crack/lot1/x.png", "crack/lot2/x.png", "good/x.png"),
        ("good12.png", "crack_3.png", "crack-4.jpg"),
        ("train/images/crack/1.png", "validation/images/good/2.png"),
        ("IMAGES/crazing_1.png", "IMAGES/patches_2.png"),
        ("1/a.png", "10/b.png", "lable/c"),
        ("images/In_1.png", "images/Pa_2.png", "masks/In_1.png", "masks/Pa_2.png"),
        ("crack/1.png", "crack/._1.png", "good/2.png", "good/2_mask.png", ".x/3.png"),
    ],
)
def test_the_line_takes_what_training_takes_with_the_same_truth(tmp_path, files):
    make(tmp_path, *files)
    if (tmp_path / "lable").is_dir():
        (tmp_path / "lable" / "c").write_text("no image")
    with open_camera(str(tmp_path)) as camera:
        frames = list(iter(camera.read, None))
    assert {frame.name: frame.truth for frame in frames} == labels_in(tmp_path)
    assert all(frame.pixels is not None for frame in frames)
    assert [frame.name for frame in frames] == list(read_labelled(tmp_path, CONTRACT).files)
    assert list(camera.notes) == list(read_unlabelled([tmp_path], CONTRACT).notes)


def test_the_line_takes_severstals_images_with_their_defects(tmp_path):
    make(tmp_path, "train_images/a.png", "train_images/b.png", "test_images/c.png")
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\na.png,3,1 4\n")
    with open_camera(str(tmp_path)) as camera:
        frames = list(iter(camera.read, None))
    assert {frame.name: frame.truth for frame in frames} == labels_in(tmp_path)
    assert frames[0].truth == "defect_3"
    assert any("1 image outside train_images" in note for note in camera.notes)
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\na.png,9,1 4\n")
    with open_camera(str(tmp_path)) as camera:
        frames = list(iter(camera.read, None))
    assert [frame.truth for frame in frames] == ["", "", ""]
    assert any("the class '9' is not one of" in note for note in camera.notes)


def test_where_training_would_refuse_the_labels_the_line_takes_all(tmp_path):
    make(tmp_path / "one", "good/1.png", "good/2.png")
    make(tmp_path / "loose", "good/1.png", "7.png", "crack_2.png")
    make(tmp_path / "flat", "good_1.png", "holiday.png", "12.png")
    truths: dict[str, str] = {}
    for name in ("one", "loose", "flat"):
        with pytest.raises(InputError):
            read_labelled(tmp_path / name, CONTRACT)
        with open_camera(str(tmp_path / name)) as camera:
            truths |= {f"{name}/{f.name}": f.truth for f in iter(camera.read, None)}
    assert truths == {
        "one/good/1.png": "good",
        "one/good/2.png": "good",
        "loose/7.png": "",
        "loose/crack_2.png": "",
        "loose/good/1.png": "good",
        "flat/12.png": "",
        "flat/good_1.png": "good",
        "flat/holiday.png": "",
    }


def test_the_stream_says_what_it_left_out(parts, make_bundle, tmp_path, capsys):
    (parts / "pits" / "lost.png").symlink_to("nowhere")
    out = tmp_path / "out"
    arguments = ["run", "--model", str(make_bundle()), "--camera", str(parts), "--out", str(out)]
    assert edgecl([*arguments, "--fps", "1000"]) == 0
    note = "skipped pits/lost.png: a broken link"
    assert note in capsys.readouterr().err
    assert note in json.loads((out / "summary.json").read_text())["notes"]


def test_a_folder_of_which_nothing_can_be_taken_says_why(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    for find in (lambda: open_camera(str(tmp_path)), lambda: read_labelled(tmp_path, CONTRACT)):
        with pytest.raises(InputError, match=r"no images in .*\(skipped a\.heic: HEIC is not"):
            find()
