"""The export of a review: originals by class, their groups, and what is left out."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest

from edgecl.data.groups import read_groups, with_groups
from edgecl.data.reading import read_labelled
from edgecl.review.agreed import read_agreed
from edgecl.review.collected import find_collected
from edgecl.review.decisions.journal import JOURNAL, ReviewJournal
from edgecl.review.decisions.standing import DecisionLine
from edgecl.review.export.documents import ReviewExport
from edgecl.review.export.events import links_of_events
from edgecl.review.export.folder import GROUPS, ORIGINS, write_data_folder
from runtime.artifact.contract import InputContract
from runtime.errors import InputError
from tests.edgecl.conftest import fill
from tests.edgecl.review.desks import collect, decision, digests, silent


def decide(folder: Path, *labels: str, reviewer: str = "Anna") -> None:
    journal = ReviewJournal(folder)
    for number, (image, label) in enumerate(zip(digests(folder), labels, strict=False)):
        sent = decision(image, label, id=f"{reviewer}-{number:06d}", reviewer=reviewer)
        journal.add(DecisionLine(**sent, at="2026-11-27T10:00:00Z", file="x.png"))
    journal.close()


def exported(folder: Path, out: Path, labelled: Path | None = None) -> ReviewExport:
    return write_data_folder(read_agreed(folder, silent), folder, out, silent, labelled)


def origins(out: Path) -> list[dict[str, str]]:
    with open(out / ORIGINS, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_training_takes_what_was_exported(tmp_path):
    folder = collect(tmp_path / "kept", 6)
    decide(folder, "dent", "scratch", "dent", "scratch", "", "edge crack")
    out = tmp_path / "data"
    summary = exported(folder, out)
    assert summary.images == {"dent": 2, "edge crack": 1, "scratch": 2}
    assert summary.dont_know == 1
    dataset = read_labelled(out, InputContract(32, 32))
    assert dataset.labels == ("dent", "edge crack", "scratch")
    grouped = with_groups(dataset, read_groups(out / GROUPS), where="groups.csv")
    assert len(set(grouped.groups)) == summary.groups == 5
    for row in origins(out):
        data = (out / row["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert data == (folder / row["source"]).read_bytes()
        assert row["reviewers"] == "Anna"


def test_frames_of_one_event_are_in_one_group(tmp_path):
    folder = collect(tmp_path / "kept", 4)
    records = sorted(folder.rglob("*.json"))
    value = json.loads(records[2].read_text())
    records[2].write_text(json.dumps({**value, "event": "run/0"}))
    decide(folder, "dent", "dent", "scratch", "scratch")
    assert list(links_of_events(find_collected(folder).images)) == [(0, 2)]
    out = tmp_path / "data"
    assert exported(folder, out).groups == 3
    groups = read_groups(out / GROUPS)
    names = [row["file"] for row in origins(out)]
    assert groups[names[0]] == groups[names[2]] != groups[names[1]]


def test_frames_within_a_moment_are_one_event(tmp_path):
    folder = collect(tmp_path / "kept", 3, second=0.4)
    assert list(links_of_events(find_collected(folder).images)) == [(0, 1), (1, 2)]
    later = collect(tmp_path / "later", 3, second=0.6)
    assert list(links_of_events(find_collected(later).images)) == []


def test_disagreements_are_left_out_until_they_are_settled(tmp_path):
    folder = collect(tmp_path / "kept", 3)
    decide(folder, "dent", "dent", "scratch")
    decide(folder, "dent", "scratch", "", reviewer="Ben")
    out = tmp_path / "data"
    summary = exported(folder, out)
    assert summary.images == {"dent": 1, "scratch": 1}
    assert summary.disagreements == 1
    assert summary.reviewers == ("Anna", "Ben")
    assert origins(out)[0]["reviewers"] == "Anna; Ben"


def test_decided_images_that_are_gone_are_counted(tmp_path):
    folder = collect(tmp_path / "kept", 2)
    decide(folder, "dent", "scratch")
    min(folder.rglob("*.png")).unlink()
    summary = exported(folder, tmp_path / "data")
    assert (summary.gone, summary.images) == (1, {"scratch": 1})
    assert any("no longer in" in note for note in summary.notes)
    assert any("only one class" in note for note in summary.notes)


def test_labelled_images_are_written_beside_them(tmp_path):
    folder = collect(tmp_path / "kept", 2)
    labelled = fill(tmp_path / "labelled", ("bars", "posts"), 3)
    again = labelled / "bars" / "again.png"
    again.write_bytes(min(folder.rglob("*.png")).read_bytes())
    decide(folder, "posts", "dent")
    summary = exported(folder, tmp_path / "data", labelled)
    assert summary.labelled == 6
    labels = {row["sha256"]: row["label"] for row in origins(tmp_path / "data")}
    assert labels[digests(folder)[0]] == "posts"  # the review goes before the earlier label


def test_names_that_clash_or_look_like_masks_are_told_apart(tmp_path):
    folder = tmp_path / "kept"
    images = sorted(collect(tmp_path / "source", 3).rglob("*.png"))
    for name, path in zip(("a/x.png", "b/x.png", "a/x_mask.png"), images, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(path.read_bytes())
    decide(folder, "dent", "dent", "dent")
    out = tmp_path / "data"
    exported(folder, out)
    assert len({row["file"] for row in origins(out)}) == 3
    assert len(find_collected(out).images) == 3


def test_an_earlier_export_is_replaced_and_nothing_else(tmp_path):
    folder = collect(tmp_path / "kept", 2)
    decide(folder, "dent", "scratch")
    out = tmp_path / "data"
    exported(folder, out)
    decide(folder, "scratch", "scratch", reviewer="Ben")
    exported(folder, out)
    assert not (out / "dent").exists()
    (out / "scratch" / "mine.png").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"mine\.png"):
        exported(folder, out)
    assert (out / "scratch" / "mine.png").read_bytes() == b"mine"


def test_a_folder_of_other_things_is_refused(tmp_path):
    folder = collect(tmp_path / "kept", 2)
    decide(folder, "dent", "scratch")
    out = tmp_path / "data"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        exported(folder, out)
    for inside in (folder, folder / "data", tmp_path):
        with pytest.raises(InputError, match="contain each other"):
            exported(folder, inside)


def test_nothing_decided_or_agreed_is_said(tmp_path):
    folder = collect(tmp_path / "kept", 2)
    with pytest.raises(InputError, match="nothing is decided"):
        read_agreed(folder, silent)
    decide(folder, "dent")
    decide(folder, "scratch", reviewer="Ben")
    with pytest.raises(InputError, match="agree on no image"):
        exported(folder, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert (folder / JOURNAL).exists()
