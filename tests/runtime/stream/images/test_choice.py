"""What follows `--sink images:`."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.stream.sinks.images.choice import GIB, ImagesChoice, parse_images
from runtime.stream.verdict import Status


def test_a_folder_alone_keeps_what_is_doubtful_and_a_sample():
    choice = parse_images("/var/lib/edgecl/images")
    assert choice == ImagesChoice("/var/lib/edgecl/images")
    assert choice.statuses == {Status.REJECT, Status.UNKNOWN, Status.UNSURE}
    assert (choice.sample, choice.near, choice.limit, choice.most) == (100, None, GIB, None)
    assert (choice.cooldown_ns, choice.before, choice.after) == (10**9, 0, 0)


def test_every_option_says_what_it_says():
    text = "kept?status=late,fault&sample=0&near=0.05&label=a%26b/10&label=1/2&label=x/y"
    choice = parse_images(f"{text}&cooldown=250ms&before=3&after=100&most=7&limit=20MiB&format=jpg")
    assert choice.statuses == {Status.LATE, Status.FAULT}
    assert choice.labels == (("a&b", 10), ("1", 2), ("x/y", 1))
    assert (choice.sample, choice.near, choice.cooldown_ns) == (0, 0.05, 250_000_000)
    assert (choice.before, choice.after, choice.most) == (3, 100, 7)
    assert (choice.days, parse_images("kept?days=30").days) == (None, 30)
    assert (choice.limit, choice.format) == (20 * 2**20, "jpg")
    assert parse_images("kept?status=none&near=1&cooldown=0s").cooldown_ns == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the folder is missing"),
        ("?sample=1", "the folder is missing"),
        ("a\0b", "the folder is missing"),
        ("a?", "not NAME=VALUE"),
        ("a?sample", "sample '' is not a number"),
        ("a?&sample=1", "not NAME=VALUE"),
        ("a?colour=red", "'colour' is none of its options; use status, sample, near"),
        ("a?sample=1&sample=2", "sample is there twice"),
        ("a?status=pass", "'pass' is no status whose images are kept; choose from reject"),
        ("a?status=", "'' is no status"),
        ("a?status=reject,,unsure", "'' is no status"),
        ("a?sample=-1", "sample '-1' is not a number from 0"),
        ("a?sample=１", "is not a number"),
        ("a?before=101", "before '101' is not a number from 0 to 100"),
        ("a?after=1.5", "after '1.5' is not a number"),
        ("a?most=0", "most '0' is not a number from 1"),
        ("a?days=0", "days '0' is not a number from 1 to 36500"),
        ("a?days=1.5", "days '1.5' is not a number"),
        ("a?near=0", "is no distance"),
        ("a?near=nan", "is no distance"),
        ("a?near=1.1", "is no distance"),
        ("a?label=", "label has no value"),
        ("a?cooldown=5", "cooldown: the unit is missing"),
        ("a?cooldown=-1s", "cooldown is not above zero"),
        ("a?limit=0MiB", "limit '0MiB' is no size"),
        ("a?limit=5GB", "limit '5GB' is no size"),
        ("a?limit=1000", "limit '1000' is no size"),
        ("a?format=bmp", "'bmp' is no format; choose from png, jpg"),
        ("a?status=none&sample=0", "no image is kept by this choice"),
    ],
)
def test_what_is_wrong_is_told(text, told):
    with pytest.raises(InputError) as caught:
        parse_images(text)
    assert told in str(caught.value)
    assert str(caught.value).startswith("--sink images: ")
    assert caught.value.hint
