"""`edgecl pick`: what it writes, by which rule, and what it says of folders that nobody expects."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.picking.doubtful import ENOUGH
from tests.edgecl.command import start
from tests.edgecl.conftest import draw, fill

KINDS = ("bars", "blob", "posts")


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pool() -> Path:
    """30 images of three kinds, in one folder without classes."""
    rng = np.random.default_rng(7)
    Path("pool").mkdir()
    for number in range(30):
        cv2.imwrite(f"pool/image{number}.png", draw(KINDS[number % 3], rng))
    return Path("pool")


def picked(capfd, *arguments: object) -> dict[str, Any]:
    assert edgecl(["pick", *map(str, arguments), "--json"]) == 0, capfd.readouterr().err
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def refused(capfd, *arguments: object) -> str:
    assert edgecl(["pick", *map(str, arguments)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    line: str = [line for line in captured.err.splitlines() if line.startswith("edgecl: ")][-1]
    assert captured.err.endswith(f"{line}\n")
    return line


def table(folder: str = "picked") -> list[dict[str, str]]:
    with open(
        Path(folder, "picked.csv"), newline="", encoding="utf-8", errors="surrogateescape"
    ) as stream:
        return list(csv.DictReader(stream))


def test_the_folder_holds_copies_by_rank_a_table_and_a_page(pool, capfd, check_page):
    found = picked(capfd, pool, "--count", 6)
    rows = table()
    assert [row["rank"] for row in rows] == list("123456")
    assert list(rows[0]) == ["rank", "file", "copy", "reason", "cluster", "typicality", "margin"]
    for row in rows:
        assert Path("picked", row["copy"]).read_bytes() == Path(row["file"]).read_bytes()
        assert row["reason"].startswith(("typical of ", "unlike all "))
        assert row["margin"] == ""
    names = {row["copy"] for row in rows}
    assert {path.name for path in Path("picked").iterdir()} == {
        *names,
        "picked.csv",
        "picked.html",
    }
    assert sorted(names) == [row["copy"] for row in rows]
    page = check_page(Path("picked/picked.html"))
    assert "6 images to label" in page.text
    assert found["way"] == "typical"
    assert (found["images"], found["labelled"], found["clusters"]) == (30, 0, 6)
    assert [row["file"] for row in found["picked"]] == [row["file"] for row in rows]


def test_without_json_the_rule_and_the_page_are_printed(pool, capfd):
    assert edgecl(["pick", str(pool), "--count", "3"]) == 0
    out = capfd.readouterr().out.splitlines()
    assert out[0] == "3 typical images of 30, 0 labelled already: no image has a label"
    assert out[-1] == "picked/picked.html"


def test_labels_enough_let_a_model_choose_and_their_copies_are_passed_over(pool, capfd):
    fill(Path("known"), KINDS, ENOUGH, seed=3)
    for number in range(5):
        shutil.copy(f"known/bars/bars_{number + 1}.png", pool / f"again{number}.png")
    found = picked(capfd, pool, "--count", 5, "--labelled", "known")
    assert (found["way"], found["copies"], found["classes"]) == ("doubtful", 5, 3)
    assert not any("again" in row["file"] for row in found["picked"])
    assert all(0 <= row["margin"] <= 1 for row in found["picked"])
    assert all(" or " in row["reason"] for row in found["picked"])


def test_a_second_pick_takes_none_of_the_first(pool, capfd):
    first = picked(capfd, pool, "--count", 8)
    second = picked(capfd, pool, "--count", 8, "--labelled", "picked", "--out", "next")
    one, other = ({row["file"] for row in found["picked"]} for found in (first, second))
    assert not one & other
    assert second["way"] == "typical"


def test_a_run_of_another_size_describes_the_images_and_brings_its_labels(
    pool, capfd, trained_run, class_folders
):
    found = picked(capfd, pool, "--count", 4, "--run", trained_run)
    assert (found["labelled"], found["way"]) == (120, "doubtful")
    assert found["model"].startswith("logistic regression")


def test_a_run_whose_images_are_gone_is_asked_itself(pool, capfd, trained_run):
    shutil.copytree(trained_run, "moved")
    config = json.loads(Path("moved/config.json").read_text())
    config["choices"]["data"] = "/gone/away"
    Path("moved/config.json").write_text(json.dumps(config))
    found = picked(capfd, pool, "--count", 4, "--run", "moved")
    assert (found["labelled"], found["way"]) == (0, "doubtful")
    assert found["model"] == "the network of moved"
    assert "not in /gone/away any more" in found["notes"][0]


def test_one_image_is_picked_where_one_is_asked_for(pool, capfd):
    assert len(picked(capfd, pool, "--count", 1)["picked"]) == 1


def test_fewer_images_than_asked_for_are_all_taken_with_a_note(pool, capfd):
    found = picked(capfd, pool, "--count", 1000)
    assert len(found["picked"]) == 30
    assert found["notes"][-1].startswith("30 images of the 1000 asked for")


def test_of_identical_images_one_is_taken(capfd):
    Path("same").mkdir()
    for number in range(20):
        cv2.imwrite(f"same/{number}.png", np.full((30, 30), 90, np.uint8))
    found = picked(capfd, "same", "--count", 5)
    assert (len(found["picked"]), found["copies"]) == (1, 19)
    assert found["notes"][-1].startswith("1 image of the 5 asked for")
    assert "nan" not in Path("picked/picked.csv").read_text()


def test_broken_files_are_left_out_with_a_note(pool, capfd):
    for number in range(9):
        Path(pool, f"image{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    found = picked(capfd, pool, "--count", 30)
    assert len(found["picked"]) == found["images"] == 21
    assert "skipped 9 files" in found["notes"][0]


def test_names_of_any_bytes_become_safe_ones_and_are_told(capfd, check_page):
    rng = np.random.default_rng(0)
    Path("odd").mkdir()
    names = [
        b"two\nlines.png",
        "\u00fc\u2603 \u9508.png".encode(),
        b"\xff\xfe.png",
        b"-.png",
        b'a,"b".PNG',
    ]
    for name in names:
        data = cv2.imencode(".png", draw("blob", rng))[1].tobytes()
        Path(os.fsdecode(b"odd/" + name)).write_bytes(data)
    picked(capfd, "odd", "--count", 5)
    rows = table()
    assert {os.fsencode(row["file"]) for row in rows} == {b"odd/" + name for name in names}
    for row in rows:
        assert row["copy"].isascii()
        assert row["copy"].replace("_", "").replace(".", "").replace("-", "").isalnum()
        assert Path("picked", row["copy"]).is_file()
    check_page(Path("picked/picked.html"))


def test_equal_names_of_several_folders_do_not_meet(capfd):
    fill(Path("one"), ("bars",), 3)
    fill(Path("two"), ("bars",), 3, seed=5)
    found = picked(capfd, "one", "two", "--count", 6)
    assert len({row["copy"] for row in found["picked"]}) == 6


def test_a_folder_that_is_not_there_is_refused_and_nothing_is_left(capfd):
    assert "nowhere does not exist" in refused(capfd, "nowhere")
    assert not Path("picked").exists()


def test_a_folder_without_images_is_refused(capfd):
    Path("empty").mkdir()
    assert "no images in empty" in refused(capfd, "empty")


def test_a_folder_that_has_something_in_it_is_never_written_over(pool, capfd):
    Path("picked").mkdir()
    Path("picked/labels.txt").write_text("mine")
    assert "picked already exists; choose another --out" in refused(capfd, pool)
    assert [path.name for path in Path("picked").iterdir()] == ["labels.txt"]


def test_where_all_is_labelled_nothing_is_left_to_pick(pool, capfd):
    line = refused(capfd, pool, "--labelled", pool)
    assert "nothing is left to label: all 30 images are copies of labelled ones" in line
    assert not Path("picked").exists()


def test_a_run_that_is_none_is_refused_before_images_are_read(pool, capfd):
    assert "pool is not a run" in refused(capfd, pool, "--run", pool)


def test_a_scale_beside_a_run_is_refused(pool, capfd, trained_run):
    line = refused(capfd, pool, "--run", trained_run, "--scale", "0.5")
    assert line.startswith("edgecl: --scale sets the scale of the images, but --run has its own")


def test_an_image_that_vanishes_leaves_no_folder(pool, capfd, monkeypatch):
    from edgecl.picking import work

    write = work.write_picked

    def late(folder, found):
        found.paths[-1].unlink()
        write(folder, found)

    monkeypatch.setattr(work, "write_picked", late)
    assert "cannot read pool/image" in refused(capfd, pool, "--count", 3)
    assert not Path("picked").exists()


def test_an_interrupt_leaves_no_folder(pool, capfd, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgecl.picking.work.write_picked", interrupted)
    assert edgecl(["pick", str(pool), "--count", "3"]) == 130
    assert capfd.readouterr().err.splitlines()[-1] == "edgecl: interrupted"
    assert {path.name for path in Path().iterdir()} == {"pool"}


def test_ctrl_c_leaves_no_folder(pool):
    process = start("pick", pool, "--count", 3, stderr=-1, stdout=-1)
    while not Path("picked").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "edgecl: interrupted"
    assert {path.name for path in Path().iterdir()} == {"pool"}
