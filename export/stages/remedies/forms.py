"""Each form of a network's INT8 against the gate, before anything ships."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from calibration.ranges import Ranges
from export.stages.artefact import Proposal, prove_proposal
from export.stages.graphs import NetworkGraph
from export.stages.int8_graphs import int8_graphs
from export.stages.proving import Proof, Reference


@dataclass(frozen=True)
class Int8Forms:
    """A network whose INT8 is tried in all its forms: for the CPU, for OpenVINO, for TensorRT.

    Args:
        fp32: quantised for the CPU.
        half: the same in FP16, quantised for TensorRT.
        overflow: why what computes in FP16 may not ship; empty where it may.
        reference: the trained model's answers.
        folder: for files that are gone afterwards.
    """

    fp32: NetworkGraph
    half: NetworkGraph
    overflow: str
    reference: Reference
    folder: Path

    def proposals(self, ranges: Ranges, kept: Collection[str]) -> tuple[Proposal, ...]:
        """Quantise; forms that no calibration can bring to ship are not among them.

        Args:
            ranges: by tensor of the FP32 graph.
            kept: layers in floating point.
        """
        graphs = int8_graphs(ranges, kept, self.fp32, self.half, self.overflow)
        return tuple(proposal for proposal in graphs.proposals if not proposal.reason)

    def proof(self, proposal: Proposal, *, strict: bool = True) -> Proof:
        """Hold a form against the limits.

        Args:
            strict: by count. Whoever tries again and again on the same images has had the benefit
                of the doubt.
        """
        reference = self.reference
        if strict:
            reference = replace(reference, limits=replace(reference.limits, strict=True))
        path, proof = prove_proposal(proposal, reference, self.folder)
        path.unlink()
        return proof

    def within_limits(self, ranges: Ranges, kept: Collection[str]) -> bool:
        """Whether every form is within the limits by count, in every engine.

        Args:
            ranges: by tensor of the FP32 graph.
            kept: layers in floating point.
        """
        return not any(self._reasons(ranges, kept))

    def _reasons(self, ranges: Ranges, kept: Collection[str]) -> Iterator[str]:
        return (self.proof(proposal).reason for proposal in self.proposals(ranges, kept))
