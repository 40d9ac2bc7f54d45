"""The layers of a side, in types."""

from __future__ import annotations

from runtime.files.document import Part


class LayerRow(Part, frozen=True, kw_only=True):
    """One layer.

    Args:
        layer, operator: in the engine's words.
        ms: median over the runs.
        share: of the sum over all layers, 0 to 1.
        macs: multiply-accumulates per run; 0 where there is no product; None where not known.
        bytes: of inputs, weights and outputs, each once; None likewise.
        gmac_s: 10^9 multiply-accumulates per second.
        gb_s: 10^9 bytes per second.
    """

    layer: str
    operator: str
    ms: float
    share: float
    macs: int | None
    bytes: int | None
    gmac_s: float | None
    gb_s: float | None


class LayerTable(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The layers of a side, timed apart from its latency: a profiler takes time itself.

    Args:
        profiler: of the engine, in words.
        batch: images, or tiles, per run.
        runs: over which the medians are taken.
        total_ms: sum over all layers.
        rows: in the order in which they run.
        notes: what is missing, and why.
    """

    profiler: str
    batch: int
    runs: int
    total_ms: float
    rows: tuple[LayerRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of all layers; None where one is not known."""
        known = [row.macs for row in self.rows]
        return None if not known or None in known else sum(one or 0 for one in known)

    @property
    def bytes(self) -> int | None:
        """Bytes that all layers move; None where one is not known."""
        known = [row.bytes for row in self.rows]
        return None if not known or None in known else sum(one or 0 for one in known)

    def slowest(self, count: int) -> list[LayerRow]:
        """The layers that take longest, the slowest first."""
        return sorted(self.rows, key=lambda row: -row.ms)[:count]
