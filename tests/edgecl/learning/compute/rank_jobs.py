"""What two ranks do for test_ranks.py: `torchrun --nproc-per-node 2 rank_jobs.py DATA OUT`.

Each rank writes OUT/NUMBER.pt. The functions take the ranks: a lone process can do the same. Two
commands follow in the same ranks, since three processes take long to start: a training, and one
with a mistake, whose exit code is that of all.
"""

from __future__ import annotations

import itertools
import os
import runpy
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgecl.learning.compute.batch_norm import span_ranks
from edgecl.learning.compute.placement import Compute
from edgecl.learning.compute.ranks import Ranks, joined
from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.augmentation import ZOOM
from edgecl.learning.contrastive.objectives import NNCLR, Objective, SimCLR
from edgecl.learning.contrastive.support_set import SupportSet
from edgecl.learning.evaluation import embedding_map, shifts
from edgecl.learning.loop.epochs import finetune_epoch, pretrain_epoch
from edgecl.learning.model import Backbone, Classifier, Projector, standardise
from edgecl.learning.runner import train_run
from runtime.errors import EdgeclError, InputError
from runtime.files.document import plain

CPU = torch.device("cpu")
SIDE = 16
DIMENSION = 6
OBJECTIVES = ("all", "cross-view", "nnclr")
QUICK = ("--image-size", "32x32", "--method", "none", "--epochs", "1", "--autocast", "off")
STEPS_BEFORE_THE_KILL = 18  # of 5 in pretraining and twice 10 in fine-tuning


class KilledError(Exception):
    pass


def images(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)


class SmallProjector(nn.Module):
    """Dense layers alone: no batch norm, the rows do not know of each other."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(SIDE * SIDE, 12), nn.ReLU(), nn.Linear(12, DIMENSION)
        )

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.layers(standardise(x).double())
        return projected


def objective(name: str) -> Objective:
    if name != "nnclr":
        return SimCLR(0.2, name)
    support_set = SupportSet(9, DIMENSION, CPU)
    support_set.enqueue(torch.randn(7, DIMENSION), torch.arange(100, 107))
    return NNCLR(0.2, support_set)


def contrast(ranks: Ranks, name: str, *, steps: int = 1) -> dict[str, Any]:
    """Loss, gradients and memory after steps of 8 images that leave the weights alone."""
    torch.manual_seed(0)
    aim = objective(name)
    projector = SmallProjector().double()
    result = pretrain(projector, aim, ranks, images(8 * steps))
    return {**result, "state": aim.state()}


def pretrain(
    projector: nn.Module, aim: Objective, ranks: Ranks, images: np.ndarray
) -> dict[str, Any]:
    result = pretrain_epoch(
        projector,
        torch.optim.SGD(projector.parameters(), lr=0.0),
        images,
        objective=aim,
        recipe=ZOOM.contrastive,
        batch_size=8,
        rng=np.random.default_rng(5),
        compute=Compute(CPU, "off", ranks),
        on_step=lambda: None,
    )
    return {"loss": result.loss, "accuracy": result.accuracy, "gradients": gradients(projector)}


def contrast_with_batch_norm(ranks: Ranks, dtype: torch.dtype) -> dict[str, Any]:
    """As `contrast`, through ShuffleNet."""
    torch.manual_seed(0)
    projector = Projector(Backbone("shufflenet", (SIDE, SIDE))).to(dtype)
    span_ranks(projector, ranks, CPU)
    result = pretrain(projector, SimCLR(0.2, "all"), ranks, images(8))
    return {**result, "buffers": dict(projector.named_buffers())}


def classify(ranks: Ranks) -> dict[str, Any]:
    """An epoch of fine-tuning on a batch of 7, of which two ranks have 3 and 4."""
    torch.manual_seed(0)
    classifier = Classifier(Backbone("shufflenet", (SIDE, SIDE)), 3).double()
    span_ranks(classifier, ranks, CPU)
    result = finetune_epoch(
        classifier,
        torch.optim.SGD(classifier.parameters(), lr=0.0),
        images(7),
        np.arange(7) % 3,
        recipe=ZOOM.classification,
        batch_size=7,
        rng=np.random.default_rng(5),
        compute=Compute(CPU, "off", ranks),
        on_step=lambda: None,
    )
    return {"loss": result.loss, "accuracy": result.accuracy, "gradients": gradients(classifier)}


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {
        name: parameter.grad
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }


def gather_unequal_shares(ranks: Ranks) -> dict[str, Tensor]:
    """Five rows, and a loss that differs from rank to rank."""
    share = ranks.share(5)
    mine = torch.arange(5.0)[share.rows].requires_grad_()
    whole = share.gather(mine)
    ((ranks.number + 1) * whole**2).sum().backward()
    assert mine.grad is not None
    return {"whole": whole.detach(), "gradient": mine.grad}


def errors(ranks: Ranks) -> dict[str, str]:
    """What each rank hears of an error on one of them."""

    def fail(number: int) -> int:
        if ranks.number == number:
            raise InputError(f"rank {number} has no disk", hint="buy one")
        return 1

    def told(work: Callable[[], object]) -> str:
        try:
            work()
        except EdgeclError as error:
            return str(error)
        return "nothing"

    return {
        "by_all": told(lambda: ranks.by_all(lambda: fail(1))),
        "by_first": told(lambda: ranks.by_first(lambda: fail(0))),
        "by_first, the other": told(lambda: ranks.by_first(lambda: fail(1))),
        "require_same": told(
            lambda: ranks.require_same(ranks.number, "luck", hint="share it evenly")
        ),
        "afterwards": str(ranks.by_first(lambda: [ranks.number, 0.1, None])),
    }


def dropout(ranks: Ranks) -> Tensor:
    torch.manual_seed(0)
    ranks.reseed([1, 2, 3])
    return torch.rand(3)


def run_config(data: str) -> TrainConfig:
    return TrainConfig(
        data=data, image_size=(32, 32), pretrain_epochs=1, epochs=2, batch_size=16, autocast="off"
    )


def train(data: str, run: Path, ranks: Ranks) -> dict[str, Any]:
    """A whole run in float64: in float32 Adam blows roundings up to other numbers soon."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return plain(train_run(run_config(data), run, report=lambda *_: None, ranks=ranks))
    finally:
        torch.set_default_dtype(before)


def train_killed(data: str, run: Path, ranks: Ranks) -> None:
    """The same, broken off in fine-tuning."""
    steps = itertools.count(1)

    def kill(stage: str, *_: object) -> None:
        if stage in ("pretraining", "fine-tuning") and next(steps) == STEPS_BEFORE_THE_KILL:
            raise KilledError

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        train_run(run_config(data), run, report=kill, ranks=ranks)
    except KilledError:
        pass
    finally:
        torch.set_default_dtype(before)


def main(data: str, out: Path) -> None:
    # What the first rank does alone at the end of a run, in as little as it can be done in.
    embedding_map.ITERATIONS = 250
    shifts.SHIFTS = shifts.SHIFTS[-1:]  # type: ignore[assignment, attr-defined]
    with joined() as ranks:
        ports: list[int] = ranks.by_first(lambda: [free_port(), free_port()])
        found: dict[str, Any] = {
            "size": ranks.size,
            "gather": gather_unequal_shares(ranks),
            "errors": errors(ranks),
            "dropout": dropout(ranks),
            "classify": classify(ranks),
        }
        for name in OBJECTIVES:
            found[name] = contrast(ranks, name)
        found["two steps of nnclr"] = contrast(ranks, "nnclr", steps=2)
        for dtype in (torch.float32, torch.float64):
            found[str(dtype)] = contrast_with_batch_norm(ranks, dtype)
        found["result"] = train(data, out / "whole", ranks)
        train_killed(data, out / "killed", ranks)
        if ranks.first:
            shutil.copytree(out / "killed", out / "killed for one")
        train(data, out / "killed", ranks)
    found["threads afterwards"] = [
        path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")
    ]
    torch.save(found, out / f"{ranks.number}.pt")
    command(ports[0], "train", "--data", data, "--out", out / "told", *QUICK, "--json")
    mistaken = ("--out", out / "mistaken", "--batch-size", "31")
    sys.exit(command(ports[1], "train", "--data", data, *mistaken))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def command(port: int, *arguments: object) -> int | str | None:
    """Do what `python -m edgecl` does, and return its exit code.

    Args:
        port: where the ranks meet; torchrun's own store has the addresses of the group before.
    """
    os.environ |= {"MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "False"}
    sys.argv = ["edgecl", *map(str, arguments)]
    try:
        runpy.run_module("edgecl", run_name="__main__")
    except SystemExit as ended:
        return ended.code
    return 0


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
