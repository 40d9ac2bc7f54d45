"""The training loop that people write against edgecl's, side by side in one run.

One pretraining step is two views of each of 32 images through the encoder and its projection
head, NT-Xent, backward, Adam. The plain side is the loop as one writes it from the paper: gray
copied to three channels and divided by 255, views made image by image with OpenCV and numpy,
one forward pass per view, float32, torch's defaults. The other side is `pretrain_epoch` with
what `edgecl train` turns on by itself.

Settings of the C library's allocator hold for a whole process and cannot be taken back, so each
side lives in a process of its own. The two take turns on command and never compute at the same
time; each pair of turns gives a ratio. Run it alone on the machine:

    python benchmarks/training.py [--case shufflenet-128x800] [--pairs 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script

ROOT = Path(__file__).resolve().parents[1]
IMAGES = 64
TEMPERATURE = 0.1
RATE = 1e-3
# Of SimCLR's contrastive views: min_area 0.25, brightness 0.6, jitter 0.2.
MIN_AREA, BRIGHTNESS, JITTER = 0.25, 0.6, 0.2

RunSteps = Callable[[int], float]
"""Does that many training steps and gives the seconds they took."""


@dataclass(frozen=True)
class Case:
    """What is measured, and how much faster edgecl is meant to be.

    Args:
        encoder: by name.
        size: (height, width) in pixels.
        steps: training steps in a turn.
        goal: least ratio.
    """

    encoder: str
    size: tuple[int, int]
    steps: int
    goal: float

    @property
    def name(self) -> str:
        """As in `convnet-128x800`."""
        return f"{self.encoder}-{self.size[0]}x{self.size[1]}"

    @classmethod
    def parse(cls, name: str) -> Case:
        """A case of the list by its name, or any other encoder and size, without a goal."""
        for case in CASES:
            if case.name == name:
                return case
        encoder, _, size = name.rpartition("-")
        height, width = (int(side) for side in size.split("x"))
        return cls(encoder, (height, width), 1, 0.0)


CASES = (
    Case("convnet", (128, 800), 2, 4.0),
    Case("shufflenet", (128, 800), 2, 2.8),
    Case("convnet", (100, 100), 6, 1.0),
    Case("shufflenet", (100, 100), 6, 1.0),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--case", action="append", type=Case.parse, help="ENCODER-HxW; may be repeated"
    )
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--serve", choices=sorted(SIDES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    cases = arguments.case or CASES
    if arguments.serve:
        serve(arguments.serve, cases[0], arguments.batch_size)
        return
    print(f"{arguments.threads} thread(s), batches of {arguments.batch_size} images, two views")
    for case in cases:
        compare(case, arguments.pairs, arguments.batch_size, arguments.threads)


def compare(case: Case, pairs: int, batch_size: int, threads: int) -> list[float]:
    """Let both sides take turns; print images/s of each pair and their ratio.

    Returns:
        The ratios.
    """
    images = case.steps * batch_size
    rates: dict[str, list[float]] = {name: [] for name in SIDES}
    with (
        Side("plain", case, batch_size, threads) as plain,
        Side("edgecl", case, batch_size, threads) as fast,
    ):
        print(f"{case.name}: {fast.about}")
        for pair in range(-1, pairs):
            # The first pair warms up. Who goes first changes, so that neither always inherits the
            # other's clock and cache.
            for side in (plain, fast) if pair % 2 else (fast, plain):
                seconds = side.take_turn(case.steps)
                if pair >= 0:
                    rates[side.name].append(images / seconds)
    ratios = [mine / theirs for mine, theirs in zip(rates["edgecl"], rates["plain"], strict=True)]
    print(
        f"{case.name}: plain {statistics.median(rates['plain']):.1f}, edgecl "
        f"{statistics.median(rates['edgecl']):.1f} images/s; median ratio of {pairs} pairs "
        f"{statistics.median(ratios):.2f}x (min {min(ratios):.2f}, max {max(ratios):.2f}"
        f"{f', goal {case.goal:g}' if case.goal else ''})",
        flush=True,
    )
    return ratios


class Side:
    """One side's process: it waits for its turn."""

    def __init__(
        self,
        name: str,
        case: Case,
        batch_size: int,
        threads: int,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), **variables}
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part
        )
        command = [sys.executable, __file__, "--serve", name, "--case", case.name]
        self._process = subprocess.Popen(
            [*command, "--batch-size", str(batch_size)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = self._answer()

    def take_turn(self, steps: int) -> float:
        """Seconds that `steps` training steps took."""
        assert self._process.stdin is not None
        print(steps, file=self._process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {self.name} side ended with code {self._process.wait()}")
        return line.strip()

    def __enter__(self) -> Side:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def serve(name: str, case: Case, batch_size: int) -> None:
    """Say what this side is, then answer each number of steps with the seconds they took."""
    about, run_steps = SIDES[name](case, batch_size)
    print(about, flush=True)
    for line in sys.stdin:
        print(run_steps(int(line)), flush=True)


def plain_side(case: Case, batch_size: int) -> tuple[str, RunSteps]:
    """The loop that one writes from the paper."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    from benchmarks.drawn import draw_images
    from edgecl.encoders import build_encoder

    images = draw_images(case.size, IMAGES)
    torch.manual_seed(0)
    encoder = build_encoder(case.encoder, channels=3, image_size=case.size)
    width = int(encoder.embedding_size)  # type: ignore[arg-type]
    head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
    model = nn.Sequential(encoder, head).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    rng = np.random.default_rng(0)

    def batch_of_views(rows: NDArray[np.int64]) -> torch.Tensor:
        views = [plain_view(images[row], rng) for row in rows]
        return torch.from_numpy(np.stack([np.stack([view] * 3) for view in views]))

    def loss_of(z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
        z = F.normalize(torch.cat((z1, z2)), dim=1)
        similarity = z @ z.T / TEMPERATURE
        similarity.fill_diagonal_(float("-inf"))
        count = len(z1)
        positives = torch.cat((torch.arange(count, 2 * count), torch.arange(count)))
        return F.cross_entropy(similarity, positives)

    def run_steps(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            rows = rng.permutation(len(images))[:batch_size]
            first, second = batch_of_views(rows), batch_of_views(rows)
            loss = loss_of(model(first), model(second))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.item()
        return time.perf_counter() - start

    return "float32, NCHW, three channels, two forward passes", run_steps


def plain_view(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """A view of SimCLR's kind: zoomed in, shifted with reflected edges, mirrored, brightened.

    Returns:
        float32, H×W, from 0 to 1.
    """
    height, width = image.shape
    reach = 1 - MIN_AREA**0.5
    tall = round(height * (1 - rng.uniform(0, reach)))
    wide = round(width * (1 - rng.uniform(0, reach)))
    pad_y, pad_x = round(height * reach / 2), round(width * reach / 2)
    top = (height - tall) // 2 + pad_y + int(rng.integers(-pad_y, pad_y + 1))
    left = (width - wide) // 2 + pad_x + int(rng.integers(-pad_x, pad_x + 1))
    padded = cv2.copyMakeBorder(image, pad_y, pad_y, pad_x, pad_x, cv2.BORDER_REFLECT)
    view = cv2.resize(padded[top : top + tall, left : left + wide], (width, height))
    if rng.random() < 0.5:
        view = view[:, ::-1]
    gain = rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS) + rng.uniform(-JITTER, JITTER, 3).sum()
    bright: NDArray[np.float32] = view.astype(np.float32) / 255 * np.float32(gain)
    return bright.clip(0, 1)


def edgecl_side(case: Case, batch_size: int) -> tuple[str, RunSteps]:
    """`pretrain_epoch` as `edgecl train` calls it."""
    import torch

    from benchmarks.drawn import draw_images, prepare
    from edgecl.learning.compute.allocator import keep_activations
    from edgecl.learning.compute.placement import Compute
    from edgecl.learning.config import TrainConfig
    from edgecl.learning.contrastive.augmentation import augmentation_of
    from edgecl.learning.contrastive.objectives import build_objective
    from edgecl.learning.loop.epochs import pretrain_epoch
    from edgecl.learning.loop.number_format import decide_autocast
    from edgecl.learning.loop.state import Networks

    keep_activations()
    images = draw_images(case.size, IMAGES)
    config = TrainConfig(
        encoder=case.encoder,
        image_size=case.size,
        batch_size=batch_size,
        pretrain_lr=RATE,
        temperature=TEMPERATURE,
    )
    prepared = prepare(images, classes=1)
    device = torch.device("cpu")
    autocast, _ = decide_autocast(config, prepared, device)
    networks = Networks.build(config, prepared, device)
    projector = networks.projector.train()
    optimizer = torch.optim.Adam(projector.parameters(), lr=RATE, fused=True)
    objective = build_objective(config, networks.backbone.embedding_size, device)
    rng = np.random.default_rng(0)

    def run_steps(steps: int) -> float:
        start = time.perf_counter()
        # An epoch of that many steps; the images repeat where they are too few.
        shown = images[np.arange(steps * batch_size) % len(images)]
        pretrain_epoch(
            projector,
            optimizer,
            shown,
            objective=objective,
            recipe=augmentation_of(config.method).contrastive,
            batch_size=batch_size,
            rng=rng,
            compute=Compute(device, autocast),
            on_step=lambda: None,
        )
        return time.perf_counter() - start

    return f"autocast {autocast}, chosen by measurement", run_steps


SIDES = {"plain": plain_side, "edgecl": edgecl_side}


if __name__ == "__main__":
    run_script(main)
