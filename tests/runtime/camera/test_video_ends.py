"""The end of a video: no whole file is called cut, and no cut file passes for whole."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.camera import Camera, Frame, open_camera
from runtime.camera.container.ending import WHOLE as WHOLE_FILE
from runtime.camera.container.walk import ending_of
from runtime.errors import InputError
from tests.runtime.camera.containers import SHAPE, avi, grain, jpegs, matroska

PACKETS = jpegs(12)


def read_all(path: Path) -> tuple[list[Frame], str]:
    """All frames, and how it ended: empty where it just did."""
    frames: list[Frame] = []
    camera: Camera = open_camera(str(path))
    try:
        while (frame := camera.read()) is not None:
            frames.append(frame)
    except InputError as error:
        return frames, str(error)
    finally:
        camera.close()
    return frames, ""


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


WHOLE = {
    "plain.avi": avi(PACKETS),
    "counts-too-many.avi": avi(PACKETS, announced=50),
    "counts-too-few.avi": avi(PACKETS, announced=3),
    "counts-none.avi": avi(PACKETS, announced=0, index=False),
    "never-finished.avi": avi(PACKETS, announced=0, index=False, finished=False),
    "trailing.avi": avi(PACKETS) + bytes(5000),
    "padded-packets.avi": avi([packet + bytes(70_000) for packet in PACKETS]),
    "plain.mkv": matroska(PACKETS),
    "never-finished.mkv": matroska(PACKETS, finished=False),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_just_ends(name, tmp_path):
    frames, ended = read_all(put(tmp_path, name, WHOLE[name]))
    assert ended == ""
    assert len(frames) == 12
    assert all(frame.pixels is not None for frame in frames)


@pytest.mark.parametrize("places", [(3, 7), (11,), (0,), (9, 10, 11)])
def test_a_chunk_without_bytes_repeats_the_frame_before_and_cuts_nothing(places, tmp_path):
    packets = [b"" if place in places else packet for place, packet in enumerate(PACKETS)]
    frames, ended = read_all(put(tmp_path, "repeats.avi", avi(packets)))
    assert ended == ""
    assert len(frames) == 12 - len(places)
    assert all(frame.pixels is not None for frame in frames)


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in ("trailing.avi",)])
@pytest.mark.parametrize("share", [0.45, 0.8])
def test_a_cut_file_is_told_whatever_its_header_counts(name, share, tmp_path):
    data = WHOLE[name]
    frames, ended = read_all(put(tmp_path, name, data[: int(share * len(data))]))
    assert "the file is truncated" in ended
    assert 0 < len(frames) < 12
    assert all(frame.pixels is not None for frame in frames[:-1])


def test_a_file_cut_behind_a_frame_is_told_where_its_list_was_finished(tmp_path):
    data = WHOLE["plain.avi"]
    start = data.index(PACKETS[8]) - 8
    frames, ended = read_all(put(tmp_path, "cut.avi", data[:start]))
    assert len(frames) == 8
    assert "ended after 8 of 12 frames: the file is truncated" in ended


def test_only_the_index_is_missing(tmp_path):
    data = WHOLE["plain.avi"]
    frames, ended = read_all(put(tmp_path, "cut.avi", data[: data.index(b"idx1") + 20]))
    assert (len(frames), ended) == (12, "")


def mp4(path: Path, count: int = 12) -> Path:
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, 25.0, SHAPE[::-1])
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write mp4v")
    for number in range(count):
        writer.write(cv2.cvtColor(grain(number), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def with_edit_list(data: bytes, start: int) -> bytes:
    """The MP4 with an edit list that shows it from `start` (in its own time) on, as trimming does.

    It takes the place of the list that the writer made.
    """
    at = data.index(b"elst")
    entries = struct.unpack_from(">I", data, at + 8)[0]
    assert entries == 1
    duration, _ = struct.unpack_from(">Ii", data, at + 12)
    return data[: at + 12] + struct.pack(">Ii", duration, start) + data[at + 20 :]


def test_an_edit_list_shows_less_and_cuts_nothing(tmp_path):
    path = mp4(tmp_path / "clip.mp4")
    data = path.read_bytes()
    if b"elst" not in data:
        pytest.skip("this FFmpeg writes no edit list to change")
    scale = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    path.write_bytes(with_edit_list(data, scale * 5 // 25))
    frames, ended = read_all(path)
    assert ended == ""
    assert 0 < len(frames) < 12


def test_mp4_boxes(tmp_path):
    path = mp4(tmp_path / "clip.mp4")
    assert ending_of(path) == WHOLE_FILE
    data = path.read_bytes()
    for share in (0.3, 0.7):
        put(tmp_path, "cut.mp4", data[: int(share * len(data))])
        assert ending_of(tmp_path / "cut.mp4").missing
        with pytest.raises(InputError, match="is truncated"):
            open_camera(str(tmp_path / "cut.mp4"))
    # With the table first, as for the web, a file opens and ends within its frames.
    media, moov = data.index(b"mdat") - 4, data.index(b"moov") - 4
    size = len(data) - moov
    table = bytearray(data[moov:])
    at = bytes(table).index(b"stco")
    count = struct.unpack_from(">I", table, at + 8)[0]
    for number in range(count):
        (place,) = struct.unpack_from(">I", table, at + 12 + 4 * number)
        struct.pack_into(">I", table, at + 12 + 4 * number, place + size)
    first = data[:media] + bytes(table) + data[media:moov]
    put(tmp_path, "first.mp4", first)
    assert read_all(tmp_path / "first.mp4")[1] == ""
    frames, ended = read_all(put(tmp_path, "first-cut.mp4", first[: len(first) * 3 // 4]))
    assert 0 < len(frames) < 12
    assert "the file is truncated (the box mdat ends at byte" in ended


def test_a_stream_of_jpegs_without_a_container(tmp_path):
    whole = b"".join(PACKETS)
    frames, ended = read_all(put(tmp_path, "whole.mjpeg", whole))
    assert (len(frames), ended) == (12, "")
    frames, ended = read_all(put(tmp_path, "cut.mjpeg", whole[:-300]))
    assert "in the middle of frame 12: the file is truncated" in ended
    assert frames[-1].pixels is None


def test_frames_that_a_cut_may_have_spoilt_are_faults(tmp_path):
    """FFmpeg decodes what is there of the last packet, and fills up the rest."""
    path = tmp_path / "clip.avi"
    codec = cv2.VideoWriter.fourcc(*"HFYU")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, 25.0, SHAPE[::-1])
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write huffyuv")
    for number in range(12):
        writer.write(cv2.cvtColor(grain(number), cv2.COLOR_GRAY2BGR))
    writer.release()
    whole = [frame.pixels for frame in read_all(path)[0]]
    data = path.read_bytes()
    for share in (0.5, 0.55, 0.6, 0.65):
        frames, ended = read_all(put(tmp_path, "cut.avi", data[: int(share * len(data))]))
        assert "the file is truncated" in ended
        for frame, expected in zip(frames, whole, strict=False):
            if frame.pixels is not None:
                np.testing.assert_array_equal(frame.pixels, expected)


def test_a_video_of_16_bits_keeps_them(tmp_path):
    path = tmp_path / "deep.mkv"
    codec = cv2.VideoWriter.fourcc(*"FFV1")
    options = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, 25.0, SHAPE[::-1], options)
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write FFV1 of 16 bits")
    deep = [grain(number).astype(np.uint16) * 16 + 3 for number in range(4)]
    for image in deep:
        writer.write(image)
    writer.release()
    frames, ended = read_all(path)
    assert ended == ""
    for frame, image in zip(frames, deep, strict=True):
        np.testing.assert_array_equal(frame.pixels, image)


def test_a_gif_and_a_transport_stream_that_end_early(tmp_path):
    from PIL import Image

    images = [Image.fromarray(grain(number)) for number in range(6)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:])
    data = (tmp_path / "a.gif").read_bytes()
    assert ending_of(put(tmp_path, "whole.gif", data + bytes(50))) == WHOLE_FILE
    for share in (0.2, 0.5, 0.99):
        assert ending_of(put(tmp_path, "cut.gif", data[: int(share * len(data))])).missing
    packets = (b"G" + bytes(187)) * 20
    assert ending_of(put(tmp_path, "a.ts", packets)) == WHOLE_FILE
    cut = ending_of(put(tmp_path, "cut.ts", packets[:-148])).missing
    assert cut == "a packet of 188 bytes ends at byte 3,760, the file at 3,612"


def test_a_codec_without_a_decoder_is_named(tmp_path):
    path = put(tmp_path, "clip.avi", avi(PACKETS).replace(b"MJPG", b"AV01"))
    with pytest.raises(InputError, match=r"no decoder for its codec AV01|is not a readable video"):
        open_camera(str(path)).read()


@pytest.mark.parametrize("data", [b"", b"RIFF\0\0\0\0AVI ", b"\x1aE\xdf\xa3", bytes(5000)])
def test_what_is_no_video_at_all(data, tmp_path):
    path = put(tmp_path, "clip.avi", data)
    with pytest.raises(InputError, match=r"not a readable video|is empty|no readable frame"):
        open_camera(str(path)).read()


def test_damaged_containers_never_hang_or_crash(tmp_path):
    rng = np.random.default_rng(0)
    for data in (WHOLE["plain.avi"], WHOLE["plain.mkv"], WHOLE["never-finished.mkv"]):
        for _ in range(60):
            broken = bytearray(data)
            for at in rng.integers(0, 700, 4):
                broken[at] = int(rng.integers(256))
            ending_of(put(tmp_path, "broken", bytes(broken)))
