"""Plans for INT8 that are put to the gate, and the best of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from export.gate.comparison import Comparison
from export.stages.artefact import INT8_OPENVINO
from export.stages.int8 import Int8Parts
from export.stages.remedies.deadline import Deadline
from export.stages.remedies.forms import Int8Forms


@dataclass
class Attempts:
    """Plans put to the gate one after the other, and the best of them.

    A plan is better where fewer forms are refused that were at first, and none is that was not.

    Args:
        forms: prove a plan in each form of INT8.
        refused: forms that are to be saved.
        unproven: forms that shipped although beyond a limit by count, and may again.
        best: the best plan; None where none is better than the first.
        still: forms that are refused with it.
        losses: what the last plan lost, by form that it does not save or that it spoils.
    """

    forms: Int8Forms
    refused: frozenset[str]
    unproven: frozenset[str] = frozenset()
    best: Int8Parts | None = None
    still: frozenset[str] = frozenset()
    losses: dict[str, Comparison] = field(default_factory=dict)
    _longest: float = 0.0

    def __post_init__(self) -> None:
        self.still = self.refused

    def ships(self, parts: Int8Parts, deadline: Deadline) -> bool:
        """Put a plan to the gate; whether all of it ships.

        Raises:
            OutOfTimeError: not every form that matters could be tried.
        """
        self.losses, seen = {}, set()
        proposals = self.forms.proposals(parts.chosen.ranges, parts.kept.names)
        for proposal in sorted(proposals, key=lambda each: each.name not in self.refused):
            name = proposal.name
            if name not in self.refused and self.refused <= set(self.losses):
                break  # it saves nothing: the others need not be tried
            deadline.require(self._longest)
            began = deadline.spent
            proof = self.forms.proof(proposal, strict=name not in self.unproven)
            self._longest = max(self._longest, deadline.spent - began)
            seen.add(name)
            if proof.reason:
                self.losses[name] = proof.comparison
        # A form of OpenVINO's own that is gone is no loss: it runs the CPU's as it is.
        still = {*self.losses, *(self.refused - seen - {INT8_OPENVINO})}
        if not still or still < self.still:
            self.best, self.still = parts, frozenset(still)
        return not still
