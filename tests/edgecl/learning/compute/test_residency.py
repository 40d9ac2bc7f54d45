"""Where images live changes nothing but the speed: memory, disk, prepared ahead or not."""

from __future__ import annotations

import itertools
import os
import tempfile
import threading

import numpy as np
import pytest
import torch

from edgecl.data import reading
from edgecl.data.pixels import store
from edgecl.data.pixels.selection import select
from edgecl.data.pixels.store import Selection, join, new_store
from edgecl.learning.compute import residency
from edgecl.learning.compute.residency import prepared, to_device
from edgecl.learning.contrastive.augmentation import ZOOM, augment
from edgecl.learning.runner import train_run
from runtime.errors import InputError


def on_disk(images: np.ndarray) -> np.ndarray:
    mapped = new_store(images.shape, budget=0)
    mapped[:] = images
    return mapped


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, 12, 14), dtype=np.uint8)


def test_a_set_beyond_its_budget_is_mapped_from_a_file_without_a_name(
    images, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mapped = on_disk(images)
    assert isinstance(mapped, np.memmap)
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(mapped, images)
    assert not isinstance(new_store(images.shape), np.memmap)
    assert not isinstance(new_store((0, 4, 4), budget=0), np.memmap)


def test_a_full_disk_is_one_clear_line(monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InputError, match=r"need 4 MiB.*No space left on device.*TMPDIR"):
        new_store((4, 1024, 1024), budget=0)


def test_selected_rows_are_the_same_from_memory_and_from_disk(images):
    rows, more = np.array([7, 2, 2, 9]), np.array([0, 1])
    copied = select((images, rows), (images, more))
    left = select((on_disk(images), rows), (images, more))
    assert isinstance(left, Selection)
    assert isinstance(copied, np.ndarray)
    assert left.shape == copied.shape
    np.testing.assert_array_equal(left[:], copied)
    np.testing.assert_array_equal(left[2:5], copied[2:5])
    np.testing.assert_array_equal(np.stack(list(left)), copied)
    wanted = np.array([5, 0, 3, 0])
    np.testing.assert_array_equal(left[wanted], copied[wanted])


def test_sets_are_joined_on_disk_where_they_exceed_the_memory(images):
    joined = join([images, images[:3]], budget=0)
    assert isinstance(joined, np.memmap)
    np.testing.assert_array_equal(joined, np.concatenate((images, images[:3])))


def test_free_memory_heeds_the_control_group(tmp_path, monkeypatch):
    limit, used = tmp_path / "limit", tmp_path / "used"
    limit.write_text("5000\n")
    used.write_text("2000\n")
    monkeypatch.setattr(store, "_CGROUP_FILES", ((limit, used),))
    assert store.free_memory() == 3000
    limit.write_text("max\n")
    assert store.free_memory() > 3000


@pytest.mark.parametrize("ahead", [False, True])
def test_what_is_prepared_comes_in_order(ahead):
    assert list(prepared(iter(range(7)), str, ahead=ahead)) == [(n, str(n)) for n in range(7)]


def test_an_error_of_the_thread_is_raised_where_the_batch_is_wanted():
    def fail(number: int) -> int:
        return 1 // (2 - number)

    batches = prepared(iter(range(5)), fail, ahead=True)
    assert next(batches) == (0, 0)
    assert next(batches) == (1, 1)
    with pytest.raises(ZeroDivisionError):
        next(batches)


def test_breaking_off_ends_the_thread():
    before = threading.active_count()
    batches = prepared(itertools.count(), str, ahead=True)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_images_on_a_device_give_the_same_rows(images):
    device = torch.device("cpu")
    there = to_device(images, device, piece=3)
    rows = np.array([9, 0, 4])
    assert len(there) == 10
    np.testing.assert_array_equal(there[rows].numpy(), images[rows])
    views = [
        augment(batch, ZOOM.contrastive, np.random.default_rng(1), device)
        for batch in (images[rows], there[rows])
    ]
    # OpenCV here, grid_sample there: the same place and size of the view, on white noise.
    assert views[0].shape == views[1].shape
    assert (views[0].int() - views[1].int()).abs().float().mean() < 4


def test_a_run_from_disk_with_a_thread_is_that_from_memory(
    trained_run, tiny_config, tmp_path, monkeypatch
):
    real = new_store
    monkeypatch.setattr(reading, "new_store", lambda shape: real(shape, budget=0))
    ahead = []

    def watched(images: object, device: torch.device) -> bool:
        ahead.append(residency.prepares_ahead(images, device))  # type: ignore[arg-type]
        return ahead[-1]

    monkeypatch.setattr("edgecl.learning.loop.epochs.prepares_ahead", watched)
    run = tmp_path / "run"
    train_run(tiny_config, run, report=lambda *_: None)
    assert ahead[: tiny_config.pretrain_epochs] == [True] * tiny_config.pretrain_epochs
    for name in ("predictions.csv", "encoder.safetensors", "classifier.safetensors"):
        assert (run / name).read_bytes() == (trained_run / name).read_bytes()
