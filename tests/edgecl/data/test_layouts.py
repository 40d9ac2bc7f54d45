"""The public sets as they are published, and ground truth that is no image."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest

from edgecl.data.reading import read_labelled, read_unlabelled
from edgecl.learning.config import TrainConfig
from edgecl.learning.run.preparation import prepare
from runtime.artifact.contract import InputContract
from runtime.image.folder.labelled import class_names
from runtime.image.folder.layouts import find_images, ground_truth, labels_of

CONTRACT = InputContract(16, 16)
DATA = Path(os.environ.get("EDGECL_DATA", Path(__file__).parents[4] / "shared" / "data"))


def make(folder, *files):
    for number, file in enumerate(files):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".xml":
            path.write_text("<annotation/>")
        else:
            pixels = np.random.default_rng(number).integers(0, 255, (20, 20), dtype=np.uint8)
            cv2.imwrite(str(path), pixels)
    return folder


def read(folder):
    """File to label, read with labels; without labels, the same images are found."""
    dataset = read_labelled(folder, CONTRACT)
    assert read_unlabelled([folder], CONTRACT).files == dataset.files
    names = [dataset.labels[target] for target in dataset.targets]
    assert class_names(folder, dataset.files) == names
    return dict(zip(dataset.files, names, strict=True))


def test_neu_det_with_its_parts(tmp_path):
    make(
        tmp_path,
        "train/images/crazing/crazing_1.jpg",
        "train/images/rolled-in_scale/rolled-in_scale_2.jpg",
        "train/annotations/crazing_1.xml",
        "validation/images/crazing/crazing_241.jpg",
        "validation/annotations/crazing_241.xml",
    )
    assert read(tmp_path) == {
        "train/images/crazing/crazing_1.jpg": "crazing",
        "train/images/rolled-in_scale/rolled-in_scale_2.jpg": "rolled-in_scale",
        "validation/images/crazing/crazing_241.jpg": "crazing",
    }
    assert read_labelled(tmp_path, CONTRACT).notes == (
        "skipped 2 files: not an image (.xml: 2; first: train/annotations/crazing_1.xml)",
        "the folders train, validation were merged into one set and split again",
    )


def test_neu_det_with_one_part_or_flat_names(tmp_path):
    files = ("crazing_1.jpg", "patches_1.jpg")
    make(tmp_path / "a", *(f"train/images/{file}" for file in files), "train/annotations/a.xml")
    make(tmp_path / "b", *(f"IMAGES/{file}" for file in files), "ANNOTATIONS/crazing_1.xml")
    for part in "ab":
        assert read(tmp_path / part) == {"crazing_1.jpg": "crazing", "patches_1.jpg": "patches"}
    make(tmp_path / "b", "Validation_Images/crazing_7.jpg")
    assert read(tmp_path / "b")["Validation_Images/crazing_7.jpg"] == "crazing"


def test_gc10_with_numbered_folders(tmp_path):
    files = [f"{number}/img_01_{number}.jpg" for number in range(1, 11)]
    make(tmp_path, *files, "lable/img_01_1.xml")
    found = read(tmp_path)
    assert found["1/img_01_1.jpg"] == "punching_hole"
    assert found["10/img_01_10.jpg"] == "waist_folding"
    assert len(set(found.values())) == 10


def test_numbered_folders_of_another_set_keep_their_numbers(tmp_path):
    make(tmp_path, "1/a.jpg", "2/b.jpg")
    assert set(read(tmp_path).values()) == {"1", "2"}


@pytest.mark.parametrize(
    ("images", "truth"),
    [
        ("Source Images", "Ground truth"),
        ("Source_Images", "Ground_truth"),
        ("images", "masks"),
        ("images", "annotations"),
        ("Img_train", "GT_train"),
    ],
)
def test_sd_saliency_without_its_ground_truth(tmp_path, images, truth):
    names = ("In_1", "Pa_1", "Sc_10")
    make(tmp_path, *(f"{images}/{n}.bmp" for n in names), *(f"{truth}/{n}.png" for n in names))
    assert read(tmp_path) == {"In_1.bmp": "In", "Pa_1.bmp": "Pa", "Sc_10.bmp": "Sc"}
    (note,) = read_unlabelled([tmp_path], CONTRACT).notes
    assert note == (f"3 ground-truth images were skipped (first: {truth}/In_1.png)")


@pytest.mark.parametrize(
    ("files", "truth"),
    [
        (["crack/images/1.png", "crack/masks/1.png"], ["crack/masks/1.png"]),
        (["Train/1.png", "Train/Label/1_label.png"], ["Train/Label/1_label.png"]),
        (["train/ok/1.png", "ground_truth/bad/1_mask.png"], ["ground_truth/bad/1_mask.png"]),
        (["crack/1.png", "scratch/1.png", "masks/1.png"], ["masks/1.png"]),
        (["20000.png", "20000_GT.png"], ["20000_GT.png"]),
        (["part/a_mask.png", "part/b.png"], []),  # no image of that name
        (["label/1.png", "crack/1.png"], []),  # labels that are the product
        (["masks/1.png", "masks/2.png"], []),  # nothing else is there
    ],
)
def test_ground_truth_is_told_by_what_stands_beside_it(files, truth):
    assert ground_truth([PurePosixPath(file) for file in files]) == set(map(PurePosixPath, truth))


def test_what_a_mac_leaves_in_an_archive_is_no_image(tmp_path):
    make(tmp_path, "crack/a.jpg", "clean/b.jpg")
    make(tmp_path, "__MACOSX/crack/._a.jpg", "clean/._b.jpg")
    assert find_images(tmp_path).files == ["clean/b.jpg", "crack/a.jpg"]


def test_a_class_may_be_named_like_a_part():
    assert labels_of(Path("set"), ["test/a.png", "good/b.png"]) == ["test", "good"]


def left_aside(config: TrainConfig) -> list[str]:
    return [note for note in prepare(config, lambda *_: None).notes if "ground-truth" in note]


def test_what_was_left_aside_stands_in_the_notes_of_the_run(tiny_config, tmp_path):
    shutil.copytree(tiny_config.data, tmp_path / "images")
    make(tmp_path, "masks/bars_1.png", "more/images/x.png", "more/masks/x.png")
    config = replace(tiny_config, data=str(tmp_path / "images"))
    assert not left_aside(config)
    make(tmp_path / "images", "masks/bars_1.png")
    config = replace(config, unlabelled=(str(tmp_path / "more"),))
    first, second = left_aside(config)
    assert first.endswith("(first: masks/bars_1.png)")
    assert second.endswith("(first: masks/x.png)")


@pytest.mark.parametrize(
    ("name", "count", "classes"),
    [("gc10_det", 2306, 10), ("cr7_det", 4081, 7), ("sd_saliency_900", 900, 3)],
)
def test_the_real_sets(name, count, classes):
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    layout = find_images(folder)
    assert len(layout.paths) == count
    assert len(set(labels_of(layout.root, layout.files))) == classes
