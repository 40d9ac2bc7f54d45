"""Parts of a stream: as RFC 2046 has them, as cameras send them, and as nobody should."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from runtime.camera.live.feed import FeedLost
from runtime.camera.network.multipart import LONGEST_HEAD, PartReader, StreamPart
from runtime.image.formats.jpeg import jpeg_end


def jpeg(level: int) -> bytes:
    noise = np.random.default_rng(level).normal(0, 9, (48, 64))
    gray = np.clip(level + noise, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", gray)[1].tobytes()


JPEGS = [jpeg(level) for level in (40, 90, 200)]


def feed(*blocks: bytes | Exception) -> Callable[[], bytes]:
    """Blocks as they arrive, then the end."""
    waiting: Iterator[bytes | Exception] = iter(blocks)

    def receive() -> bytes:
        block = next(waiting, b"")
        if isinstance(block, Exception):
            raise block
        return block

    return receive


def in_blocks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def stream(
    images: list[bytes],
    *,
    delimiter: bytes = b"--frame",
    length: bool = True,
    line: bytes = b"\r\n",
) -> bytes:
    sent = b""
    for image in images:
        head = [delimiter, b"Content-Type: image/jpeg"]
        head += [b"CONTENT-length:  %d" % len(image)] if length else []
        sent += line.join(head) + line * 2 + image + line
    return sent


def read_all(reader: PartReader) -> tuple[list[StreamPart], FeedLost]:
    parts = []
    while True:
        try:
            parts.append(reader.next())
        except FeedLost as lost:
            return parts, lost


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
@pytest.mark.parametrize("delimiter", [b"--frame", b"--b", b"----myboundary", b"--a b:c"])
def test_parts_are_the_same_however_they_arrive(size, length, line, delimiter):
    sent = stream(JPEGS, delimiter=delimiter, length=length, line=line)
    parts, lost = read_all(PartReader(feed(*in_blocks(sent, size))))
    assert [part.data.rstrip(b"\r\n") for part in parts] == JPEGS
    assert {part.content for part in parts} == {"image/jpeg"}
    assert not lost.stalled
    assert "closed the connection" in str(lost)


def test_an_image_without_a_length_need_not_wait_for_the_next_delimiter():
    one = stream(JPEGS[:1], length=False)
    reader = PartReader(feed(one, AssertionError("it waits")))
    assert reader.next().data.rstrip() == JPEGS[0]


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image():
    thumbnail = JPEGS[1]
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    image = JPEGS[0][:2] + segment + JPEGS[0][2:]
    assert jpeg_end(image) == len(image)
    assert jpeg_end(image[: 6 + len(thumbnail)]) is None
    assert jpeg_end(image[:-1]) is None
    assert jpeg_end(image + b"trailer") == len(image)
    head = stream([b""], length=False)
    sent = [head.rstrip() + b"\r\n\r\n" + image[: 6 + len(thumbnail)], image[6 + len(thumbnail) :]]
    assert PartReader(feed(*sent)).next().data == image


def test_a_part_that_is_shorter_than_its_length_ends_at_the_next_delimiter():
    sent = stream(JPEGS)
    announced = b"%d" % len(JPEGS[0])
    start = sent.index(JPEGS[0])
    cut = sent[: start + 300] + sent[start + len(JPEGS[0]) :]
    assert announced in cut
    parts, _ = read_all(PartReader(feed(*in_blocks(cut, 100))))
    assert len(parts) == 3
    assert parts[0].data.rstrip() == JPEGS[0][:300].rstrip()
    assert [part.data for part in parts[1:]] == JPEGS[1:]


def test_a_length_that_is_too_small_costs_one_part_alone():
    sent = stream(JPEGS).replace(b"length:  %d" % len(JPEGS[0]), b"length: 200", 1)
    parts, _ = read_all(PartReader(feed(sent)))
    assert [part.data for part in parts] == [JPEGS[0][:200], *JPEGS[1:]]


@pytest.mark.parametrize("length", [b"-1", b"nine", b"1e9", b"\xb2", b"9" * 30])
def test_a_length_that_is_no_number_is_none(length):
    sent = stream(JPEGS).replace(b"%d" % len(JPEGS[0]), length, 1)
    parts, _ = read_all(PartReader(feed(sent)))
    assert [part.data.rstrip() for part in parts] == JPEGS


def test_a_preamble_is_stepped_over_and_the_closing_delimiter_ends_it():
    sent = b"this is a camera\r\n\r\n" + stream(JPEGS) + b"--frame--\r\n"
    parts, lost = read_all(PartReader(feed(sent)))
    assert len(parts) == 3
    assert "ended the stream" in str(lost)


def test_what_is_cut_off_by_the_end_is_given_as_far_as_it_came():
    sent = stream(JPEGS)
    parts, lost = read_all(PartReader(feed(sent[: -len(JPEGS[2]) // 2])))
    assert len(parts) == 3
    assert 0 < len(parts[2].data) < len(JPEGS[2])
    assert JPEGS[2].startswith(parts[2].data)
    in_head, _ = read_all(PartReader(feed(stream(JPEGS[:1]) + b"--frame\r\n")))
    assert "lost before the image" in in_head[1].fault
    assert "closed" in str(lost)


@pytest.mark.parametrize(
    ("error", "stalled", "words"),
    [
        (TimeoutError(), True, "no data"),
        (ConnectionResetError(104, "Connection reset by peer"), False, "Connection reset by peer"),
        (http.client.IncompleteRead(b""), False, "the connection broke"),
    ],
)
def test_a_break_within_a_part_gives_a_part_and_then_the_loss(error, stalled, words):
    reader = PartReader(feed(stream(JPEGS)[:500], error))
    assert 0 < len(reader.next().data) < len(JPEGS[0])
    for _ in range(2):
        with pytest.raises(FeedLost, match=words) as caught:
            reader.next()
        assert caught.value.stalled is stalled


def endless(block: bytes, at_most: int) -> Callable[[], bytes]:
    """Blocks for ever, but no more bytes than a reader of bounded memory takes."""
    taken = 0

    def receive() -> bytes:
        nonlocal taken
        taken += len(block)
        assert taken <= at_most
        return block

    return receive


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"--f\r\n\r\n\xff\xd8", "has more than 1 MiB"),
        (b"--f\r\nContent-Length: 99999999\r\n\r\n", "announces 99,999,999 bytes"),
        (b"--f\r\nX: ", "head of a part has no end"),
    ],
)
def test_a_part_without_an_end_is_a_fault_and_the_loss_of_the_camera(start, words):
    blocks = endless(b"x" * 4096, (1 << 20) + (1 << 17))
    waiting = [start]
    reader = PartReader(lambda: waiting.pop() if waiting else blocks(), largest=1 << 20)
    part = reader.next()
    assert words in part.fault
    assert not part.data
    with pytest.raises(FeedLost, match=words):
        reader.next()


def test_a_stream_without_delimiters_is_given_up():
    reader = PartReader(endless(b"y" * 4096, 2 * LONGEST_HEAD))
    with pytest.raises(FeedLost, match="sends no parts"):
        reader.next()


def test_junk_between_parts_is_stepped_over_in_bounded_memory():
    waiting = [stream(JPEGS[:1])]
    junk = endless(b"z" * 4096, (1 << 20) + (1 << 17))
    reader = PartReader(lambda: waiting.pop() if waiting else junk(), largest=1 << 20)
    assert reader.next().data == JPEGS[0]
    with pytest.raises(FeedLost, match="sends no parts"):
        reader.next()


def test_a_part_that_trickles_in_has_a_time_limit():
    now = [0.0]

    def receive() -> bytes:
        now[0] += 1.0
        return b"--f\r\nContent-Length: 100\r\n\r\n" if now[0] == 1 else b"\xff"

    reader = PartReader(receive, limit_s=5.0, clock=lambda: now[0])
    assert len(reader.next().data) < 10
    with pytest.raises(FeedLost, match="longer than 5 s") as caught:
        reader.next()
    assert caught.value.stalled


@pytest.mark.parametrize("delimiter", [b"--frame", b"--b"])
def test_parts_that_wait_are_passed_over_when_they_are_too_many(delimiter):
    blocks = in_blocks(stream(JPEGS * 4, delimiter=delimiter), 700)
    reader = PartReader(lambda: blocks.pop(0) if blocks else b"", ready=lambda: bool(blocks))
    assert reader.next().data == JPEGS[0]
    reader.pass_over(20)
    assert reader.next().data == JPEGS[1]
    reader.pass_over(9)
    assert reader.overtaken == 9
    parts, lost = read_all(reader)
    assert [part.data for part in parts] == [JPEGS[2]]
    assert "closed" in str(lost)


def test_a_break_behind_parts_that_wait_comes_after_them():
    waiting: list[bytes | Exception] = [stream(JPEGS), TimeoutError()]

    def receive() -> bytes:
        block = waiting.pop(0)
        if isinstance(block, Exception):
            raise block
        return block

    reader = PartReader(receive, ready=lambda: True)
    reader.pass_over(8)
    parts, lost = read_all(reader)
    assert [part.data for part in parts] == JPEGS
    assert lost.stalled


def test_what_is_taken_in_advance_is_bounded():
    reader = PartReader(endless(b"w" * 4096, (1 << 20) + 4096), largest=1 << 20, ready=lambda: True)
    reader.pass_over(8)
