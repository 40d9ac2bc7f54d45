"""The end of a run: the test part touched, once, and all written; or a non-finite loss."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from edgecl.data.pass_labels import passing_classes
from edgecl.encoders.complexity import count_macs, count_parameters
from edgecl.learning.config import FROZEN_ENCODERS, TrainConfig
from edgecl.learning.contrastive.collapse import collapse_note
from edgecl.learning.documents import RunResult
from edgecl.learning.evaluation.advice import advice
from edgecl.learning.evaluation.embedding_map import map_embeddings, write_embedding
from edgecl.learning.evaluation.metrics import evaluate
from edgecl.learning.evaluation.mistakes import write_mistakes
from edgecl.learning.loop.answers import TileAnswers, answer_tiles
from edgecl.learning.loop.divergence import diverged
from edgecl.learning.loop.epochs import DivergedError
from edgecl.learning.loop.examinations.drift import ask_under_drift
from edgecl.learning.loop.examinations.labels import examine_labels
from edgecl.learning.loop.rivals import (
    FROZEN,
    TEXTURE,
    ask_both,
    ask_frozen,
    ask_texture,
    describe_parts,
    texture_model,
)
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.stages.tuning import read_tuning
from edgecl.learning.loop.state import PRETRAIN, Journal
from edgecl.learning.model import Classifier
from edgecl.learning.optimisation.balance import balance_notes
from edgecl.learning.run import run_directory
from edgecl.learning.run.preparation import Prepared
from runtime.artifact.tiling import MEAN, WORST
from runtime.files.document import plain


def conclude(setup: TrainingSetup, classifier: Classifier, journal: Journal) -> RunResult:
    """Test the classifier and its rivals, and write weights, predictions and result.

    Returns:
        What result.json holds.

    Raises:
        InputError: an output is not finite.
    """
    config, prepared, run = setup.config, setup.prepared, setup.run
    device = setup.compute.device
    dataset, test = prepared.dataset, prepared.split.test
    passing = passing_classes(dataset.labels)
    try:
        self_training, rivals = ask_both(setup, classifier, journal)
        combine = choose_combination(config, prepared, classifier, device)
        answers = answer_tiles(classifier, dataset.images[test], device)
        probabilities = softmax(answers.image_logits(combine, passing))
        shifts = ask_under_drift(setup, classifier, combine, probabilities.argmax(1))
        frozen = ask_frozen(setup)
        if frozen is not None:
            rivals[FROZEN] = frozen
        texture = describe_parts(setup)
        if texture:
            rivals[TEXTURE] = ask_texture(setup, *texture)
        suspects = examine_labels(setup, classifier, combine, texture[0] if texture else None)
    except DivergedError as error:
        raise diverged(config, run, journal, error, None) from error
    embeddings = answers.image_embeddings()
    files = [dataset.files[row] for row in test.tolist()]
    groups = [dataset.groups[row] for row in test.tolist()]
    evaluation = evaluate(
        probabilities, dataset.targets[test], groups, dataset.labels, seed=config.seed
    )
    layout = map_embeddings(embeddings, seed=config.seed)
    encoder = classifier.backbone.encoder
    trained = config.encoder not in FROZEN_ENCODERS
    right = {name: float((said == dataset.targets[test]).mean()) for name, said in rivals.items()}
    found: dict[str, object] = {
        **evaluation.to_json(),
        "labels": list(dataset.labels),
        "encoder": config.encoder,
        "method": config.method,
        "views": config.views_used,
        "image_size": list(config.image_size),
        "texture_baseline": right.get(TEXTURE),
        "texture_model": texture_model(setup),
        "probe": right.get(FROZEN),
        "self_training": self_training,
        "tuning": read_tuning(setup),
        "balance": plain(setup.balance) if trained else None,
        "shifts": plain(shifts),
        "suspects": plain(suspects) if suspects else None,
        "tiling": _tiling_facts(config, combine, answers),
        "channels": config.channels,
        "split": config.split,
        "seed": config.seed,
        "folds": config.folds,
        "fold": config.fold,
        "label_share": config.label_share,
        "label_draw": config.label_draw,
        "pretrained": plain(prepared.pretrained.facts) if prepared.pretrained else None,
        "protocol_note": prepared.protocol_note,
        "counts": prepared.counts,
        "parameters": count_parameters(encoder),
        "macs": count_macs(encoder, channels=config.channels, image_size=config.image_size),
        "best_epoch": journal.best_epoch,
        "stages": dict(journal.seconds),
        "seconds": sum(journal.seconds.values()),
        "embedding": layout.to_json(),
        "notes": [
            *prepared.notes,
            *balance_notes(setup.balance, trained),
            *_notes_of_pretraining(config, prepared, journal),
            *advice(
                config,
                evaluation.accuracy,
                right.get(TEXTURE),
                shifts,
                tiles_per_image=float(answers.counts.mean()),
            ),
        ],
    }
    result = msgspec.convert(found, RunResult)
    run_directory.save_weights(run, classifier)
    run_directory.write_predictions(
        run,
        files=files,
        groups=groups,
        targets=dataset.targets[test],
        probabilities=probabilities,
        labels=dataset.labels,
    )
    run_directory.write_rivals(
        run, files=files, targets=dataset.targets[test], answers=rivals, labels=dataset.labels
    )
    write_embedding(
        run,
        layout,
        files=files,
        targets=dataset.targets[test],
        predicted=probabilities.argmax(1),
        labels=dataset.labels,
    )
    write_mistakes(
        run,
        images=dataset.images[test],
        files=files,
        targets=dataset.targets[test],
        probabilities=probabilities,
        labels=dataset.labels,
    )
    run_directory.write_result(run, result)
    return result


def choose_combination(
    config: TrainConfig, prepared: Prepared, classifier: Classifier, device: torch.device
) -> str:
    """Return how the tiles' answers are combined: the user's choice, or the validation part's.

    The worst tile takes over from the mean only where it answers more images rightly and with a
    lower loss, on a validation part that is large enough to choose by.

    Raises:
        DivergedError: an output is not finite.
    """
    if config.tiling is None or config.combine != "auto" or not prepared.can_choose:
        return MEAN if config.combine == "auto" else config.combine
    rows = prepared.split.validation
    answers = answer_tiles(classifier, prepared.dataset.images[rows], device)
    targets = torch.from_numpy(prepared.dataset.targets[rows])
    passing = passing_classes(prepared.dataset.labels)

    def quality(combine: str) -> tuple[float, float]:
        logits = torch.from_numpy(answers.image_logits(combine, passing))
        right = float((logits.argmax(1) == targets).float().mean())
        return right, -float(F.cross_entropy(logits, targets))

    mean, worst = quality(MEAN), quality(WORST)
    return WORST if worst[0] > mean[0] and worst[1] > mean[1] else MEAN


def _tiling_facts(
    config: TrainConfig, combine: str, answers: TileAnswers
) -> dict[str, object] | None:
    tiling = config.tiling
    if tiling is None:
        return None
    return {
        "tile": list(tiling.tile),
        "stride": list(tiling.steps),
        "scale": tiling.scale,
        "combine": combine,
        "tiles_per_image": float(answers.counts.mean()),
    }


def _notes_of_pretraining(
    config: TrainConfig, prepared: Prepared, journal: Journal
) -> Sequence[str]:
    """Return the notes of this run's pretraining, or of the one that it took over."""
    if prepared.pretrained is not None:
        return prepared.pretrained.facts.notes
    epochs = journal.epochs_of(PRETRAIN)
    if not epochs:
        return ()
    return collapse_note(config, epochs[-1].pretraining_loss, epochs=epochs[-1].epoch)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of probabilities, float32 N×C."""
    return F.softmax(torch.from_numpy(logits), dim=1).numpy()
