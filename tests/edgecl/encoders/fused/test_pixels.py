"""Kernels on torch's threads: what is cut, what is raised."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from edgecl.encoders.fused import pixels


def test_every_pixel_is_seen_once(threads):
    seen = []
    lock = threading.Lock()

    def note(numbers, factors):
        with lock:
            seen.append((numbers * factors).reshape(-1, 3))

    numbers = np.arange(3 * 1001, dtype=np.float32).reshape(-1, 3)
    factors = np.array([1, 10, 100], np.float32)
    pixels.over_pixels(note, [numbers], [factors])
    rows = np.concatenate(seen)
    assert np.array_equal(rows[np.argsort(rows[:, 0])], numbers * factors)


def test_fewer_pixels_than_threads(threads):
    numbers = np.ones((2, 32), np.float32)
    total = pixels.sum_over_pixels(lambda x: (x.sum(0), 2 * x.sum(0)), [numbers], [])
    assert np.array_equal(total, [[2.0] * 32, [4.0] * 32])


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_the_parts_run_on_threads_of_their_own(threads):
    both = threading.Barrier(2)
    pixels._run([lambda: both.wait(timeout=60)] * 2)


def test_an_error_on_any_thread_is_raised(threads):
    def fail():
        raise ValueError("of the last part")

    with pytest.raises(ValueError, match="of the last part"):
        pixels._run([*[lambda: None] * (threads - 1), fail])


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_an_interrupt_that_ctypes_dropped_still_ends_the_run(threads, monkeypatch):
    class Broken:
        @staticmethod
        def GOMP_parallel(*_):  # noqa: N802
            """As if the signal had come before the first line of Python."""

    monkeypatch.setattr(pixels, "_openmp", Broken)
    with pytest.raises(KeyboardInterrupt):
        pixels._run([lambda: None] * 2)


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_without_openmp_two_threads_are_left_to_torch(threads, monkeypatch):
    x = torch.zeros(1, 8, 4, 4).to(memory_format=torch.channels_last)
    assert pixels.is_large_map(x)
    monkeypatch.setattr(pixels, "_openmp", lambda: None)
    assert not pixels.is_large_map(x)


def test_maps_that_are_not_taken():
    x = torch.zeros(2, 8, 4, 4).to(memory_format=torch.channels_last)
    assert pixels.is_large_map(x)
    assert not pixels.is_large_map(x.contiguous())
    assert not pixels.is_large_map(x.double())
    assert not pixels.is_large_map(x.to("meta"))
    assert not pixels.is_large_map(x[:, ::2])
