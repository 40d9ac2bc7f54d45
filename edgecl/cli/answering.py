"""The options of verbs that answer single images with a bundle, and its opening for them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.options import ANY_PATH, DEVICE, Checked, option_group
from edgecl.cli.run.checks import check_label, check_threshold
from edgecl.cli.verb import naming_place

if TYPE_CHECKING:
    from runtime.artifact.bundle import Bundle
    from runtime.session import Session
    from runtime.stream.answering.answerer import Answerer

_OPTIONS = (
    click.option("--model", type=ANY_PATH, help="Bundle.  [default: the newest here or in runs/]"),
    click.option(
        "--verify-key", type=ANY_PATH, metavar="PUB", help="Require a signature by this public key."
    ),
    click.option(
        "--precision", default="auto", show_default=True, help="auto, fp32, fp16 or int8."
    ),
    click.option(
        "--engine",
        default="auto",
        show_default=True,
        help="auto, onnxruntime, openvino or tensorrt.",
    ),
    DEVICE,
    click.option(
        "--pass-label",
        "pass_labels",
        multiple=True,
        type=Checked("label", check_label),
        metavar="LABEL",
        help="Label that lets a part pass, in place of the model's. Repeatable.",
    ),
    click.option(
        "--unsure-below",
        multiple=True,
        type=Checked("confidence", check_threshold),
        default=("0.5",),
        metavar="[LABEL=]SHARE",
        help="Confidence below which an answer is 'unsure'. Repeatable.  [default: 0.5]",
    ),
)


@dataclass(frozen=True)
class OpenedModel:
    """A bundle that answers single images.

    Args:
        bundle: verified.
        session: of it.
        answerer: with the rules that were given.
    """

    bundle: Bundle
    session: Session
    answerer: Answerer


answer_options = option_group(*_OPTIONS)
"""Decorator with the options about a bundle and its rules."""


def opened_model(
    context: click.Context, values: Mapping[str, Any], stack: ExitStack, model: Path | None = None
) -> OpenedModel:
    """Open the bundle that the options name.

    Args:
        context: of the command.
        values: of `answer_options`.
        stack: closes the session.
        model: another bundle in its place.

    Raises:
        InputError: it cannot be opened, is not signed, or has not a label that a rule names.
    """
    from edgecl.cli.run.model.source import newest_bundle
    from runtime.artifact.signature import load_verified_bundle
    from runtime.novelty import novelty_beside
    from runtime.session import open_session
    from runtime.stream.answering.answerer import Answerer
    from runtime.stream.rules import Rules, parse_thresholds

    path = model or values["model"] or newest_bundle()
    bundle = load_verified_bundle(path, values["verify_key"])
    session = stack.enter_context(
        open_session(bundle, values["precision"], engine=values["engine"], device=values["device"])
    )
    below, below_of = parse_thresholds(values["unsure_below"])
    rules = Rules(unsure_below=below, unsure_below_of=below_of, pass_labels=values["pass_labels"])
    with naming_place(context, "pass_labels"):
        answerer = Answerer(session, rules, novelty_beside(bundle))
    return OpenedModel(bundle, session, answerer)
