"""Heat maps of rejects: after the verdict, within a bound, and counted where there is none."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.heat_maps import Cells
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import Tiling
from runtime.camera.base import Frame
from runtime.errors import InputError
from runtime.image.view import FrameView
from runtime.session.activation import ActivationSession
from runtime.stream.heat_maps import FOLDER, INDEX, HeatMapWriter, read_heat_maps
from runtime.stream.verdict import Decision, Status, Verdict
from tests.waiting import wait_until

LABELS = ("clean", "spot")


class Blocks(ActivationSession):
    """Stands for the graph: a place speaks for `spot` by the brightness of its 8×8 pixels."""

    cells = Cells(8, 3.5)

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False
        self.seen = 0

    def run(self, tiles):
        self.seen += 1
        self.gate.wait(10)
        if self.fails:
            raise RuntimeError("out of memory")
        count, _, height, width = tiles.shape
        bright = tiles.reshape(count, height // 8, 8, width // 8, 8).mean(axis=(2, 4)) / 255
        activation = np.stack([np.zeros_like(bright), bright], axis=1).astype(np.float32)
        return np.zeros((count, 2), np.float32), activation


CONTRACT = ModelContract(InputContract(32, 48, tiling=Tiling((32, 48))), LABELS, ("clean",))


def frame_of(number: int, spot: tuple[int, int] = (20, 30), *, colour: bool = False) -> Frame:
    pixels = np.zeros((64, 96), np.uint8)
    cv2.circle(pixels, spot, 6, 255.0, -1)
    shown = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if colour else pixels
    return Frame(number, shown, 0, 0)


def reject_of(frame: Frame, label: str = "spot") -> Verdict:
    return Verdict.of(frame, 1000, Decision(Status.REJECT, label, 0.9), {})


def give(writer: HeatMapWriter, *numbers: int) -> None:
    for number in numbers:
        frame = frame_of(number)
        writer.take(frame, reject_of(frame))


def read_bgr(path: Path) -> Any:
    return cv2.imread(str(path))


def test_a_reject_gets_an_image_and_a_line(tmp_path):
    writer = HeatMapWriter(Blocks(), CONTRACT, tmp_path, 10)
    frame = frame_of(7, (80, 50), colour=True)
    writer.take(frame, reject_of(frame))
    writer.close()
    (line,) = read_heat_maps(tmp_path / INDEX)
    assert (line.frame, line.label, line.confidence) == (7, "spot", 0.9)
    assert np.hypot(line.left - 80, line.top - 50) <= 6
    image = read_bgr(tmp_path / line.file)
    assert image.shape == (64, 96, 3)
    # The spot is coloured, the dark metal gray.
    assert np.ptp(image[50, 80].astype(int)) > 30
    assert np.ptp(image[10, 10].astype(int)) < 12
    account = writer.account()
    assert (account.written, account.kept, account.left_out, account.failed) == (1, 1, 0, 0)
    assert (account.folder, account.problem) == (str(tmp_path / FOLDER), None)


def test_places_are_told_in_the_whole_frame(tmp_path):
    region = FrameView(Roi(40, 20, 48, 40))
    writer = HeatMapWriter(Blocks(), CONTRACT, tmp_path, 10, view=region)
    frame = frame_of(7, (66, 44))
    writer.take(frame, reject_of(frame))
    writer.close()
    (line,) = read_heat_maps(tmp_path / INDEX)
    assert np.hypot(line.left - 66, line.top - 44) <= 6
    assert read_bgr(tmp_path / line.file).shape == (40, 48, 3)  # what the model saw


def written(writer: HeatMapWriter, count: int) -> bool:
    return writer.account().written == count


def test_only_the_newest_are_kept(tmp_path):
    writer = HeatMapWriter(Blocks(), CONTRACT, tmp_path, 2)
    for number in range(5):
        give(writer, number)
        wait_until(partial(written, writer, number + 1))
    writer.close()
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == [
        "00000003.jpg",
        "00000004.jpg",
    ]
    assert [line.frame for line in read_heat_maps(tmp_path / INDEX)] == [0, 1, 2, 3, 4]
    assert (writer.account().written, writer.account().kept) == (5, 2)


def test_a_frame_waits_for_nobody_and_what_is_too_much_is_counted(tmp_path):
    session = Blocks()
    session.gate.clear()
    writer = HeatMapWriter(session, CONTRACT, tmp_path, 10, waiting=2)
    give(writer, 0)
    wait_until(lambda: session.seen == 1)  # it is at work on the first
    give(writer, 1, 2, 3, 4)  # of which two may wait
    session.gate.set()
    writer.close()
    assert [line.frame for line in read_heat_maps(tmp_path / INDEX)] == [0, 3, 4]
    assert (writer.account().written, writer.account().left_out) == (3, 2)


def test_a_map_that_fails_is_counted_and_ends_nothing(tmp_path, caplog):
    session = Blocks()
    session.fails = True
    writer = HeatMapWriter(session, CONTRACT, tmp_path, 10)
    give(writer, 0, 1)
    wait_until(lambda: writer.account().failed == 2)
    session.fails = False
    give(writer, 2)
    writer.close()
    account = writer.account()
    assert (account.written, account.failed, account.problem) == (
        1,
        2,
        "RuntimeError: out of memory",
    )
    assert [record.getMessage() for record in caplog.records] == [
        "heat maps: RuntimeError: out of memory"
    ]


def test_a_folder_that_is_gone_or_a_file_is_counted(tmp_path):
    writer = HeatMapWriter(Blocks(), CONTRACT, tmp_path / "stream", 10)
    (tmp_path / "stream").write_text("a file where the folder was")
    give(writer, 0)
    writer.close()
    account = writer.account()
    assert (account.written, account.failed) == (0, 1)
    assert "stream" in (account.problem or "")


def test_a_map_that_hangs_does_not_hold_up_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.stream.heat_maps.writer.CLOSE_S", 0.05)
    session = Blocks()
    session.gate.clear()
    writer = HeatMapWriter(session, CONTRACT, tmp_path, 10)
    give(writer, 0)
    wait_until(lambda: session.seen == 1)
    give(writer, 1, 2)
    writer.close()
    assert (writer.account().written, writer.account().left_out) == (0, 2)
    session.gate.set()


def test_frames_without_pixels_or_label_have_none(tmp_path):
    writer = HeatMapWriter(Blocks(), CONTRACT, tmp_path, 10)
    broken = Frame(0, None, 0, 0, fault="damaged")
    writer.take(broken, reject_of(broken))
    late = frame_of(1)
    writer.take(late, Verdict.of(late, 1000, Decision(Status.REJECT, late=True), {}))
    writer.close()
    give(writer, 2)  # after the end
    assert (writer.account().written, writer.account().left_out) == (0, 0)
    assert not (tmp_path / INDEX).exists()
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("name", [FOLDER, INDEX])
def test_maps_of_an_earlier_stream_are_not_mixed_with_these(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f"{name} already exists"):
        HeatMapWriter(Blocks(), CONTRACT, tmp_path, 10)
