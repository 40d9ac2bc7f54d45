"""Metadata of a server's model, held against a bundle's contract. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES, ModelContract
from runtime.errors import InputError
from runtime.session.base import TILES_AT_ONCE, Outputs
from runtime.session.oip.connection import (
    ModelFacts,
    ServedModel,
    ServerAnswer,
    ServerRefusalError,
    TensorFacts,
)

IMAGE_TYPE, ANSWER_TYPE = "UINT8", "FP32"
ANY = -1
HINT = "serve the models that 'edgecl export --triton' wrote of this bundle, or name another one"
WIDEST = 65_536
"""Longest embedding that is taken."""


@dataclass(frozen=True)
class Expected:
    """Tensors that a bundle's model has on a server, by name; the first axis is the batch."""

    inputs: dict[str, TensorFacts]
    outputs: dict[str, TensorFacts]


def expected_of(contract: ModelContract) -> Expected:
    """Return the tensors that a session asks for; the embedding may have any width."""
    probabilities, embedding = OUTPUT_NAMES
    return Expected(
        {INPUT_NAME: TensorFacts(IMAGE_TYPE, (ANY, 1, *contract.input.shape))},
        {
            probabilities: TensorFacts(ANSWER_TYPE, (ANY, len(contract.labels))),
            embedding: TensorFacts(ANSWER_TYPE, (ANY, ANY)),
        },
    )


def batches_of(
    facts: ModelFacts, contract: ModelContract, model: ServedModel, where: str
) -> tuple[int, int]:
    """Check the metadata of a model against the contract.

    Args:
        model: that was asked for.
        where: the server, for the error.

    Returns:
        The smallest and the largest batch that it takes.

    Raises:
        InputError: it is another model, or lacks the version that was asked for.
    """
    title = f"{model.name} at {where}"
    if facts.name != model.name:
        raise InputError(f"{where} answers for {facts.name!r}, not {model.name!r}", hint=HINT)
    if model.version and facts.versions and model.version not in facts.versions:
        raise InputError(
            f"{title} has no version {model.version}, but {', '.join(facts.versions)}",
            hint="name one of them, or none for the server's own choice",
        )
    expected = expected_of(contract)
    for kind, wanted, found in (
        ("input", expected.inputs, facts.inputs),
        ("output", expected.outputs, facts.outputs),
    ):
        for name, tensor in wanted.items():
            if name not in found:
                others = ", ".join(sorted(found)) or "none"
                raise InputError(f"{title} has no {kind} {name!r} (it has {others})", hint=HINT)
            if not _fits(tensor, found[name]):
                raise InputError(
                    f"{title}: the {kind} {name!r} is {found[name]}, but the bundle's is {tensor}",
                    hint=HINT,
                )
        if kind == "input" and len(found) > 1:
            others = ", ".join(sorted(set(found) - set(wanted)))
            raise InputError(f"{title} needs further inputs: {others}", hint=HINT)
    count = facts.inputs[INPUT_NAME].shape[0]
    if count != ANY:
        return count, count
    return 1, max(1, min(facts.largest or TILES_AT_ONCE, TILES_AT_ONCE))


def _fits(wanted: TensorFacts, found: TensorFacts) -> bool:
    return (
        wanted.datatype == found.datatype
        and len(wanted.shape) == len(found.shape)
        and all(
            own in (ANY, there) or (there == ANY and axis > 0)
            for axis, (own, there) in enumerate(zip(wanted.shape, found.shape, strict=True))
        )
        and (found.shape[0] == ANY or found.shape[0] >= 1)
    )


def outputs_of(answer: ServerAnswer, count: int, labels: int) -> Outputs:
    """Return an answer as sessions give it.

    Args:
        count: images that were asked about.
        labels: of the contract.

    Raises:
        ServerRefusalError: an output is missing, or has another shape.
    """
    shaped: list[NDArray[np.float32]] = []
    for name in OUTPUT_NAMES:
        if name not in answer.outputs:
            raise ServerRefusalError(f"its answer has no output {name!r}")
        values = answer.outputs[name]
        width = values.shape[1] if values.ndim == 2 else 0
        right = name != OUTPUT_NAMES[0] or width == labels
        if values.ndim != 2 or len(values) != count or not 0 < width <= WIDEST or not right:
            shape = "×".join(map(str, values.shape))
            raise ServerRefusalError(f"its {name} are {shape} for {count} images")
        shaped.append(values)
    return Outputs(*shaped)
