"""Training steps on a GPU: images per second, and what of the time the network itself takes.

A pretraining step is two views of each of 32 images at 128×800 in three channels, NT-Xent,
backward, Adam; a fine-tuning step is one view of each and cross-entropy: both as `edgecl train`
does them, with the images on the GPU. Beside them stands the network alone: forward, backward
and Adam on views that lie ready. What the whole step takes beyond that is the time outside the
model: drawing the augmentation, warping, the loss, and the GPU waiting for the processor.

    python benchmarks/training_gpu.py [--encoder shufflenet] [--image-size 128x800] [--steps 50]

It refuses to run without a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.drawn import draw_images, prepare
from benchmarks.script import run_script
from edgecl.encoders.complexity import count_parameters
from edgecl.learning.compute.placement import Compute
from edgecl.learning.compute.residency import bring_closer
from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.augmentation import augmentation_of
from edgecl.learning.contrastive.objectives import build_objective
from edgecl.learning.loop.epochs import finetune_epoch, pretrain_epoch
from edgecl.learning.loop.number_format import decide_autocast
from edgecl.learning.loop.state import Networks

ENCODERS = ("convnet", "skipconvnet", "shufflenet")
CLASSES = 6
DRAWN = 64
ROUNDS = 3


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--encoder", action="append", dest="encoders")
    parser.add_argument("--image-size", default="128x800", help="HxW")
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("training_gpu: torch sees no GPU", file=sys.stderr)
        return 2
    height, width = (int(side) for side in arguments.image_size.split("x"))
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}; {height}×{width}×"
        f"{arguments.channels}, batches of {arguments.batch_size}, {arguments.steps} steps, "
        f"the median of {ROUNDS} rounds"
    )
    for encoder in arguments.encoders or ENCODERS:
        config = TrainConfig(
            encoder=encoder,
            image_size=(height, width),
            channels=arguments.channels,
            batch_size=arguments.batch_size,
        )
        measure(config, arguments.steps)
    return 0


def measure(config: TrainConfig, steps: int) -> None:
    """Both stages of one encoder."""
    device = torch.device("cuda")
    images = draw_images(config.image_size, DRAWN)
    shown = images[np.arange(steps * config.batch_size) % DRAWN]
    targets = np.arange(len(shown)) % CLASSES
    prepared = prepare(images, CLASSES)
    autocast, _ = decide_autocast(config, prepared, device)
    compute = Compute(device, autocast)
    networks = Networks.build(config, prepared, device)
    projector, classifier = networks.projector.train(), networks.classifier.train()
    objective = build_objective(config, networks.backbone.embedding_size, device)
    augmentation = augmentation_of(config.method, config.views)
    resident, rng = bring_closer(shown, device), np.random.default_rng(0)
    adams = [torch.optim.Adam(m.parameters(), lr=1e-4, fused=True) for m in (projector, classifier)]

    def pretrain() -> None:
        pretrain_epoch(
            projector,
            adams[0],
            resident,
            objective=objective,
            recipe=augmentation.contrastive,
            batch_size=config.batch_size,
            rng=rng,
            compute=compute,
            on_step=lambda: None,
        )

    def finetune() -> None:
        finetune_epoch(
            classifier,
            adams[1],
            resident,
            targets,
            recipe=augmentation.classification,
            batch_size=config.batch_size,
            rng=rng,
            compute=compute,
            on_step=lambda: None,
        )

    ready = torch.from_numpy(shown[: config.batch_size, None]).to(device)

    def alone(model: nn.Module, adam: torch.optim.Optimizer, views: Tensor) -> Callable[[], None]:
        def run() -> None:
            for _ in range(steps):
                with compute.casting():
                    out = model(views)
                out = out[0] if isinstance(out, tuple) else out
                # A loss of next to no work, in the place of the real one.
                loss = out.float().square().mean()
                adam.zero_grad(set_to_none=True)
                compute.backward(loss)
                compute.step(adam)

        return run

    parameters = count_parameters(networks.backbone.encoder)
    print(f"{config.encoder}: autocast {autocast}, {parameters:,} parameters")
    both = torch.cat((ready, ready))
    for name, whole, model, adam, views in (
        ("pretraining", pretrain, projector, adams[0], both),
        ("fine-tuning", finetune, classifier, adams[1], ready),
    ):
        torch.cuda.reset_peak_memory_stats()
        step = seconds(whole) / steps
        own = seconds(alone(model, adam, views)) / steps
        busy = gpu_seconds(whole) / steps
        print(
            f"  {name:<12} {config.batch_size / step:8.0f} images/s  {1e3 * step:7.2f} ms a "
            f"step, {1e3 * own:7.2f} the model alone: {max(0.0, 1 - own / step):5.1%} outside it; "
            f"kernels keep the GPU busy {min(1.0, busy / step):5.1%} of the time; "
            f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB",
            flush=True,
        )


def seconds(run: Callable[[], None]) -> float:
    """The median of the rounds, after one that warms up."""
    taken = []
    for _ in range(ROUNDS + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def gpu_seconds(run: Callable[[], None]) -> float:
    """The time of all kernels and copies of one round, by CUDA's own tracing."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        run()
        torch.cuda.synchronize()
    kinds = torch.autograd.DeviceType.CUDA  # type: ignore[attr-defined]
    spans = (event.time_range for event in profile.events() if event.device_type == kinds)
    return float(sum(span.elapsed_us() for span in spans)) / 1e6


if __name__ == "__main__":
    run_script(main)
