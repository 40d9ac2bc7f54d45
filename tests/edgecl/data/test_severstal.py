"""Severstal's set: both forms of its table, several classes in an image, and what may be wrong."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.data.reading import read_labelled, read_unlabelled
from runtime.artifact.contract import InputContract
from runtime.errors import InputError
from runtime.image.folder.labelled import class_names
from runtime.image.folder.severstal import LONGEST_FIELD, area_of

CONTRACT = InputContract(16, 100)
# Image to class to run lengths; the second shows two classes, and more of the higher one.
DEFECTS = {
    "0002cc93b.jpg": {"1": "29102 12 29346 24"},
    "0007a71bf.jpg": {"3": "18661 10", "4": "100 3 200 8"},
    "000a4bcdd.jpg": {},
    "000f6bf48.jpg": {"2": "5 1"},
    "0014fce06.jpg": {},
}


def write_images(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        seed = int(name[:5], 16)
        pixels = np.random.default_rng(seed).integers(0, 255, (16, 100), dtype=np.uint8)
        cv2.imwrite(str(folder / name), pixels)


def write_table(path, form, defects=DEFECTS):
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        if form == "old":
            writer.writerow(["ImageId_ClassId", "EncodedPixels"])
            for name, runs in defects.items():
                writer.writerows([f"{name}_{n}", runs.get(n, "")] for n in "1234")
        else:
            writer.writerow(["ImageId", "ClassId", "EncodedPixels"])
            for name, runs in defects.items():
                writer.writerows([name, number, text] for number, text in runs.items())


@pytest.fixture(params=["old", "new"])
def severstal(request, tmp_path):
    write_images(tmp_path / "train_images", DEFECTS)
    write_images(tmp_path / "test_images", ["0000f269f.jpg", "000ccc2ac.jpg"])
    write_table(tmp_path / "train.csv", request.param)
    return tmp_path


def labels_of(dataset):
    return {
        file: dataset.labels[target]
        for file, target in zip(dataset.files, dataset.targets.tolist(), strict=True)
    }


def test_both_forms_of_the_table_give_the_same_labels(severstal):
    dataset = read_labelled(severstal, CONTRACT, strict=True)
    assert labels_of(dataset) == {
        "train_images/0002cc93b.jpg": "defect_1",
        "train_images/0007a71bf.jpg": "defect_4",
        "train_images/000a4bcdd.jpg": "none",
        "train_images/000f6bf48.jpg": "defect_2",
        "train_images/0014fce06.jpg": "none",
    }
    assert dataset.sizes == {(16, 100): 5}


def test_a_note_says_how_many_images_show_several_classes(severstal):
    outside, several = read_labelled(severstal, CONTRACT).notes
    assert several.startswith("1 of 5 images show defects of several classes")
    assert outside == (
        "skipped 2 images outside train_images, which train.csv does not cover "
        "(first: test_images/000ccc2ac.jpg)"
    )


def test_equal_areas_give_the_lower_class(tmp_path):
    write_images(tmp_path / "train_images", DEFECTS)
    write_table(tmp_path / "train.csv", "new", {"0002cc93b.jpg": {"4": "1 7", "3": "9 3 20 4"}})
    images = read_labelled(tmp_path, CONTRACT)
    assert labels_of(images)["train_images/0002cc93b.jpg"] == "defect_3"


def test_unlabelled_reading_takes_both_parts_and_asks_no_table(severstal):
    (severstal / "masks").mkdir()
    write_images(severstal / "masks" / "class1", ["0002cc93b.png"])
    with open(severstal / "train.csv", "a") as stream:
        stream.write("nonsense\n")
    dataset = read_unlabelled([severstal], CONTRACT)
    assert len(dataset) == 7
    assert {file.split("/")[0] for file in dataset.files} == {"train_images", "test_images"}


def test_the_audit_knows_the_classes_of_the_train_part(severstal, tmp_path, capsys):
    files = read_unlabelled([severstal], CONTRACT).files
    names = dict(zip(files, class_names(severstal, files), strict=True))
    assert names["train_images/0007a71bf.jpg"] == "defect_4"
    assert names["test_images/0000f269f.jpg"] == ""
    out = tmp_path / "groups.csv"
    assert edgecl(["audit", str(severstal), "--out", str(out), "--json"]) == 0
    (described,) = json.loads(capsys.readouterr().out)["sets"]
    assert (described["images"], described["classes"]) == (7, 4)


@pytest.mark.parametrize("form", ["old", "new"])
def test_images_that_are_missing_are_noted_or_refused(tmp_path, form):
    write_images(tmp_path / "train_images", [name for name in DEFECTS if name < "000b"])
    write_table(tmp_path / "train.csv", form)
    notes = read_labelled(tmp_path, CONTRACT).notes
    total, gone = (5, 2) if form == "old" else (3, 1)  # the new form names defects alone
    expected = f"{gone} of the {total} images in train.csv are not in train_images"
    assert notes[0].startswith(f"{expected} (first: 000f6bf48.jpg)")
    with pytest.raises(InputError, match=expected):
        read_labelled(tmp_path, CONTRACT, strict=True)


def test_a_image_that_the_old_form_does_not_name_has_no_label(tmp_path):
    write_images(tmp_path / "train_images", [*DEFECTS, "00aabbccd.jpg"])
    write_table(tmp_path / "train.csv", "old")
    dataset = read_labelled(tmp_path, CONTRACT)
    assert len(dataset) == 5
    assert "1 of the 6 images in train_images are not in train.csv" in dataset.notes[0]
    write_table(tmp_path / "train.csv", "new")
    assert labels_of(read_labelled(tmp_path, CONTRACT))["train_images/00aabbccd.jpg"] == "none"


@pytest.mark.parametrize(
    ("form", "row", "complaint"),
    [
        ("old", "000a4bcdd.jpg_3,17 4 9", "one is incomplete"),
        ("old", "000a4bcdd.jpg_3", "the row is incomplete"),
        ("old", "000a4bcdd.jpg_5,1 2", "the class '5' is not one of"),
        ("old", "_3,1 2", "no image name"),
        ("new", "000a4bcdd.jpg,2,17 x", "whole numbers above 0"),
        ("new", "000a4bcdd.jpg,2,0 4", "whole numbers above 0"),
        ("new", "000a4bcdd.jpg,,17 4", "the class '' is not one of"),
    ],
)
def test_a_damaged_row_is_named_by_its_line(tmp_path, form, row, complaint):
    write_images(tmp_path / "train_images", DEFECTS)
    write_table(tmp_path / "train.csv", form)
    line = len((tmp_path / "train.csv").read_text().splitlines()) + 1
    with open(tmp_path / "train.csv", "a") as stream:
        stream.write(row + "\n")
    with pytest.raises(InputError, match=rf"train\.csv, line {line}: .*{complaint}"):
        read_labelled(tmp_path, CONTRACT)


def test_a_table_that_is_no_text_further_down_is_refused(tmp_path):
    write_images(tmp_path / "train_images", DEFECTS)
    write_table(tmp_path / "train.csv", "new")
    with open(tmp_path / "train.csv", "ab") as stream:
        stream.write(b"x" * 10_000 + b"\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"cannot read .*train\.csv after line \d"):
        read_labelled(tmp_path, CONTRACT)


def test_without_its_folders_the_table_alone_is_refused(tmp_path):
    write_table(tmp_path / "train.csv", "new")
    with pytest.raises(InputError, match="there is no folder train_images next to it"):
        read_labelled(tmp_path, CONTRACT)
    (tmp_path / "train_images").mkdir()
    with pytest.raises(InputError, match="no images in"):
        read_labelled(tmp_path, CONTRACT)
    with pytest.raises(InputError, match="no images in"):
        read_unlabelled([tmp_path], CONTRACT)


@pytest.mark.parametrize("part", ["train_images", "test_images"])
def test_a_part_alone_names_the_folder_above_it(severstal, part):
    with pytest.raises(InputError, match=r"whose labels are in train\.csv above it") as error:
        read_labelled(severstal / part, CONTRACT)
    assert error.value.hint == f"pass {severstal}"
    assert len(read_unlabelled([severstal / part], CONTRACT)) == len(
        list((severstal / part).iterdir())
    )


def test_other_columns_are_named(tmp_path):
    write_images(tmp_path / "train_images", DEFECTS)
    (tmp_path / "train.csv").write_text("Image,Label\n0002cc93b.jpg,1\n")
    with pytest.raises(InputError, match=r"has neither the columns .*found: Image, Label"):
        read_labelled(tmp_path, CONTRACT)
    assert len(read_unlabelled([tmp_path], CONTRACT)) == 5


def test_another_train_csv_beside_class_folders_changes_nothing(tmp_path):
    write_images(tmp_path / "crack", ["00001.png"])
    write_images(tmp_path / "clean", ["00002.png"])
    (tmp_path / "train.csv").write_text("Image,Label\n")
    assert read_labelled(tmp_path, CONTRACT).labels == ("clean", "crack")


def test_long_run_lengths_are_read(tmp_path):
    write_images(tmp_path / "train_images", DEFECTS)
    runs = " ".join(f"{start} 1" for start in range(1, 256 * 1600, 2))
    assert 131_072 < len(runs) < LONGEST_FIELD  # more than Python's csv takes by itself
    write_table(tmp_path / "train.csv", "new", {"0002cc93b.jpg": {"1": runs}})
    before = csv.field_size_limit()
    assert read_labelled(tmp_path, CONTRACT).labels == ("defect_1", "none")
    assert csv.field_size_limit() == before


def test_the_area_is_the_sum_of_the_lengths():
    assert area_of("29102 12 29346 24") == 36
    assert area_of("") == 0
