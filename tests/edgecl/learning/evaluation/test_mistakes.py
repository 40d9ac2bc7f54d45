"""Which mistakes a run keeps, and that the images are those."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

from edgecl.learning.evaluation.mistakes import SHOWN, most_confident_mistakes, write_mistakes

LABELS = ("dark", "bright")


def write(run, confidences, *, targets, images=None, files=None):
    """Images that are all answered `bright`."""
    count = len(confidences)
    bright = np.array(confidences, np.float32)
    write_mistakes(
        run,
        images=np.zeros((count, 8, 8), np.uint8) if images is None else images,
        files=files or [f"{number}.png" for number in range(count)],
        targets=np.array(targets),
        probabilities=np.stack([1 - bright, bright], axis=1),
        labels=LABELS,
    )
    with open(run / "mistakes" / "mistakes.csv", "rb") as stream:
        lines = stream.read().decode(errors="surrogateescape")
    return list(csv.DictReader(lines.splitlines(keepends=True)))


def test_mistakes_come_most_confident_first_and_equal_ones_in_their_order():
    truth = ["a", "a", "b", "a", "a", "a"]
    predicted = ["b", "a", "a", "b", "b", "b"]
    confidence = [0.6, 1.0, 0.9, 0.6, float("nan"), 0.95]
    assert most_confident_mistakes(truth, predicted, confidence) == [5, 2, 0, 3, 4]


def test_the_kept_images_are_those_of_the_mistakes(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 6, 9), np.uint8)
    confidences = rng.permutation(np.linspace(0.51, 0.99, 20)).round(4)
    targets = [0] * 15 + [1] * 5
    rows = write(tmp_path, confidences, targets=targets, images=images)
    expected = sorted(range(15), key=lambda row: -confidences[row])[:SHOWN]
    assert [row["file"] for row in rows] == [f"{row}.png" for row in expected]
    for rank, (row, number) in enumerate(zip(rows, expected, strict=True), start=1):
        kept = cv2.imread(str(tmp_path / "mistakes" / f"{rank:02d}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(kept, images[number])
        assert (row["rank"], row["truth"], row["predicted"]) == (str(rank), "dark", "bright")
        assert float(row["confidence"]) == pytest.approx(confidences[number])
        assert float(row["truth_probability"]) == pytest.approx(1 - confidences[number])
    assert len(list((tmp_path / "mistakes").iterdir())) == SHOWN + 1


def test_nothing_of_an_earlier_try_stays(tmp_path):
    assert len(write(tmp_path, [0.9, 0.8, 0.7], targets=[0, 0, 0])) == 3
    assert len(write(tmp_path, [0.9, 0.8, 0.7], targets=[1, 0, 1])) == 1
    assert {path.name for path in (tmp_path / "mistakes").iterdir()} == {"01.png", "mistakes.csv"}
    assert write(tmp_path, [0.9, 0.8, 0.7], targets=[1, 1, 1]) == []
    assert {path.name for path in tmp_path.iterdir()} == {"mistakes"}


@pytest.mark.parametrize("name", ['a,"b"\n.png', "../../up.png", "=1+1.png", "\udcff\udcfe.png"])
def test_a_file_name_is_written_as_it_is_and_names_no_path(tmp_path, name):
    rows = write(tmp_path / "run", [0.9], targets=[0], files=[name])
    assert rows[0]["file"] == name
    assert {path.name for path in tmp_path.rglob("*.png")} == {"01.png"}
