"""What reviewers look at: records, heat maps, equal files, neighbours, and what cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.review.cache import AnswerCache
from edgecl.review.collected import find_collected
from edgecl.review.decisions.journal import ReviewJournal
from edgecl.review.desk import Desk, lay_out
from edgecl.review.neighbours import EmbeddingIndex
from edgecl.review.office import ReviewOffice
from edgecl.review.state import SentDecision
from edgecl.review.views import ImageViews
from runtime.artifact.bundle import load_bundle
from runtime.errors import InputError
from runtime.session import open_session
from tests.edgecl.review.desks import collect, decision, silent


def gray(path: Path, level: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((32, 48), level, np.uint8)
    image[::7] = level // 2
    assert cv2.imwrite(str(path), image)
    return path


def test_records_are_read_and_damaged_ones_are_left(tmp_path):
    folder = collect(tmp_path / "kept", 3)
    first, second, third = sorted(folder.rglob("*.json"))
    second.write_text("{nonsense")
    third.write_text(json.dumps({"verdict": {"label": 7}}))
    images = find_collected(folder).images
    assert [image.record is None for image in images] == [False, True, True]
    record = images[0].record
    assert record is not None
    assert (record.verdict.label, record.verdict.status) == ("scratch", "reject")
    assert first.exists()


@pytest.mark.parametrize("inside", [False, True])
def test_heat_maps_are_known_and_are_no_originals(tmp_path, inside):
    stream = tmp_path / "stream"
    gray(stream / "heat_maps" / "00000041.jpg", 90)
    line = {"schema": 1, "frame": 41, "captured_at": "2026-11-27T04:14:15.378891Z"}
    line |= {"label": "dent", "confidence": 0.9, "file": "heat_maps/00000041.jpg"}
    torn = json.dumps({**line, "left": 3, "top": 4}) + '\n{"schema": 1, "fra'
    (stream / "heat_maps.jsonl").write_text(torn)
    found = find_collected(stream / "heat_maps" if inside else stream)
    assert [image.under_heat_map for image in found.images] == [True]
    assert "no originals" in found.notes[0]
    record = found.images[0].record
    assert record is not None
    assert record.verdict.label == "dent"
    colours = ImageViews().view(found.images[0].path, "image", in_colour=True)
    assert colours == found.images[0].path.read_bytes()


def test_equal_files_are_shown_once_and_broken_ones_not_at_all(tmp_path):
    first = gray(tmp_path / "kept" / "a.png", 90)
    (tmp_path / "kept" / "b.png").write_bytes(first.read_bytes())
    (tmp_path / "kept" / "c.png").write_bytes(first.read_bytes()[:40])
    desk = lay_out(tmp_path / "kept", silent)
    assert [entry.image.file for entry in desk.images] == ["a.png"]
    assert "1 file equal" in desk.notes[0]
    assert "c.png" in desk.notes[1]


@pytest.mark.parametrize("content", [None, b"", b"no image"])
def test_a_folder_without_readable_images_is_refused(tmp_path, content):
    (tmp_path / "kept").mkdir()
    if content is not None:
        (tmp_path / "kept" / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="images"):
        lay_out(tmp_path / "kept", silent)


def with_model(tmp_path: Path, make_bundle, cache: AnswerCache | None = None) -> Desk:
    bundle_path = tmp_path / "tiny.edgecl"
    if not bundle_path.exists():
        make_bundle(bundle_path)
        for label, level in (("dark", 30), ("bright", 220)):
            gray(tmp_path / "labelled" / label / "1.png", level)
            gray(tmp_path / "labelled" / label / "2.png", level + 3)
        gray(tmp_path / "kept" / "a.png", 35)
        gray(tmp_path / "kept" / "b.png", 36)
    bundle = load_bundle(bundle_path)
    with open_session(bundle, "fp32", device="cpu") as session:
        return lay_out(
            tmp_path / "kept",
            silent,
            labelled=tmp_path / "labelled",
            bundle=bundle,
            session=session,
            cache=cache,
        )


def test_the_bundle_answers_and_its_labels_are_offered(tmp_path, make_bundle):
    desk = with_model(tmp_path, make_bundle)
    assert desk.labels == ("bright", "dark", "middle")
    answer = desk.images[0].answer
    assert answer is not None
    assert max(answer, key=lambda label: answer[label]) == "dark"


def test_images_that_reviewers_agree_on_become_neighbours(tmp_path, make_bundle):
    desk = with_model(tmp_path, make_bundle)
    journal = ReviewJournal(tmp_path / "kept")
    office = ReviewOffice(desk, journal)
    first, second = (entry.digest for entry in desk.images)
    assert {found.source for found in office.near(first)} == {"labelled"}
    office.decide(SentDecision(**decision(second, "middle")))
    near = {found.id: found for found in office.near(first)}
    assert near[second].source == "review"
    assert near[second].label == "middle"
    office.decide(SentDecision(**decision(second, "dark", reviewer="Ben", number=1)))
    assert second not in {found.id for found in office.near(first)}
    journal.close()


def test_the_nearest_come_first_and_never_the_image_itself():
    embeddings = np.array([[1, 0], [0.9, 0.1], [0, 1], [0, 0]], np.float32)
    index = EmbeddingIndex(["a", "b", "c", "d"], embeddings)
    labels = {"a": "x", "b": "x", "c": "y", "gone": "z"}
    assert [found.digest for found in index.nearest("a", labels)] == ["b", "c"]
    assert index.nearest("unknown", labels) == []
    assert index.nearest("a", {}) == []
    assert [found.similarity for found in index.nearest("d", labels)] == [0, 0, 0]


def test_answers_are_asked_for_once(tmp_path, make_bundle):
    folder = tmp_path / "cache"
    with_model(tmp_path, make_bundle, AnswerCache("model", 3, folder))
    again = AnswerCache("model", 3, folder)
    assert len(again) == 6
    desk = with_model(tmp_path, make_bundle, again)
    assert desk.images[0].answer is not None
    assert len(AnswerCache("other model", 3, folder)) == 0
    assert len(AnswerCache("model", 4, folder)) == 0


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04nonsense", b"\x80\x04pickle"])
def test_a_damaged_cache_costs_time_alone(tmp_path, make_bundle, damage):
    folder = tmp_path / "cache"
    with_model(tmp_path, make_bundle, AnswerCache("model", 3, folder))
    (path,) = folder.iterdir()
    path.write_bytes(damage)
    cache = AnswerCache("model", 3, folder)
    assert len(cache) == 0
    with_model(tmp_path, make_bundle, cache)
    assert len(AnswerCache("model", 3, folder)) == 6


def test_a_name_that_is_not_utf_8_can_be_reviewed(tmp_path):
    path = gray(tmp_path / "kept" / "a.png", 90)
    path.rename(Path(os.fsdecode(os.fsencode(path.parent) + b"/b\xff.png")))
    desk = lay_out(tmp_path / "kept", silent)
    journal = ReviewJournal(tmp_path / "kept")
    office = ReviewOffice(desk, journal)
    office.decide(SentDecision(**decision(desk.images[0].digest)))
    assert office.state().images[0].file == "b?.png"
    journal.close()
