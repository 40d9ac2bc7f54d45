"""Piles of many images: all overlaps, no strangers, each file read once, few notes.

EDGECL_PILE sets the number of images; the default is quick.
"""

from __future__ import annotations

import itertools
import json
import os
import tracemalloc
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.piles import draw_pile
from edgecl.cli.shell import run
from edgecl.data.audit.findings import Audit, audit
from edgecl.data.audit.sets import read_sets
from edgecl.data.dataset import Skipped, skipped_notes
from edgecl.learning.run.leaks import copies_of
from runtime.image.decode import read_encoded
from tests.edgecl.data.test_audit import silent, texture

PILE = int(os.environ.get("EDGECL_PILE", 1000))


def grouped(folder: Path, strips: list[list[str]]) -> tuple[Audit, int, int, int]:
    """Audit, and count pairs of one strip, those in one group, and groups of several strips."""
    found = audit(read_sets([folder], silent), silent)
    group = dict(zip(found.sets.files, found.groups.tolist(), strict=True))
    pairs = [pair for strip in strips for pair in itertools.combinations(strip, 2)]
    strips_of = Counter(owner for strip in strips for owner in {group[name] for name in strip})
    return (
        found,
        len(pairs),
        sum(group[one] == group[other] for one, other in pairs),
        sum(count > 1 for count in strips_of.values()),
    )


def test_a_pile_gives_its_overlaps_and_joins_no_strangers(tmp_path, monkeypatch):
    strips = draw_pile(tmp_path, PILE)
    opened: Counter[Path] = Counter()

    def counting(path: Path) -> bytes:
        opened[path] += 1
        return read_encoded(path)

    monkeypatch.setattr("edgecl.data.reading.read_encoded", counting)
    found, pairs, together, mixed = grouped(tmp_path, strips)
    assert len(opened) == PILE
    assert set(opened.values()) == {1}
    assert together >= 0.98 * pairs
    assert not mixed
    assert found.chance.threshold == 0.9
    assert found.chance.expected_false <= 0.01 * pairs


def test_images_that_all_look_alike_are_not_grouped_and_the_summary_says_why(tmp_path, capsys):
    draw_pile(tmp_path / "pile", 150, kind="lines")
    out = str(tmp_path / "groups.csv")
    assert run(["audit", str(tmp_path / "pile"), "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["largest_group"] == 1
    assert told["chance"]["threshold"] is None
    assert told["chance"]["links_as_given"] < 20 * told["chance"]["expected_false_as_given"]
    assert "no threshold tells overlaps from chance" in told["notes"][-1]


def test_mirrored_copies_are_told_of_and_do_not_pass_for_chance(tmp_path):
    strips = draw_pile(tmp_path, 120)
    for number, strip in enumerate(strips):
        for name in strip:
            image = cv2.imread(str(tmp_path / name), cv2.IMREAD_GRAYSCALE)
            path = tmp_path / f"{Path(name).with_suffix('')}_flipped.jpg"
            cv2.imwrite(str(path), cv2.flip(image, number % 3 - 1))
    found, pairs, together, mixed = grouped(tmp_path, strips)
    assert together == pairs > 0
    assert not mixed
    assert found.chance.mirrored_copies >= 30  # a third of them, those mirrored in the same way
    assert "are mirror images of each other" in found.notes[-1]


def test_copies_are_looked_for_in_bounded_memory():
    rng = np.random.default_rng(1)
    images, others = rng.integers(0, 256, (2, 5000, 32, 32), np.uint8)
    images[[3, 4999]] = others[[4000, 0]]
    tracemalloc.start()
    found = copies_of(images, others)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.flatnonzero(found).tolist() == [3, 4999]
    assert peak < len(images) * len(others) * 4  # one float for each pair


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """100 images of which 30 are broken: cut at different places, or no images at all."""
    folder = tmp_path / "broken"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for number in range(100):
        path = folder / f"x_{number}.jpg"
        cv2.imwrite(str(path), texture(rng, 100, 100))
        if number % 10 in (1, 5):
            path.write_bytes(path.read_bytes()[: 900 + 13 * number])
        elif number % 10 == 8:
            path.write_bytes(b"no image")
    return folder


def test_many_broken_files_are_a_note_or_two(broken, tmp_path, capsys):
    out = str(tmp_path / "groups.csv")
    assert run(["audit", str(broken), "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["skipped"] == 30
    assert len(told["notes"]) <= 2
    assert run(["audit", str(broken), "--out", out]) == 0
    assert len(capsys.readouterr().out.splitlines()) < 10


def test_reasons_that_differ_in_numbers_are_one_and_rare_ones_are_counted():
    many = [Skipped(f"{row}.jpg", f"cut after {row} bytes") for row in range(3000)]
    assert skipped_notes(many) == ["skipped 3000 files: cut after 0 bytes (first: 0.jpg)"]
    odd = [Skipped(f"odd{letter}.jpg", f"reason {letter}") for letter in "abcdef"]
    notes = skipped_notes([*many, *odd])
    assert len(notes) == 4
    assert notes[-1] == "skipped 4 more files for 4 other reasons"
    assert skipped_notes(odd[:2]) == ["skipped odda.jpg: reason a", "skipped oddb.jpg: reason b"]
