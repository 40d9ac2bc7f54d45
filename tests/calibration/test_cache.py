"""Observations come back as they were made, and never from a file that is not theirs."""

from __future__ import annotations

import threading
import zipfile

import numpy as np
import pytest

from calibration import cache
from calibration.cache import observation_key, observe_cached, read_observation
from calibration.observation import observe
from tests.calibration.graphs import draw_images, small_graph

IMAGES = draw_images(6)
HASHES = [f"{number:064x}" for number in range(6)]


@pytest.fixture
def observed(monkeypatch):
    """How often the graph was run."""
    calls: list[int] = []

    def counting(model, images, report=None):
        calls.append(len(images))
        return observe(model, images, report)

    monkeypatch.setattr(cache, "observe", counting)
    return calls


def same(one, other) -> bool:
    return one.images == other.images and all(
        np.array_equal(one.histograms[name].counts, other.histograms[name].counts)
        and one.histograms[name].exponent == other.histograms[name].exponent
        and one.histograms[name].zeros == other.histograms[name].zeros
        and one.histograms[name].minimum == other.histograms[name].minimum
        and one.histograms[name].maximum == other.histograms[name].maximum
        for name in {**one.histograms, **other.histograms}
    )


def test_the_second_time_nothing_is_run(tmp_path, observed):
    told: list[tuple[int, int]] = []
    first = observe_cached(small_graph(), IMAGES, HASHES, tmp_path / "new")
    again = observe_cached(
        small_graph(), IMAGES, HASHES[::-1], tmp_path / "new", lambda *state: told.append(state)
    )
    assert observed == [6]
    assert same(first, again)
    assert list(first.histograms) == list(again.histograms)
    assert again.histograms["both"] is again.histograms["shuffled"]
    assert told == [(6, 6)]


def test_another_model_or_another_set_has_another_key():
    key = observation_key(small_graph(), HASHES)
    assert key == observation_key(small_graph(), HASHES[::-1])
    assert key != observation_key(small_graph(1), HASHES)
    assert key != observation_key(small_graph(), HASHES[1:])
    assert key != observation_key(small_graph(), [*HASHES[1:], "f" * 64])


@pytest.mark.parametrize("damage", ["truncated", "emptied", "text", "pickled", "fields", "flipped"])
def test_a_damaged_file_is_made_anew(tmp_path, observed, damage):
    first = observe_cached(small_graph(), IMAGES, HASHES, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("no archive")
    elif damage == "pickled":
        np.savez(path, names=np.array([{}], object))
    elif damage == "fields":
        np.savez(path, names=np.array(["one"]))
    else:
        with zipfile.ZipFile(path) as archive:
            start = archive.getinfo("counts.npy").header_offset + 200
        path.write_bytes(whole[:start] + bytes(200) + whole[start + 200 :])
    assert read_observation(path) is None
    assert same(observe_cached(small_graph(), IMAGES, HASHES, tmp_path), first)
    assert observed == [6, 6]
    assert read_observation(path) is not None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, observed):
    (tmp_path / "file").write_text("in the way")
    observe_cached(small_graph(), IMAGES, HASHES, tmp_path / "file")
    observe_cached(small_graph(), IMAGES, HASHES, None)
    assert observed == [6, 6]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_two_at_once_leave_one_whole_file(tmp_path):
    workers = [
        threading.Thread(target=observe_cached, args=(small_graph(), IMAGES, HASHES, tmp_path))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    (path,) = tmp_path.iterdir()
    found = read_observation(path)
    assert found is not None
    assert same(found, observe(small_graph(), IMAGES))
