"""A small labelled folder and a run trained on it, made once for all workers of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.data.camera_shifts import CameraShift
from edgecl.learning.compute import placement
from edgecl.learning.config import TrainConfig
from edgecl.learning.evaluation import embedding_map, shifts
from edgecl.learning.runner import train_run
from runtime.session import opening
from tests.edgecl.page import Page, check
from tests.made_once import MadeOnce

SIDE = 40


def draw(kind: str, rng: np.random.Generator) -> np.ndarray:
    """A noisy image with horizontal bars, vertical bars or one blob: learnt in seconds."""
    image = rng.normal(110, 12, (SIDE, SIDE))
    place = rng.integers(4, SIDE - 10)
    if kind == "bars":
        image[place : place + 5] += 70
    elif kind == "posts":
        image[:, place : place + 5] += 70
    else:
        cv2.circle(image, (int(place), int(rng.integers(8, SIDE - 8))), 6, (200.0,), -1)
    return image.clip(0, 255).astype(np.uint8)


def fill(folder: Path, kinds: tuple[str, ...], count: int, *, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(1, count + 1):
            cv2.imwrite(str(folder / kind / f"{kind}_{number}.png"), draw(kind, rng))
    return folder


@pytest.fixture(autouse=True, scope="session")
def full_map() -> Iterator[int]:
    """Lay the embeddings of every test's run out in as few iterations as t-SNE takes; how many
    there are otherwise."""
    usual = embedding_map.ITERATIONS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding_map, "ITERATIONS", 250)
        yield usual


@pytest.fixture(autouse=True, scope="session")
def short_measurements() -> Iterator[None]:
    """Compare number formats by as few steps as there may be, and sessions by a tenth of a
    second each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "ENOUGH_SECONDS", 0.0)
        patch.setattr(opening, "PROBE_SECONDS", 0.1)
        yield


@pytest.fixture(autouse=True)
def few_shifts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the networks that a test trains under two camera shifts: all of them take a third of a
    short run. `trained_run` was asked under all."""
    monkeypatch.setattr(shifts, "SHIFTS", (CameraShift("noise", 8), CameraShift("rotation", 15)))


@pytest.fixture(scope="session")
def class_folders(made_once: MadeOnce) -> Path:
    return made_once("data/parts", lambda folder: fill(folder, ("bars", "blob", "posts"), 40))


@pytest.fixture(scope="session")
def tiny_config(class_folders: Path) -> TrainConfig:
    return TrainConfig(
        data=str(class_folders),
        image_size=(32, 32),
        pretrain_epochs=2,
        epochs=8,
        batch_size=16,
        autocast="off",
        lr=2e-3,
    )


@pytest.fixture(scope="session")
def trained_run(shufflenet_run: Path) -> Path:
    return shufflenet_run


@pytest.fixture(scope="session")
def shufflenet_run(tiny_config: TrainConfig, made_once: MadeOnce) -> Path:
    return made_once("runs/tiny", lambda run: train_run(tiny_config, run, report=lambda *_: None))


@pytest.fixture
def check_page() -> Callable[[Path], Page]:
    """`check_page(path)` parses a page and holds it to being one file that fetches nothing."""
    return check


@pytest.fixture
def page_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare `edgecl bench` its page, whose plots take longer than a test's few frames."""
    monkeypatch.setattr(
        "edgecl.reporting.pages.latency.latency_page", lambda report: report.with_suffix(".html")
    )
