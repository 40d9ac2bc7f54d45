"""A run directory from its choices: prepared, recorded, trained or resumed."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path

import torch
from msgspec import structs

from edgecl import __version__
from edgecl.encoders import build_encoder
from edgecl.encoders.weights import FoundWeights, find_weights
from edgecl.learning.compute.allocator import keep_activations
from edgecl.learning.compute.placement import Compute, default_device
from edgecl.learning.compute.ranks import ALONE, Ranks
from edgecl.learning.compute.threads import (
    OthersLoad,
    are_settled,
    leave_cores_to_others,
    restored_threads,
)
from edgecl.learning.config import AUTO, FROZEN_ENCODERS, TrainConfig
from edgecl.learning.documents import (
    ComparedChoices,
    PretrainingFacts,
    RunConfig,
    RunResult,
    TrainingMachine,
)
from edgecl.learning.loop.number_format import decide_autocast
from edgecl.learning.loop.stages.geometry import geometry_note, settle_geometry
from edgecl.learning.loop.state import EpochLog
from edgecl.learning.loop.training import set_up, train
from edgecl.learning.run import run_directory
from edgecl.learning.run.own_flat import flat_digest, keep_flat, with_own_flat
from edgecl.learning.run.preparation import Prepared, prepare
from edgecl.learning.run.sources import ImageSource, RememberingSource
from runtime.errors import InputError
from runtime.files.document import write_document
from runtime.machine import package_versions
from runtime.progress import StageProgress


def train_run(
    config: TrainConfig,
    run: Path,
    *,
    report: StageProgress,
    source: ImageSource | None = None,
    ranks: Ranks = ALONE,
    log: EpochLog | None = None,
) -> RunResult:
    """Train `config` into the folder `run`, from the start or from its checkpoint.

    Args:
        report: called with (stage, done, total, text).
        source: where images come from; None to read them.
        ranks: the processes that train together, all of which call this; the first one writes.
        log: takes the epochs beside metrics.jsonl.

    Returns:
        What result.json holds.

    Raises:
        InputError: the data, the image size, the method or the weights cannot be used, or the
            data is not what the run began with.
        ValueError: `config` only pretrains.
    """
    result = _train(config, run, report, source, ranks, log)
    if not isinstance(result, RunResult):
        raise ValueError("a run that only pretrains has no result; use pretrain_run")
    return result


def pretrain_run(
    config: TrainConfig,
    run: Path,
    *,
    report: StageProgress,
    source: ImageSource | None = None,
    ranks: Ranks = ALONE,
    log: EpochLog | None = None,
) -> PretrainingFacts:
    """Do what `train_run` does with a `config` that only pretrains.

    Raises:
        InputError: see `train_run`.
        ValueError: `config` does more.
    """
    facts = _train(config, run, report, source, ranks, log)
    if not isinstance(facts, PretrainingFacts):
        raise ValueError("a run that does more than pretrain has a result; use train_run")
    return facts


def _train(
    config: TrainConfig,
    run: Path,
    report: StageProgress,
    source: ImageSource | None,
    ranks: Ranks,
    log: EpochLog | None,
) -> RunResult | PretrainingFacts:
    with restored_threads():
        return _train_with_threads(config, run, report, source, ranks, log)


def _train_with_threads(
    config: TrainConfig,
    run: Path,
    report: StageProgress,
    source: ImageSource | None,
    ranks: Ranks,
    log: EpochLog | None,
) -> RunResult | PretrainingFacts:
    keep_activations()
    device = default_device()
    load = OthersLoad()
    _require_format(config, device)
    for size in {config.batch_size, config.pretraining_batch}:
        ranks.require_batch(size)
    weights = ranks.by_all(lambda: _checked_encoder(config, run))
    config = ranks.by_all(lambda: _with_flat_of_before(config, run))
    digest = ranks.by_all(lambda: flat_digest(config))
    begun = ranks.by_first((run / run_directory.CONFIG).exists)
    compares = config.geometry == AUTO and not begun
    if compares:  # which trains as well
        leave_cores_to_others(load, device, report)
    config, compared, prepared = _read(config, run, device, report, source, ranks)
    ranks.require_same(
        [prepared.dataset.digest(), prepared.counts],
        "images",
        hint="make sure that all ranks read the same files",
    )
    recorded: RunConfig | None = None
    if begun:
        before = run_directory.read_config(run)
        config = before.choices
        if before.data_digest != prepared.dataset.digest():
            raise InputError(
                f"the images in {config.data or 'the built-in set'} are not the ones that "
                f"{run} was started with",
                hint="restore the old images, or start a new run",
            )
        notes = before.encoder_notes
        compared = before.geometry
        if before.machine is not None and not are_settled(device):
            torch.set_num_threads(min(before.machine.threads, torch.get_num_threads()))
    else:
        if not compares:
            leave_cores_to_others(load, device, report)
        measured = replace(
            config,
            batch_size=max(2, config.batch_size // ranks.size),
            pretrain_batch_size=max(2, config.pretraining_batch // ranks.size),
        )
        autocast, timing = ranks.by_first(lambda: decide_autocast(measured, prepared, device))
        config = replace(config, autocast=autocast)
        notes = _encoder_notes(config, weights)
        recorded = structs.replace(
            _config_document(config, prepared, device, timing, notes, ranks.size),
            flat_digest=digest,
            geometry=compared,
        )
    setup, state = set_up(
        config,
        replace(prepared, notes=(*_geometry_notes(compared), *notes, *prepared.notes)),
        run,
        compute=Compute(device, config.autocast, ranks),
        report=report,
        weights=weights,
        log=log,
    )
    if recorded is not None:  # only now: a network that cannot be built leaves no folder
        ranks.by_first(lambda: keep_flat(config, run, digest))
        ranks.by_first(lambda: write_document(run / run_directory.CONFIG, recorded))
    return train(setup, state)


def _read(
    config: TrainConfig,
    run: Path,
    device: torch.device,
    report: StageProgress,
    source: ImageSource | None,
    ranks: Ranks,
) -> tuple[TrainConfig, ComparedChoices | None, Prepared]:
    """Settle the geometry and read the images in it; what else was read is not kept."""
    if source is None:
        # What geometries are compared on is what is trained on, in one of two sizes.
        source = RememberingSource() if config.geometry == AUTO else ImageSource()
    config, compared = settle_geometry(config, run, device, report, source, ranks)
    return config, compared, ranks.by_all(lambda: prepare(config, report, source))


def _geometry_notes(compared: ComparedChoices | None) -> tuple[str, ...]:
    return () if compared is None else (geometry_note(compared),)


def _with_flat_of_before(config: TrainConfig, run: Path) -> TrainConfig:
    """Return the choices; of a resumed run with the flat-field that it keeps."""
    if not (run / run_directory.CONFIG).exists():
        return config
    return with_own_flat(config, run, run_directory.read_config(run).flat_digest)


def _require_format(config: TrainConfig, device: torch.device) -> None:
    if config.autocast == "fp16" and device.type != "cuda":
        raise InputError(
            "--autocast fp16 needs a GPU, and torch sees none here",
            hint="choose --autocast bf16, off or auto",
        )


def _checked_encoder(config: TrainConfig, run: Path) -> FoundWeights | None:
    """Refuse what the encoder cannot do before any image is read.

    Returns:
        The weights to start from; None for fresh ones, and where a checkpoint has its own.
    """
    if config.encoder in FROZEN_ENCODERS and config.method != "none":
        raise InputError(
            f"{config.encoder} is never trained, so it cannot be pretrained with {config.method}",
            hint="add --method none, or choose another encoder",
        )
    if config.pretrain_only and (config.method == "none" or config.pretrained):
        raise InputError(
            "--pretrain-only needs something to pretrain, so it cannot be combined with "
            "--method none or --pretrained",
            hint="use only one of them",
        )
    if config.folds == 1 or config.fold >= max(config.folds, 1):
        raise InputError(
            f"fold {config.fold} of {config.folds} does not exist",
            hint="use --folds 2 or more, and --fold from 0 to one less than that",
        )
    with torch.device("meta"):
        encoder = build_encoder(
            config.encoder, channels=config.channels, image_size=config.image_size
        )
    if not config.weights or (run / run_directory.CHECKPOINT).exists():
        return None
    return find_weights(Path(config.weights), encoder, name=config.encoder)


def _encoder_notes(config: TrainConfig, weights: FoundWeights | None) -> tuple[str, ...]:
    notes = [weights.note] if weights is not None else []
    if config.encoder in FROZEN_ENCODERS:
        notes.append(
            "the probabilities are softmaxed margins of a support vector machine and not calibrated"
        )
        if weights is None:
            notes.append("no --weights given: the frozen encoder's features are random")
    return tuple(notes)


def _config_document(
    config: TrainConfig,
    prepared: Prepared,
    device: torch.device,
    timing: dict[str, float],
    notes: tuple[str, ...],
    ranks: int,
) -> RunConfig:
    return RunConfig(
        choices=config,
        labels=tuple(prepared.dataset.labels),
        data_digest=prepared.dataset.digest(),
        counts=prepared.counts,
        autocast_seconds_per_step=timing,
        command=tuple(sys.argv),
        machine=TrainingMachine(
            system=platform.platform(),
            python=platform.python_version(),
            device=str(device),
            threads=torch.get_num_threads(),
            ranks=ranks,
        ),
        versions={
            "edgecl": __version__,
            **package_versions(("torch", "numba", "numpy", "opencv-python", "scikit-learn")),
        },
        encoder_notes=notes,
    )
