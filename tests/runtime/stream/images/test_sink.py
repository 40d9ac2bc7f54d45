"""Images of a stream: what is kept, what goes, and what cannot be written."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.camera.base import Frame
from runtime.errors import InputError
from runtime.stream.rules import Rules
from runtime.stream.sinks import StreamFacts, background, open_sink
from runtime.stream.sinks.images import sink as module
from runtime.stream.sinks.images.folder import ImagesFolder
from runtime.stream.sinks.images.record import ImageRecord, read_image_record
from runtime.stream.verdict import Decision, Status, Verdict
from tests.small_disks import mounted_disk

LABELS = ("clean", "spot")
FACTS = StreamFacts(
    run="20261127T040000Z-0123abcd", bundle="line.edgecl", digest="d", lot="4711", rules=Rules()
)
DAY_NS = 86400 * 10**9
START_NS = 1795752000 * 10**9  # 2026-11-27T04:00:00Z


def frame_of(number: int, pixels: Any = None, bits: int | None = None) -> Frame:
    if pixels is None:
        pixels = np.full((8, 12), number % 256, np.uint8)
    return Frame(number, pixels, 0, 0, bits=bits, name="a.png")


def verdict_of(
    number: int, status: str = "reject", *, camera: str = "", day: int = 0, label: str = "spot"
) -> Verdict:
    probabilities = np.array([0.1, 0.9], np.float32) if label else None
    decision = Decision(
        Status(status), label, 0.9 if label else 0.0, distance=0.5, probabilities=probabilities
    )
    wall = START_NS + day * DAY_NS + number * 40_000_000
    return Verdict(number, number * 40_000_000, wall, decision, {"total": 1}, camera=camera)


class Kept:
    """A sink into `images` below a folder, and what it has written."""

    def __init__(self, folder: Path, options: str = "cooldown=0s", facts: StreamFacts = FACTS):
        self.told: list[str] = []
        self.folder = folder / "images"
        self.sink = open_sink(
            f"images:images?{options}", folder, LABELS, stream=facts, report=self.told.append
        )

    def give(self, *numbers: int, status: str = "reject", **more: Any) -> None:
        for number in numbers:
            self.sink.observe(frame_of(number), verdict_of(number, status, **more))

    def until(self, name: str, count: int) -> None:
        while self.sink.counts[name] < count:
            os.sched_yield()

    @property
    def records(self) -> list[ImageRecord]:
        return [read_image_record(path) for path in sorted(self.folder.glob("*/*.json"))]

    @property
    def numbers(self) -> list[int]:
        return [record.verdict.frame for record in self.records]


def read_image(path: Path) -> Any:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.fixture
def slow(monkeypatch) -> threading.Event:
    """Images are encoded only from when this is set."""
    gate = threading.Event()

    def png(pixels):
        gate.wait(20)
        return b"png"

    monkeypatch.setattr(module, "png_of", png)
    return gate


def test_an_image_and_its_record(tmp_path):
    kept = Kept(tmp_path)
    pixels = np.arange(96, dtype=np.uint8).reshape(8, 12)
    kept.sink.observe(frame_of(41, pixels), verdict_of(41, camera="left"))
    kept.sink.close()
    kept.sink.close()
    (path,) = kept.folder.glob("*/*.png")
    assert str(path.relative_to(kept.folder)) == (
        "2026-11-27/20261127T040001640Z-0123abcd-left-00000041.png"
    )
    assert np.array_equal(read_image(path), pixels)
    record = read_image_record(path.with_suffix(".json"))
    assert record.file == path.name
    assert (record.id, record.policy, record.event) == (f"{FACTS.run}/left/41", "reject", "")
    assert record.probabilities == {"clean": pytest.approx(0.1), "spot": pytest.approx(0.9)}
    assert (record.bundle, record.digest, record.lot) == ("line.edgecl", "d", "4711")
    line = record.verdict
    assert (line.frame, line.status, line.label, line.distance) == (41, "reject", "spot", 0.5)
    assert kept.sink.lost == 0
    assert kept.sink.counts["written"] == kept.sink.counts["kept"] == 1
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    assert kept.sink.counts["kept_bytes"] == size
    assert kept.told == []


@pytest.mark.parametrize(
    ("pixels", "suffix"),
    [
        (np.full((4, 5, 3), (1, 2, 3), np.uint8), "png"),
        (np.full((4, 5), 4000, np.uint16), "png"),
    ],
)
def test_samples_are_kept_as_they_came(tmp_path, pixels, suffix):
    kept = Kept(tmp_path, "format=png")
    kept.sink.observe(frame_of(0, pixels, 12), verdict_of(0))
    kept.sink.close()
    (path,) = kept.folder.glob(f"*/*.{suffix}")
    assert np.array_equal(read_image(path), pixels)
    assert kept.records[0].bits == 12


def test_jpeg_is_for_eight_bits(tmp_path):
    kept = Kept(tmp_path, "format=jpg&cooldown=0s")
    kept.sink.observe(frame_of(0), verdict_of(0))
    kept.sink.observe(frame_of(1, np.full((4, 5), 4000, np.uint16)), verdict_of(1))
    kept.sink.close()
    assert [record.file[-3:] for record in kept.records] == ["jpg", "png"]


def test_frames_around_an_event_are_kept_with_its_id(tmp_path):
    kept = Kept(tmp_path, "sample=0&before=2&after=1&cooldown=0s")
    for number, status in enumerate(["pass"] * 4 + ["reject"] + ["pass"] * 3 + ["unsure", "pass"]):
        kept.give(number, status=status)
    kept.sink.close()
    told = [(r.verdict.frame, r.policy, r.event.rpartition("/")[2]) for r in kept.records]
    assert told == [
        *[(2, "before", "4"), (3, "before", "4"), (4, "reject", ""), (5, "after", "4")],
        *[(6, "before", "8"), (7, "before", "8"), (8, "unsure", ""), (9, "after", "8")],
    ]


def test_an_event_within_another_one_keeps_no_frame_twice(tmp_path):
    kept = Kept(tmp_path, "sample=0&before=3&after=3&cooldown=0s")
    for number, status in enumerate(["pass", "reject", "pass", "reject", "pass"]):
        kept.give(number, status=status)
    kept.sink.close()
    assert kept.numbers == [0, 1, 2, 3, 4]
    assert [record.policy for record in kept.records] == [
        *("before", "reject", "after", "reject", "after")
    ]


def test_frames_around_events_are_those_of_the_same_camera(tmp_path):
    kept = Kept(tmp_path, "sample=0&before=5&cooldown=0s")
    kept.give(0, 1, status="pass", camera="left")
    kept.give(2, 3, status="pass", camera="right")
    kept.give(4, camera="left")
    kept.sink.close()
    assert sorted(record.id.partition("/")[2] for record in kept.records) == [
        *("left/0", "left/1", "left/4")
    ]


def test_the_last_frames_hold_a_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HELD", 3 * 96)
    kept = Kept(tmp_path, "sample=0&before=100&cooldown=0s")
    kept.give(*range(10), status="pass")
    kept.give(10)
    kept.sink.close()
    assert kept.numbers[-1] == 10
    assert set(kept.numbers) <= {7, 8, 9, 10}


def test_frames_without_pixels_have_no_image(tmp_path):
    kept = Kept(tmp_path, "status=fault&before=2")
    kept.sink.observe(Frame(0, None, 0, 0, fault="dark"), verdict_of(0, "fault", label=""))
    kept.sink.observe(frame_of(1), verdict_of(1, "fault", label=""))  # the model failed
    kept.sink.close()
    (record,) = kept.records
    assert (record.verdict.frame, record.probabilities) == (1, {})


def test_probabilities_are_those_of_the_frame_whatever_comes_next(tmp_path, slow):
    kept = Kept(tmp_path)
    verdict = verdict_of(0)
    kept.sink.observe(frame_of(0), verdict)
    assert verdict.decision.probabilities is not None
    verdict.decision.probabilities[:] = 7  # as an engine does that has one buffer
    slow.set()
    kept.sink.close()
    assert kept.records[0].probabilities == {"clean": 0.1, "spot": 0.9}


def test_nobody_waits_and_what_is_too_much_is_counted(tmp_path, slow):
    kept = Kept(tmp_path)
    kept.give(*range(module.WAITING + 10))
    assert kept.sink.lost > 0
    slow.set()
    kept.sink.close()
    counts = kept.sink.counts
    assert counts["written"] + counts["left_out"] == module.WAITING + 10
    assert kept.sink.lost == counts["left_out"] > 0
    assert kept.numbers[-1] == module.WAITING + 9  # the newest stay
    assert kept.sink.problem == "images came faster than they could be written"


def test_waiting_images_hold_a_bounded_memory(tmp_path, slow, monkeypatch):
    monkeypatch.setattr(module, "HELD", 5 * 96)
    kept = Kept(tmp_path)
    kept.give(*range(20))
    slow.set()
    kept.sink.close()
    assert 14 <= kept.sink.counts["left_out"] <= 15


def test_the_oldest_go_where_there_are_too_many(tmp_path):
    kept = Kept(tmp_path, "most=3&cooldown=0s")
    for number in range(6):
        kept.give(number, day=number)
        kept.until("written", number + 1)
    kept.sink.close()
    assert kept.numbers == [3, 4, 5]
    assert len(list(kept.folder.rglob("*.png"))) == 3
    # Folders of days without images go, too.
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        *("2026-11-30", "2026-12-01", "2026-12-02")
    ]
    assert (kept.sink.counts["kept"], kept.sink.counts["removed"]) == (3, 3)


def test_the_limit_is_never_passed(tmp_path, monkeypatch):
    limit = 8_000
    kept = Kept(tmp_path, "most=1000&cooldown=0s")
    monkeypatch.setattr(kept.sink._folder, "_limit", limit)  # type: ignore[attr-defined]
    monkeypatch.setattr(kept.sink._folder.kept, "_largest", limit)  # type: ignore[attr-defined]
    for number in range(40):
        kept.give(number)
        kept.until("written", number + 1)
        held = sum(path.stat().st_size for path in kept.folder.rglob("*.*") if path.is_file())
        assert held == kept.sink.counts["kept_bytes"] <= limit
    kept.sink.close()
    assert kept.sink.counts["removed"] > 0
    assert kept.numbers[-1] == 39


def test_an_image_larger_than_the_limit_is_counted_and_costs_no_other(tmp_path, monkeypatch):
    kept = Kept(tmp_path)
    kept.give(0)
    kept.until("written", 1)
    monkeypatch.setattr(kept.sink._folder, "_limit", 2_000)  # type: ignore[attr-defined]
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    kept.sink.observe(frame_of(1, noise), verdict_of(1))
    kept.sink.close()
    assert kept.numbers == [0]
    assert kept.sink.lost == 1
    assert "larger than the limit of 2000" in kept.sink.problem


def test_images_go_at_their_age_whether_others_come_or_not(tmp_path, monkeypatch):
    monkeypatch.setattr(background, "IDLE_S", 0.01)
    now = [START_NS]
    monkeypatch.setitem(ImagesFolder.__init__.__kwdefaults__, "clock", lambda: now[0])
    kept = Kept(tmp_path, "days=2&cooldown=0s")
    for number, day in enumerate((2, 0, 1)):  # as where the clock was wrong at first
        kept.give(number, day=day)
    kept.until("written", 3)
    now[0] = START_NS + 2 * DAY_NS + DAY_NS // 2
    kept.until("removed", 1)
    assert kept.numbers == [2, 0]
    kept.sink.close()
    (kept.folder / "2026-11-28" / "mine.png").write_text("mine")
    now[0] += 5 * DAY_NS
    later = Kept(tmp_path, "days=2&cooldown=0s")
    assert (later.sink.counts["kept"], later.numbers) == (0, [])
    assert [path.name for path in later.folder.iterdir() if path.is_dir()] == ["2026-11-28"]
    later.sink.close()


def test_a_label_of_any_recipe_may_be_named(tmp_path):
    facts = dataclasses.replace(FACTS, other_labels=("spot", "dent"))
    kept = Kept(tmp_path, "status=none&sample=0&label=dent&cooldown=0s", facts)
    kept.give(0, status="pass", label="dent")
    kept.give(1, status="pass")
    kept.sink.close()
    assert [(record.policy, record.verdict.label) for record in kept.records] == [("label", "dent")]
    with pytest.raises(InputError, match="no recipe has a label 'x'") as caught:
        Kept(tmp_path, "label=x", facts)
    assert caught.value.hint == "choose from clean, spot, dent"


def test_images_of_earlier_streams_count_and_go_first(tmp_path):
    first = Kept(tmp_path)
    first.give(0, 1, 2)
    first.sink.close()
    second = Kept(
        tmp_path, "most=3&cooldown=0s", StreamFacts(run="20261128T000000Z-ffff0000", rules=Rules())
    )
    second.give(100, 101)
    second.sink.close()
    assert second.numbers == [2, 100, 101]
    assert second.sink.counts["removed"] == 2


def test_what_a_killed_process_left_is_cleared_and_what_is_not_ours_stays(tmp_path):
    first = Kept(tmp_path)
    first.give(0)
    first.sink.close()
    (day,) = first.folder.iterdir()
    half = f".{next(day.glob('*.png')).name}.x8d7_k"
    (day / half).write_bytes(b"half")
    alone = "20200101T000000000Z-0123abcd-00000007.png"  # its record was never written
    (day / alone).write_bytes(b"whole")
    (day / "mine.png").write_text("mine")
    (day / ".hidden").write_text("mine")
    (first.folder / "notes.txt").write_text("mine")
    (first.folder / "2020-01-01").symlink_to(tmp_path)
    second = Kept(tmp_path, "most=1&cooldown=0s")
    second.give(9)
    second.sink.close()
    assert second.numbers == [9]
    left = {path.name for path in day.iterdir()}
    assert {"mine.png", ".hidden"} <= left
    assert not {half, alone} & left
    assert (first.folder / "notes.txt").exists()
    assert (first.folder / "2020-01-01").is_symlink()


def test_images_that_somebody_moves_are_not_missed(tmp_path):
    kept = Kept(tmp_path, "most=2&cooldown=0s")
    for number in range(2):
        kept.give(number)
        kept.until("written", number + 1)
    for path in list(kept.folder.glob("*/*")):
        path.rename(tmp_path / path.name)
    kept.give(2, 3)
    kept.sink.close()
    assert kept.numbers == [2, 3]
    assert kept.sink.lost == 0


def test_two_streams_do_not_share_a_folder(tmp_path):
    kept = Kept(tmp_path)
    with pytest.raises(InputError) as caught:
        Kept(tmp_path)
    assert "another process is writing" in str(caught.value)
    assert caught.value.hint.startswith("give each stream a folder of its own")
    kept.sink.close()
    Kept(tmp_path).sink.close()


def test_a_folder_that_stays_empty_leaves_nothing(tmp_path):
    kept = Kept(tmp_path, "status=reject&sample=0")
    kept.give(0, status="pass")
    kept.sink.close()
    assert not kept.folder.exists()


@pytest.mark.parametrize("target", ["images", "kept/../images"])
def test_a_file_in_the_way_is_one_line(tmp_path, target):
    (tmp_path / "images").write_text("a file")
    (tmp_path / "kept").mkdir()
    with pytest.raises(InputError, match=r"--sink images: cannot write .*images: Not a directory"):
        open_sink(f"images:{target}", tmp_path, LABELS)


@pytest.mark.parametrize("target", [".", "heat_maps", "x/../heat_maps"])
def test_the_streams_own_folders_are_refused(tmp_path, target):
    with pytest.raises(InputError, match="the stream itself writes"):
        open_sink(f"images:{target}", tmp_path, LABELS, taken=("heat_maps",))


def test_a_label_that_the_model_has_not(tmp_path):
    with pytest.raises(InputError, match="no label 'rust'; choose from clean, spot"):
        Kept(tmp_path, "label=rust")
    Kept(tmp_path, "label=spot").sink.close()  # the folder was let go of


def test_a_full_disk_is_counted_and_said_once_and_the_next_images_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESERVE", 0)
    with mounted_disk(tmp_path / "disk", "64k") as disk:
        kept = Kept(disk)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(40_000))
        noise = np.random.default_rng(0).integers(0, 255, (128, 200), np.uint8)
        for number in range(3):
            kept.sink.observe(frame_of(number, noise), verdict_of(number))
        kept.until("failed", 3)
        assert len(kept.told) == 1
        assert "images: " in kept.told[0]
        assert not [path for path in kept.folder.rglob("*") if path.is_file()]
        ballast.unlink()
        kept.give(3)
        kept.sink.close()
        assert kept.numbers == [3]
        assert kept.sink.lost == 3
        assert kept.told[1:] == ["note: images are written again; 3 were not"]
        kept.sink.close()


def test_the_last_of_the_disk_is_left_to_the_verdicts(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESERVE", 2**60)
    kept = Kept(tmp_path)
    kept.give(0)
    kept.sink.close()
    assert kept.sink.lost == 1
    assert "left to the verdicts" in kept.sink.problem


def test_a_folder_that_vanishes_is_made_again(tmp_path):
    kept = Kept(tmp_path)
    shutil.rmtree(kept.folder)
    kept.give(0)
    kept.sink.close()
    assert kept.numbers == [0]


def test_a_clock_that_no_calendar_has_costs_an_image_and_no_more(tmp_path):
    kept = Kept(tmp_path)
    far = Verdict(0, 0, 10**21, Decision(Status.REJECT, "spot", 0.9), {})
    kept.sink.observe(frame_of(0), far)
    kept.give(1)
    kept.sink.close()
    assert kept.numbers == [1]
    assert kept.sink.lost == 1


def test_a_fault_of_the_policies_reaches_nobody(tmp_path, caplog):
    kept = Kept(tmp_path)
    kept.sink._policies = None  # type: ignore[attr-defined]
    kept.give(0)
    kept.sink.close()
    assert kept.sink.lost == 1
    assert "sink images" in caplog.text


def test_names_that_are_no_utf8_are_written(tmp_path):
    facts = StreamFacts(run=FACTS.run, bundle="b\udcff", lot="l\udcff", rules=Rules())
    kept = Kept(tmp_path, facts=facts)
    kept.give(0)
    kept.sink.close()
    assert json.loads(next(kept.folder.glob("*/*.json")).read_text())["bundle"] == "b?"
