"""The table of groups: what it leaves open, and what is wrong with it, by its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecl.data.dataset import ImageSet
from edgecl.data.groups import read_groups, with_groups
from runtime.errors import InputError


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "groups.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def images(files: list[str]) -> ImageSet:
    return ImageSet(
        images=np.zeros((len(files), 2, 2), np.uint8), files=files, hashes=[""] * len(files)
    )


def test_groups_are_found_by_path_then_by_name(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("file,class,overlap_group\ncrazing/crazing_1.jpg,crazing,7\nx_2.jpg,x,8\n")
    groups = read_groups(table)
    grouped = with_groups(images(["crazing_1.jpg", "x/x_2.jpg"]), groups, where="groups.csv")
    assert grouped.groups == ["7", "8"]


def test_a_name_that_stands_twice_is_not_guessed(tmp_path):
    groups = {"a/1.jpg": "1", "b/1.jpg": "2"}
    assert with_groups(images(["b/1.jpg"]), groups, where="g").groups == ["2"]
    with pytest.raises(InputError, match=r"first: 1\.jpg"):
        with_groups(images(["1.jpg"]), groups, where="g")


def test_a_image_without_a_group_is_named(tmp_path):
    with pytest.raises(InputError, match=r"1 of 2 images have no group in g\.csv .*b\.jpg"):
        with_groups(images(["a.jpg", "b.jpg"]), {"a.jpg": "1"}, where="g.csv")


@pytest.mark.parametrize("content", [b"name,cluster\na,1\n", b"", b"\xff\xfe\x00\x80"])
def test_a_csv_that_is_none_is_refused(tmp_path, content):
    table = tmp_path / "groups.csv"
    table.write_bytes(content)
    with pytest.raises(InputError, match=r"groups\.csv"):
        read_groups(table)
    with pytest.raises(InputError, match="cannot read the groups"):
        read_groups(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    "text",
    [
        b'\xef\xbb\xbffile,group\r\na.png,7\r\n"b, two.png",8\r\n',
        b'file,group\ra.png,7\r"b, two.png",8\r',
        b' group , file\n7,a.png\n\n,\n  8 ,"b, two.png"\n',
        b'file,class,overlap_group,note\n./a.png,x,7,\n"b, two.png",y,8,"line\nline"\n',
        b'file,group\na.png,7\na.png,7\na.png,\n"b, two.png",\n"b, two.png",8',
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path, text):
    assert read_groups(write(tmp_path, text)) == {"a.png": "7", "b, two.png": "8"}


def test_blank_cells_are_no_group(tmp_path):
    groups = read_groups(write(tmp_path, "file,group\na.png,\nb.png,b.png\nc.png, \nd.png,b.png\n"))
    grouped = with_groups(images(["a.png", "b.png", "c.png", "d.png"]), groups, where="g.csv")
    assert list(grouped.groups) == ["a.png", "b.png", "c.png", "b.png"]
    assert grouped.notes == ("2 images without a group in g.csv stand alone (first: a.png)",)
    (lone,) = with_groups(images(["a.png"]), {"a.png": "", "x.png": "a.png"}, where="g").groups
    assert lone != "a.png"


@pytest.mark.parametrize(
    ("rows", "line", "complaint"),
    [
        ("a.png,1\nb.png\nc.png,2\n", 3, "1 cell instead of the 2"),
        ("a.png,1\n\n\nb, two.png,1\n", 5, "3 cells instead of the 2"),
        ('"a\nb.png",1\nc.png,1,\n', 4, "3 cells instead of the 2"),
        ("a.png,1\n,2\n", 3, "no file name"),
        (
            "a.png,g1\nb.png,g1\na.png,g2\n",
            4,
            r"a\.png is in group g2 here, but line 2 puts it in g1",
        ),
        ("a\\\\1.png,g1\na/1.png,\n./a/1.png,g2\n", 4, r"a/1\.png is in group g2 .* in g1"),
    ],
)
def test_a_damaged_row_is_named_by_its_line(tmp_path, rows, line, complaint):
    with pytest.raises(InputError, match=rf"groups\.csv, line {line}: {complaint}"):
        read_groups(write(tmp_path, f"file,group\n{rows}".replace("\\\\", "\\")))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file;group\na.png;1\n", "uses semicolons as its separator; save it with commas"),
        ('"file";"group"\r\n"a.png";"1"\r\n', "uses semicolons as its separator"),
        ("class\tfile\tgroup\nx\ta.png\t1\n", "uses tabs as its separator"),
        ('file,group\n"a.png"x,1\n', "cannot read the groups .* after line 1"),
        ('file,group\na.png,1\n"b.png,1\nc.png,2\n', "cannot read the groups .* after line 2"),
        ("file,group,group\na.png,1,2\n", "the column 'group' more than once"),
        ("\xfc".encode("latin-1") + b",group\n", "it is not UTF-8 text"),
    ],
)
def test_other_tables_are_told_what_they_are(tmp_path, text, complaint):
    with pytest.raises(InputError, match=complaint) as error:
        read_groups(write(tmp_path, text))
    assert "\n" not in str(error.value)


def test_rows_that_name_no_image_are_counted():
    groups = {"a/1.png": "1", "gone/2.png": "1", "3.png": "2"}
    assert with_groups(images(["a/1.png"]), groups, where="g.csv").notes == (
        "2 rows of g.csv name no image of this set (first: gone/2.png)",
    )


def test_a_bare_name_that_fits_two_images_is_not_guessed():
    files = ["crack/1.png", "good/1.png"]
    with pytest.raises(
        InputError,
        match=r"1\.png in g is ambiguous: it could be crack/1\.png or good/1\.png; .*path",
    ):
        with_groups(images(files), {"1.png": "7"}, where="g")
    with pytest.raises(InputError, match=r"1 of 2 images have no group .* good/1\.png"):
        with_groups(images(files), {"crack/1.png": "7"}, where="g")
    windows = with_groups(images(["crack/1.png"]), {"D:/set/crack/1.png": "7"}, where="g")
    assert list(windows.groups) == ["7"]
