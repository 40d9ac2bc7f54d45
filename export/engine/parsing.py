"""Errors of TensorRT's ONNX parser in our words: which node, which operator, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from export.engine.modules import title
from runtime.errors import InputError

SHOWN = 3


@dataclass(frozen=True)
class Refusal:
    """One node that the parser rejects.

    Args:
        operator: its ONNX operator; empty where the whole file is meant.
        node: its name, or its number where it has none.
        known: whether TensorRT knows the operator, and refuses how it is used here.
        code: the parser's, for example `UNSUPPORTED_NODE`.
        reason: the parser's words; may be empty.
    """

    operator: str
    node: str
    known: bool
    code: str
    reason: str

    def __str__(self) -> str:
        if not self.operator:
            return self.reason or self.code
        if not self.known:
            return f"operator {self.operator} (node {self.node}) is not supported"
        return f"node {self.node} ({self.operator}) is rejected: {self.reason or self.code}"


class RefusedGraphError(InputError):
    """Error: the graph cannot become an engine.

    Args:
        refusals: everything that the parser found.
    """

    def __init__(self, problem: str, refusals: tuple[Refusal, ...], *, hint: str) -> None:
        super().__init__(problem, hint=hint)
        self.refusals = refusals


def parse(trt: Any, parser: Any, model: bytes, *, where: str) -> None:
    """Parse `model` into the parser's network.

    Args:
        where: the file, for the error.

    Raises:
        RefusedGraphError: with all that the parser refused.
    """
    if parser.parse(model):
        return
    refusals = tuple(_refusal(parser, parser.get_error(i)) for i in range(parser.num_errors))
    shown = "; ".join(str(refusal) for refusal in refusals[:SHOWN])
    if len(refusals) > SHOWN:
        shown += f"; and {len(refusals) - SHOWN} more"
    lacking = any(refusal.operator and not refusal.known for refusal in refusals)
    raise RefusedGraphError(
        f"{title(trt)} cannot parse {where}: {shown or 'no reason given'}",
        refusals,
        hint="replace the operator in the network, or run this model with onnxruntime or OpenVINO"
        if lacking
        else "use a file written by 'edgecl export'",
    )


def _refusal(parser: Any, error: Any) -> Refusal:
    operator = error.node_operator()
    reason = error.desc().removeprefix("Assertion failed: ").strip()
    return Refusal(
        operator=operator,
        node=error.node_name() or f"number {error.node()}",
        known=bool(operator) and parser.supports_operator(operator),
        code=error.code().name,
        # The parser quotes its own source: `false` where a check has nothing more to say.
        reason="" if reason == "false" else " ".join(reason.split()),
    )
