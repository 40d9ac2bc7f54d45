"""Checkpoint of a run: written after every epoch, and taken up again after a kill."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

from edgecl.learning.contrastive.objectives import build_objective
from edgecl.learning.documents import EpochMeasures, Stage
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.state import PRETRAIN, Journal, Networks, RunState, adam
from edgecl.learning.optimisation.averaging import WeightAverage
from edgecl.learning.optimisation.groups import classifier_optimizer
from edgecl.learning.run import run_directory


def begin_or_resume(setup: TrainingSetup, networks: Networks) -> RunState:
    """Return the state of a run: its checkpoint's, or that before the first epoch.

    Args:
        networks: with fresh weights; those of a checkpoint are loaded into them.

    Raises:
        InputError: the checkpoint is damaged, or the ranks do not see the same one.
    """
    ranks = setup.compute.ranks
    objective = build_objective(
        setup.config, networks.backbone.embedding_size, setup.compute.device
    )
    state = RunState(Journal(), networks, objective)
    held = ranks.by_all(lambda: run_directory.load_checkpoint(setup.run))
    if held is not None:
        state = _resumed(setup, state, held)
    ranks.require_same(
        [state.journal.stage, state.journal.epoch],
        f"epochs in {setup.run}",
        hint="make sure that all ranks see the same run directory",
    )
    for module in (networks.projector, networks.classifier):
        ranks.copy_first(module)
    return state


def record_epoch(
    setup: TrainingSetup,
    state: RunState,
    stage: Stage,
    start: float,
    metrics: Mapping[str, float | None],
) -> None:
    """Enter the epoch that has just ended into the journal, and save.

    Args:
        start: when it began, by `time.perf_counter`.
    """
    journal, seconds = state.journal, time.perf_counter() - start
    journal.seconds[stage] = journal.seconds.get(stage, 0.0) + seconds
    journal.history.append(
        EpochMeasures(stage=stage, epoch=journal.epoch, seconds=seconds, **metrics)
    )
    save(setup, state)


def save(setup: TrainingSetup, state: RunState) -> None:
    """Let the first rank write checkpoint.pt and metrics.jsonl, and tell the log."""

    def write() -> None:
        history = state.journal.history
        run_directory.save_checkpoint(setup.run, _checkpoint(setup, state))
        run_directory.write_metrics(setup.run, history)
        if setup.log is not None:
            setup.log(history)

    setup.compute.ranks.by_first(write)


def _checkpoint(setup: TrainingSetup, state: RunState) -> dict[str, Any]:
    return {
        "journal": state.journal.state(),
        "networks": state.networks.state(),
        "objective": state.objective.state(),
        "optimizer": state.optimizer.state_dict() if state.optimizer else None,
        "average": state.average.state() if state.average else None,
        "scaler": setup.compute.scaler.state_dict(),
        "torch_rng": torch.get_rng_state(),
    }


def _resumed(setup: TrainingSetup, fresh: RunState, held: Mapping[str, Any]) -> RunState:
    """Load a checkpoint into the networks, the objective and the scaler of a fresh state."""
    config, networks = setup.config, fresh.networks
    where = str(setup.run / run_directory.CHECKPOINT)
    journal = Journal.of(held["journal"], where=where)
    networks.load(held["networks"])
    fresh.objective.load(held["objective"])
    if held.get("scaler"):  # empty where nothing is scaled
        setup.compute.scaler.load_state_dict(held["scaler"])
    optimizer = None
    if held["optimizer"] is not None:
        pretraining = journal.stage == PRETRAIN
        optimizer = (
            adam(networks.projector, config.pretrain_lr)
            if pretraining
            else classifier_optimizer(networks.classifier, config)
        )
        optimizer.load_state_dict(held["optimizer"])
    average = None
    if held["average"] is not None:
        average = WeightAverage(networks.classifier, held["average"])
    torch.set_rng_state(held["torch_rng"])
    return RunState(journal, networks, fresh.objective, optimizer, average)
