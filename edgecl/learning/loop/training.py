"""A run from its first epoch to its result, resumable after any of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from edgecl.encoders.weights import FoundWeights
from edgecl.learning.compute.batch_norm import span_ranks
from edgecl.learning.compute.placement import Compute
from edgecl.learning.config import FROZEN_ENCODERS, TrainConfig
from edgecl.learning.contrastive.augmentation import chosen_augmentation
from edgecl.learning.documents import PretrainingFacts, RunResult
from edgecl.learning.loop.checkpoint import begin_or_resume
from edgecl.learning.loop.compilation import compile_networks, run_eagerly
from edgecl.learning.loop.conclusion import conclude
from edgecl.learning.loop.monitoring import Monitor
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.stages.distillation import distill
from edgecl.learning.loop.stages.finetuning import begin_finetuning, finetune, fit_frozen
from edgecl.learning.loop.stages.pretraining import facts_of_pretraining, pretrain
from edgecl.learning.loop.stages.tuning import choose_tuning
from edgecl.learning.loop.state import DISTILL, PRETRAIN, EpochLog, Networks, RunState
from edgecl.learning.run.preparation import Prepared
from runtime.files.document import plain
from runtime.progress import StageProgress


def set_up(
    config: TrainConfig,
    prepared: Prepared,
    run: Path,
    *,
    compute: Compute,
    report: StageProgress,
    weights: FoundWeights | None = None,
    log: EpochLog | None = None,
) -> tuple[TrainingSetup, RunState]:
    """Build the networks of a run, and take up its checkpoint where there is one.

    Args:
        weights: what the encoder starts from; None for fresh weights.

    Returns:
        What stays as it is, and the state that training moves on.

    Raises:
        InputError: the checkpoint is damaged, or the ranks do not see the same one.
    """
    networks = Networks.build(config, prepared, compute.device, weights)
    span_ranks(networks.backbone, compute.ranks, compute.device)
    span_ranks(networks.projector.projection, compute.ranks, compute.device)
    uncompiled = compile_networks(networks, config, compute)
    setup = TrainingSetup(
        config,
        replace(prepared, notes=(*uncompiled, *prepared.notes)),
        run,
        compute,
        Monitor(prepared, compute),
        chosen_augmentation(config),
        report,
        log,
    )
    return setup, begin_or_resume(setup, networks)


def train(setup: TrainingSetup, state: RunState) -> RunResult | PretrainingFacts:
    """Train to the end, touch the test part once, and write weights, predictions and result.

    Args:
        state: that of the last whole epoch; it is moved on.

    Returns:
        What result.json holds; of a run that only pretrains, the facts of its pretraining.

    Raises:
        InputError: a value became infinite or no number; the checkpoint is that of the last
            whole epoch.
    """
    config = setup.config
    if config.method != "none" and state.journal.stage == PRETRAIN:
        pretrain(setup, state)
        begin_finetuning(setup, state)
    if config.pretrain_only:
        return facts_of_pretraining(setup, state.journal)
    if config.encoder in FROZEN_ENCODERS:
        fit_frozen(setup, state)
        return _tested(setup, state)
    if state.journal.stage != DISTILL:
        finetune(choose_tuning(setup), state)
    if config.self_train:
        distill(setup, state)
    return _tested(setup, state)


def _tested(setup: TrainingSetup, state: RunState) -> RunResult:
    """Test the best classifier, and write what the run leaves."""
    classifier, journal = state.networks.classifier, state.journal
    run_eagerly(classifier)
    if journal.best is not None:
        classifier.load_state_dict(journal.best)
    setup.report("testing", 0, 1, "the test part, once")
    told = setup.compute.ranks.by_first(lambda: plain(conclude(setup, classifier, journal)))
    setup.report("testing", 1, 1, "done")
    return msgspec.convert(told, RunResult)
